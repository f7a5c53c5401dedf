"""Nights that judge a new champion against the one before it, and roll back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from recfleet.database import Connection
from recfleet.fleet.close import close_night
from recfleet.fleet.decide import decide_night
from recfleet.fleet.evidence import read_standings
from recfleet.fleet.plan import plan_night
from recfleet.fleet.probation import OnProbation, read_probations
from recfleet.fleet.stage_loop import run_stage
from recfleet.fleet.stages import STAGES
from recfleet.judging import Evidence
from recfleet.operations.approvals import approve
from recfleet.recipe import Recipe
from recfleet.record import Night, TenantNight, get_champions
from recfleet.registry import Aliases, ArtifactStore, Registry
from recfleet.settings import RegistrySettings, forget_settings
from recfleet.tenants import Mode, Policy
from tests.nights import START, WEEK, outcomes, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]


FIRST = START + 12 * WEEK
MISLED = START + 20 * WEEK
RIGHT = START + 22 * WEEK
DAY = timedelta(days=1)


def _registry(stack: RegistrySettings) -> Registry:
    return Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))


def _execute(connection: Connection, text: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)
    connection.commit()


def _misled(connection: Connection, **policy: object) -> None:
    """A tenant whose champion, version 2, was trained on wrong weeks that are over.

    Version 1, the one before it, was trained on right weeks. The cooldown holds later challengers
    back, unless the policy says otherwise.
    """
    shop(connection, "shop")
    held_back = {"cooldown_days": 60, "cooldown_gain": 0.9}
    _execute(connection, "update tenant set policy = %s", json.dumps({**held_back, **policy}))
    run_night("first", FIRST)
    shop(connection, "shop", weeks=range(12, 20), shuffled=True)
    _execute(connection, "update tenant set policy = policy - 'cooldown_days'")
    run_night("misled", MISLED)
    assert outcomes(connection, "misled") == {"shop": "promoted"}
    _execute(connection, "update tenant set policy = %s", json.dumps({**held_back, **policy}))
    _execute(connection, "delete from interaction where occurred_at >= %s", FIRST)
    shop(connection, "shop", weeks=range(12, 22), seed=1)


@past
def misled(connection: Connection) -> None:
    """As ``_misled``, with the rest of the policy as the fleet's."""
    _misled(connection)


def _judged(connection: Connection, run_id: str) -> tuple[str, str, str, dict[str, Any]]:
    """Outcome, verdict, reason and numbers of the only tenant's night."""
    [row] = query(
        connection,
        "select outcome, verdict, reason, numbers from ledger join night using (night_id) "
        "where run_id = %s",
        run_id,
    )
    return row


def _champions(connection: Connection) -> list[tuple[Any, ...]]:
    return query(connection, "select role, version from champion order by 1")


def _live(connection: Connection) -> list[tuple[Any, ...]]:
    return query(
        connection,
        "select model_version, release.as_of from live_release join release using (release_id)",
    )


