"""Nights in which something goes wrong."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.fleet.close import close_night
from recfleet.fleet.decide import decide_night
from recfleet.fleet.plan import plan_night
from recfleet.fleet.stage_loop import run_stage
from recfleet.fleet.stages import STAGES
from recfleet.registry import Aliases, ArtifactStore, Registry
from recfleet.settings import RegistrySettings, forget_settings
from tests.nights import START, WEEK, outcomes, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

FIRST = START + 12 * WEEK
TURNED = START + 20 * WEEK


def _registry(stack: RegistrySettings) -> Registry:
    return Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def _up_to_publish(run_id: str, as_of: datetime) -> None:
    plan_night(run_id, None, as_of, {})
    for stage in ("validate", "train_and_judge"):
        run_stage(STAGES[stage], run_id, 0)
    decide_night(run_id)


def _reason(connection: Connection, run_id: str) -> str:
    text = "select reason from ledger join night using (night_id) where run_id = %s"
    [(reason,)] = query(connection, text, run_id)
    return str(reason)


def _execute(connection: Connection, text: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)
    connection.commit()


@past
def turned(connection: Connection) -> None:
    """A tenant with a first model, and with other ranges of products since then."""
    shop(connection, "shop")
    run_night("first", FIRST)
    shop(connection, "shop", weeks=range(12, 20), shuffled=True)


@pytest.mark.usefixtures("turned")
def test_a_promotion_that_never_ended_is_taken_back(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _up_to_publish("died", TURNED)
    with monkeypatch.context() as patch:
        patch.setattr("recfleet.releases.switch_live", _die)
        with pytest.raises(KeyboardInterrupt):
            run_stage(STAGES["publish"], "died", 0)
    registry = _registry(stack)
    assert registry.aliases("shop") == Aliases(champion=2, previous=1)

    assert close_night("died").failed

    assert registry.aliases("shop") == Aliases(champion=1, previous=None)
    assert registry.get_version("shop", 2).tags["verdict"] == "not promoted"
    assert query(connection, "select version from champion") == [(1,)]
    assert query(connection, "select count(*) from ledger where intent is not null") == [(0,)]
    run_night("after", TURNED + timedelta(hours=1))
    assert registry.aliases("shop") == Aliases(champion=3, previous=1)


def test_a_first_model_that_never_ended_leaves_no_champion(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(connection, "shop")
    _up_to_publish("died", FIRST)
    with monkeypatch.context() as patch:
        patch.setattr("recfleet.releases.switch_live", _die)
        with pytest.raises(KeyboardInterrupt):
            run_stage(STAGES["publish"], "died", 0)
    close_night("died")
    assert _registry(stack).aliases("shop") == Aliases(champion=None, previous=None)


@pytest.mark.usefixtures("turned")
def test_a_late_night_does_not_overrule_a_newer_one(
    connection: Connection, stack: RegistrySettings
) -> None:
    _up_to_publish("late", TURNED)
    shop(connection, "shop", weeks=range(20, 21), shuffled=True)
    run_night("newer", TURNED + WEEK)
    live = query(connection, "select release_id from live_release")

    run_stage(STAGES["publish"], "late", 0, attempt=2)

    assert outcomes(connection, "late") == {"shop": "unchanged"}
    assert "went live meanwhile" in _reason(connection, "late")
    assert query(connection, "select release_id from live_release") == live
    assert _registry(stack).aliases("shop").champion == 2


@pytest.mark.usefixtures("turned")
def test_a_verdict_over_another_champion_is_not_carried_out(
    connection: Connection, stack: RegistrySettings
) -> None:
    _up_to_publish("one", TURNED)
    _up_to_publish("two", TURNED)
    run_stage(STAGES["publish"], "one", 0)
    run_stage(STAGES["publish"], "two", 0)
    assert outcomes(connection, "one") == {"shop": "promoted"}
    assert outcomes(connection, "two") == {"shop": "kept"}
    assert "judged against version 1, which is no longer the champion" in _reason(connection, "two")
    assert _registry(stack).aliases("shop") == Aliases(champion=2, previous=1)


def test_an_as_of_in_the_future_is_refused(connection: Connection, stack: RegistrySettings) -> None:
    shop(connection, "shop")
    soon = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    with pytest.raises(BadInputError, match="is in the future"):
        plan_night("typo", None, FIRST, {"as_of": soon})


def test_a_feed_that_brings_nothing_usable_is_quarantined(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "shop")
    run_night("first", FIRST)
    _execute(
        connection,
        "insert into unusable_line (tenant_id, placed_at, line_hash, reason, line) "
        "select 'shop', %s + number * interval '1 minute', number, 'no customer', '{}' "
        "from generate_series(1, 600) as number",
        FIRST,
    )
    run_night("broken", FIRST + timedelta(days=1))
    assert outcomes(connection, "broken") == {"shop": "quarantined"}
    assert query(connection, "select count(*) from live_release") == [(1,)]


def test_a_policy_that_cannot_be_used_is_that_tenants_trouble(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "typo")
    shop(connection, "vast")
    shop(connection, "well")
    wrong: dict[str, dict[str, float]] = {
        "typo": {"minimum_gains": 0.1},
        "vast": {"inactive_after_days": 10**10},
    }
    for tenant_id, policy in wrong.items():
        _execute(
            connection,
            "update tenant set policy = %s where tenant_id = %s",
            json.dumps(policy),
            tenant_id,
        )
    summary = run_night("night", FIRST)
    assert outcomes(connection, "night") == {
        "typo": "failed",
        "vast": "failed",
        "well": "first model",
    }
    assert summary.failed
    [(reason,)] = query(connection, "select reason from ledger where tenant_id = 'vast'")
    assert "inactive_after_days: 10000000000: input should be less than or equal to" in reason
    [(reason,)] = query(connection, "select reason from ledger where tenant_id = 'typo'")
    assert reason.startswith(
        "plan: its policy cannot be used: minimum_gains: there is no such field"
    )


@pytest.mark.usefixtures("turned")
def test_what_the_brake_holds_is_judged_again_when_there_is_something_new(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECFLEET_BRAKE_LEAST", "0")
    forget_settings()
    run_night("braked", TURNED)
    assert outcomes(connection, "braked") == {"shop": "awaiting approval"}
    assert _reason(connection, "braked").startswith(
        "held for a person (`recfleet approvals list`): 1 of 1 tenants"
    )
    assert _registry(stack).aliases("shop") == Aliases(champion=1, previous=None)

    monkeypatch.setenv("RECFLEET_BRAKE_LEAST", "1")
    forget_settings()
    run_night("nothing new", TURNED + timedelta(hours=1))
    assert outcomes(connection, "nothing new") == {"shop": "unchanged"}
    assert _reason(connection, "nothing new").endswith("version 2 waits for approval")
    run_night("let through", TURNED + timedelta(hours=1), {"tenants": ["shop"]})
    assert outcomes(connection, "let through") == {"shop": "promoted"}


def test_first_models_are_no_matter_for_the_brake(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECFLEET_BRAKE_LEAST", "0")
    forget_settings()
    shop(connection, "shop")
    run_night("first", FIRST)
    assert outcomes(connection, "first") == {"shop": "first model"}


@pytest.mark.usefixtures("turned")
def test_popularity_stands_in_for_a_champion_whose_files_are_gone(
    connection: Connection, stack: RegistrySettings
) -> None:
    [(uri,)] = query(connection, "select model_uri from champion")
    shutil.rmtree(uri.removeprefix("file://"))
    run_night("lost", TURNED)
    assert outcomes(connection, "lost") == {"shop": "promoted"}
    assert _reason(connection, "lost").startswith("The champion cannot be loaded")


def test_the_run_fails_past_the_tolerated_share_and_what_was_published_stays(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(connection, "bad")
    shop(connection, "good")
    _execute(connection, "update tenant set policy = '{\"x\": 1}' where tenant_id = 'bad'")
    summary = run_night("night", FIRST)
    assert (summary.failed_share, summary.failed) == (0.5, True)
    assert query(connection, "select tenant_id from live_release") == [("good",)]
    assert query(connection, "select status from night") == [("failed",)]

    monkeypatch.setenv("RECFLEET_TOLERATED_FAILURES", "0.5")
    forget_settings()
    assert not run_night("tolerant", FIRST, {"tenants": ["bad", "good"]}).failed