def _up_to_publish(run_id: str, as_of: datetime) -> None:
    plan_night(run_id, None, as_of, {})
    for stage in ("validate", "train_and_judge"):
        run_stage(STAGES[stage], run_id, 0)
    decide_night(run_id)


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("misled")
def test_a_champion_that_is_worse_is_rolled_back_in_the_same_night(
    connection: Connection, stack: RegistrySettings
) -> None:
    run_night("right", RIGHT)

    outcome, verdict, reason, numbers = _judged(connection, "right")
    assert (outcome, verdict) == ("rolled back", "rollback")
    assert reason.startswith("The previous model's error (RMSE) is ")
    assert reason.endswith("night 1 of 7 of its probation rolls the champion back to version 1.")
    assert numbers["contenders"]["previous"]["rmse"] < numbers["contenders"]["champion"]["rmse"]
    assert numbers["probation"]["low"] >= 0.005
    assert _champions(connection) == [("champion", 1)]
    assert _live(connection) == [(1, RIGHT)]
    assert query(
        connection,
        "select kind, from_version, to_version, actor, reason from promotion "
        "order by promotion_id desc limit 1",
    ) == [("rollback", 2, 1, "scheduler", reason)]
    assert query(connection, "select count(*) from ledger where intent is not null") == [(0,)]

    registry = _registry(stack)
    assert registry.aliases("shop") == Aliases(champion=1, previous=None)
    tags = registry.get_version("shop", 2).tags
    assert tags["verdict"] == "rolled back"
    assert tags["rolled_back_at"] == RIGHT.isoformat()
    assert tags["rolled_back_to"] == "1"
    assert tags["rolled_back_why"] == reason
    assert registry.get_version("shop", 1).tags["verdict"] == "promote"
    assert len(registry.versions("shop")) == 2

    shop(connection, "shop", weeks=range(22, 23), seed=1)
    run_night("after", RIGHT + WEEK)
    outcome, _, reason, numbers = _judged(connection, "after")
    assert outcome == "kept"
    assert "in the first 60 days of a champion" in reason, "the cooldown has begun anew"
    assert numbers["against"] == 1
    assert "probation" not in numbers, "after a rollback there is nobody to go back to"


def test_of_two_better_models_the_challenger_is_taken_when_it_is_the_better(
    connection: Connection, stack: RegistrySettings
) -> None:
    _misled(connection, cooldown_days=0)
    run_night("right", RIGHT)
    outcome, verdict, reason, numbers = _judged(connection, "right")
    assert (outcome, verdict) == ("promoted", "promote")
    assert reason.endswith("but not better than the challenger.")
    rmse = {name: scores["rmse"] for name, scores in numbers["contenders"].items()}
    assert rmse["challenger"] < rmse["previous"] < rmse["champion"]
    assert _champions(connection) == [("champion", 3), ("previous", 2)]


@pytest.mark.usefixtures("misled")
@pytest.mark.parametrize(
    "where", ["recfleet.releases.switch_live", "recfleet.registry.Registry.mark_version"]
)
def test_a_rollback_that_never_ended_is_taken_back(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    before = _live(connection)
    _up_to_publish("died", RIGHT)
    with monkeypatch.context() as patch:
        patch.setattr(where, _die)
        with pytest.raises(KeyboardInterrupt):
            run_stage(STAGES["publish"], "died", 0)
    registry = _registry(stack)
    assert registry.aliases("shop") == Aliases(champion=1, previous=None)

    assert close_night("died").failed

    assert registry.aliases("shop") == Aliases(champion=2, previous=1)
    tags = registry.get_version("shop", 2).tags
    assert tags["verdict"] == "promote"
    assert not [name for name in tags if name.startswith("rolled_back")]
    assert _champions(connection) == [("champion", 2), ("previous", 1)]
    assert _live(connection) == before
    assert query(connection, "select count(*) from ledger where intent is not null") == [(0,)]

    run_night("again", RIGHT)
    assert outcomes(connection, "again") == {"shop": "rolled back"}
    assert registry.aliases("shop") == Aliases(champion=1, previous=None)


@pytest.mark.usefixtures("misled")
@pytest.mark.parametrize(
    "where", ["recfleet.releases.switch_live", "recfleet.registry.Registry.mark_version"]
)
def test_a_rollback_that_died_is_finished_by_the_next_attempt(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    _up_to_publish("night", RIGHT)
    with monkeypatch.context() as patch:
        patch.setattr(where, _die)
        with pytest.raises(KeyboardInterrupt):
            run_stage(STAGES["publish"], "night", 0)
    run_night("night", RIGHT, attempt=2)
    assert outcomes(connection, "night") == {"shop": "rolled back"}
    assert _champions(connection) == [("champion", 1)]
    assert _live(connection) == [(1, RIGHT)]
    assert _registry(stack).aliases("shop") == Aliases(champion=1, previous=None)
    assert _registry(stack).get_version("shop", 2).tags["verdict"] == "rolled back"
    assert query(connection, "select count(*) from promotion where kind = 'rollback'") == [(1,)]


@pytest.mark.usefixtures("misled")
def test_a_previous_model_that_cannot_be_loaded_is_not_gone_back_to(
    connection: Connection, stack: RegistrySettings
) -> None:
    [(uri,)] = query(connection, "select model_uri from champion where role = 'previous'")
    _up_to_publish("judged before", RIGHT)
    shutil.rmtree(uri.removeprefix("file://"))
    run_stage(STAGES["publish"], "judged before", 0)
    outcome, verdict, reason, _ = _judged(connection, "judged before")
    assert (outcome, verdict) == ("kept", "rollback")
    assert reason.startswith("the champion was not rolled back: ")
    assert _live(connection) == [(2, RIGHT)]

    run_night("judged after", RIGHT, {"tenants": ["shop"]})
    outcome, verdict, _, numbers = _judged(connection, "judged after")
    assert (outcome, verdict) == ("kept", "keep")
    assert numbers["probation"]["trouble"].startswith("the previous model cannot be compared: ")
    assert "previous" not in numbers["contenders"]
    assert _champions(connection) == [("champion", 2), ("previous", 1)]


@pytest.mark.usefixtures("misled")
def test_a_rollback_of_a_champion_that_is_gone_already_is_not_carried_out(
    connection: Connection, stack: RegistrySettings
) -> None:
    _up_to_publish("one", RIGHT)
    _up_to_publish("two", RIGHT)
    run_stage(STAGES["publish"], "one", 0)
    run_stage(STAGES["publish"], "two", 0)
    assert outcomes(connection, "one") == {"shop": "rolled back"}
    outcome, _, reason, _ = _judged(connection, "two")
    assert outcome == "kept"
    assert "not rolled back: it was judged against version 2, which is no longer" in reason
    assert _champions(connection) == [("champion", 1)]
    assert query(connection, "select count(*) from promotion where kind = 'rollback'") == [(1,)]


@pytest.mark.usefixtures("misled")
def test_the_brake_holds_rollbacks_too(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECFLEET_BRAKE_LEAST", "0")
    forget_settings()
    run_night("braked", RIGHT)
    assert outcomes(connection, "braked") == {"shop": "awaiting approval"}
    assert _champions(connection) == [("champion", 2), ("previous", 1)]
    assert query(connection, "select change, version, against from approval") == [
        ("rollback", 1, 2)
    ]

    assert approve(connection, [1], actor="ann", reason="it is worse indeed").done == [1]
    assert _champions(connection) == [("champion", 1)]
    assert _registry(stack).aliases("shop") == Aliases(champion=1, previous=None)
    assert [version for version, _ in _live(connection)] == [1]
    assert query(
        connection, "select kind, from_version, to_version, actor from audit order by audit_id"
    )[-2:] == [("approved", 2, 1, "ann"), ("rollback", 2, 1, "ann")]


@pytest.mark.usefixtures("misled")
def test_a_frozen_tenant_is_not_rolled_back(
    connection: Connection, stack: RegistrySettings
) -> None:
    _execute(connection, "update tenant set mode = 'frozen'")
    run_night("frozen", RIGHT)
    assert outcomes(connection, "frozen") == {"shop": "frozen"}
    assert _live(connection) == [(2, RIGHT)]


def test_a_policy_may_do_without_a_probation(
    connection: Connection, stack: RegistrySettings
) -> None:
    _misled(connection, probation_nights=0)
    run_night("right", RIGHT)
    outcome, _, _, numbers = _judged(connection, "right")
    assert outcome == "kept"
    assert "previous" not in numbers["contenders"]


# Which nights a probation is counted in -----------------------------------------------------------


@pytest.fixture
def counted(connection: Connection) -> Callable[..., OnProbation | None]:
    """Reads a champion's probation, days after the night that made it version 2."""
    made = _write_night(connection, 0, against=1)
    with connection.cursor() as cursor:
        for role, version in (("champion", 2), ("previous", 1)):
            cursor.execute(
                "insert into champion (tenant_id, role, version, run_id, model_uri, train_end, "
                "night_id) values ('shop', %s, %s, 'r', 'file:///m', %s, %s)",
                (role, version, FIRST, made),
            )

    def read(
        days: float, *, policy: Policy | None = None, mode: Mode = "on", is_trial: bool = False
    ) -> OnProbation | None:
        night = Night(10**6, "tonight", MISLED + days * DAY, is_trial=is_trial)
        row = TenantNight("shop", mode, policy or Policy(), None, None, None, None, None)
        champions = get_champions(connection, ["shop"])
        standings = read_standings(connection, [row], champions, night)
        return read_probations(connection, night, [row], champions, standings).get("shop")

    return read


def _write_night(
    connection: Connection,
    days: float,
    *,
    against: int = 2,
    gain: float | None = 0.01,
    is_trial: bool = False,
    policy: Policy | None = None,
) -> int:
    """A night of the ledger that judged a champion and the previous model."""
    numbers: dict[str, Any] = {"against": against, "contenders": {"champion": {}}}
    if gain is not None:
        numbers["probation"] = {"version": 1, "value": gain, "standard_error": 0.02}
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into night (run_id, as_of, is_trial) select 'night ' || count(*), %s, %s "
            "from night returning night_id",
            (MISLED + days * DAY, is_trial),
        )
        [(night_id,)] = cursor.fetchall()
        cursor.execute(
            "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, "
            "state, numbers) values (%s, 'shop', 'on', %s, 0, 1, '', 'published', %s)",
            (night_id, (policy or Policy()).model_dump_json(), json.dumps(numbers)),
        )
    return int(night_id)


Counted = Callable[..., "OnProbation | None"]


def test_the_first_night_after_a_promotion_is_the_first_of_the_probation(
    connection: Connection, counted: Counted
) -> None:
    found = counted(1)
    assert found is not None
    assert (found.previous.version, found.probation.version, found.probation.night) == (1, 1, 1)
    assert list(found.probation.earlier) == []
    assert counted(0) is None, "the same holdout again tells nothing new"
    assert counted(-1) is None


def test_nights_that_judged_the_champion_are_counted_and_their_gains_kept(
    connection: Connection, counted: Counted
) -> None:
    _write_night(connection, 1, gain=0.5)
    _write_night(connection, 1, gain=0.02)  # repeated: the last one counts
    _write_night(connection, 2, gain=0.03)
    _write_night(connection, 3, gain=None)  # previous could not be loaded
    _write_night(connection, 3.5, is_trial=True)
    _write_night(connection, 3.6, against=7)
    found = counted(4)
    assert found is not None
    assert found.probation.night == 4
    assert list(found.probation.earlier) == [Evidence(2, 0.03, 0.02), Evidence(3, 0.02, 0.02)]
    other = Policy(recipe=Recipe(alpha=3))
    changed = counted(4, policy=other)
    assert changed is not None
    assert (changed.probation.night, list(changed.probation.earlier)) == (4, [])


def test_a_probation_ends_with_its_nights(connection: Connection, counted: Counted) -> None:
    for day in range(1, 7):
        _write_night(connection, day)
    last = counted(7)
    assert last is not None
    assert last.probation.night == 7
    _write_night(connection, 7)
    assert counted(8) is None
    assert counted(8, policy=Policy(probation_nights=8)) is not None
    assert counted(8, policy=Policy(probation_nights=0)) is None


def test_rare_nights_make_a_probation_longer_but_not_endless(
    connection: Connection, counted: Counted
) -> None:
    for week in range(1, 7):
        _write_night(connection, 7 * week)
    last = counted(49)
    assert last is not None
    assert last.probation.night == 7
    assert counted(49.5) is None


def test_who_is_not_on_probation(connection: Connection, counted: Counted) -> None:
    assert counted(1, mode="frozen") is None
    assert counted(1, is_trial=True) is None
    with connection.cursor() as cursor:
        cursor.execute("delete from champion where role = 'previous'")
    assert counted(1) is None
