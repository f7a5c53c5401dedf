"""Nights of the past, run again, on real Postgres and the real MLflow store, without Airflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from recfleet.audit import read_entries, what_changed, where_it_came_from
from recfleet.database import Connection
from recfleet.errors import BadInputError, UnknownTenantError
from recfleet.operations.backfill_results import backfill_sentence
from recfleet.operations.backfill_tasks import plan_backfill, replay_backfill
from recfleet.operations.champion_choice import promotion_of
from recfleet.operations.champions import change_all
from recfleet.registry import Aliases, ArtifactStore, Registry
from recfleet.settings import RegistrySettings
from tests.backfills import nights, run_backfill
from tests.nights import START, WEEK, outcomes, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

DAY = timedelta(days=1)
FIRST = START + 12 * WEEK - timedelta(hours=1)
"""As-of of the first night of the fleet."""
TURNED = START + 20 * WEEK
"""As-of of a night long after the tastes changed."""

# Everything that a backfill must not change.
IN_FORCE = (
    "select * from champion order by tenant_id, role",
    "select * from live_release order by tenant_id",
    "select * from live_recommendation order by tenant_id, customer_id, rank",
    "select * from promotion order by promotion_id",
    "select * from ledger join night using (night_id) where not is_trial order by 1, 2",
)


def _registry(stack: RegistrySettings) -> Registry:
    return Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))


def _in_force(connection: Connection) -> list[list[tuple[Any, ...]]]:
    return [query(connection, text) for text in IN_FORCE]


def _judged(connection: Connection, run_id: str) -> list[tuple[Any, ...]]:
    """A night's data and verdict for each tenant."""
    return query(
        connection,
        "select ledger.tenant_id, verdict, numbers, "
        "challenger - array['run_id', 'model_uri', 'airflow_run'], "
        "ledger.reason, release.model_version, release.fingerprint, release.served_by "
        "from ledger join night using (night_id) left join release using (release_id) "
        "where night.run_id = %s order by 1",
        run_id,
    )


def _execute(connection: Connection, text: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)
    connection.commit()


@past
def turned(connection: Connection) -> None:
    """A tenant with two champions, one after the other, and a tenant that is too thin."""
    shop(connection, "shop")
    shop(connection, "thin", customers=5)
    run_night("first", FIRST)
    run_night("second", FIRST + 4 * DAY)
    shop(connection, "shop", weeks=range(12, 21), shuffled=True)
    run_night("turned", TURNED)
    run_night("after", TURNED + DAY, {"tenants": ["shop"]})


def test_a_night_of_the_past_finds_what_it_found(
    connection: Connection, stack: RegistrySettings, turned: Connection
) -> None:
    """Each date has its own champion, evidence and data, though another champion is in force
    now."""
    assert outcomes(connection, "turned") == {"shop": "promoted", "thin": "unchanged"}
    before = _in_force(connection)
    aliases = _registry(stack).aliases("shop")

    for name, as_of in (("first", FIRST), ("turned", TURNED), ("after", TURNED + DAY)):
        run_backfill(f"again {name}", ["shop"], as_of, as_of)
        assert nights(connection, f"again {name}", "shop")[0][:3] == (as_of, True, "backfilled")
        [[again], [then]] = (
            _judged(connection, f"again {name}__as-of-{as_of:%Y-%m-%dT%H:%M}"),
            [row for row in _judged(connection, name) if row[0] == "shop"],
        )
        # A trial's challenger is a separate version.
        assert (*again[:5], *again[6:]) == (*then[:5], *then[6:])
        promoted = then[1] == "promote"
        assert (again[5] == then[5]) is not promoted

    assert _in_force(connection) == before
    assert _registry(stack).aliases("shop") == aliases == Aliases(champion=2, previous=1)
    foreseen, _ = change_all(
        connection,
        "promote",
        ["shop"],
        promotion_of(3),
        actor="ann",
        reason="for a look",
        dry_run=True,
    )
    assert "version 3 (a backfill's trial) would be in force" in foreseen[0].sentence
    # The audit records what it was made from, as for every other version.
    change_all(connection, "promote", ["shop"], promotion_of(3), actor="ann", reason="in earnest")
    told = where_it_came_from(read_entries(connection, "shop")[-1])
    assert [line.split()[0] for line in told[:3]] == ["trained", "judged", "recipe"]


def test_a_night_that_rolled_back_says_so_again(
    connection: Connection, stack: RegistrySettings
) -> None:
    """The previous model is that date's too, though none is on record after a rollback."""
    shop(connection, "shop")
    run_night("first", FIRST)
    shop(connection, "shop", weeks=range(12, 20), shuffled=True)
    run_night("misled", TURNED)
    held_back = '{"cooldown_days": 60, "cooldown_gain": 0.9}'
    _execute(connection, "update tenant set policy = %s", held_back)
    _execute(connection, "delete from interaction where occurred_at >= %s", FIRST)
    shop(connection, "shop", weeks=range(12, 22), seed=1)
    right = TURNED + 2 * WEEK
    run_night("right", right)
    assert outcomes(connection, "right") == {"shop": "rolled back"}
    before = _in_force(connection)
    aliases = _registry(stack).aliases("shop")

    run_backfill("again", ["shop"], right, right)

    assert nights(connection, "again", "shop") == [(right, True, "backfilled", "rollback")]
    assert _judged(connection, f"again__as-of-{right:%Y-%m-%dT%H:%M}") == _judged(
        connection, "right"
    )
    assert _in_force(connection) == before
    assert _registry(stack).aliases("shop") == aliases == Aliases(champion=1, previous=None)


def test_a_range_of_nights(
    connection: Connection, stack: RegistrySettings, turned: Connection
) -> None:
    before = _in_force(connection)
    summary = run_backfill("two weeks", ["shop", "thin"], FIRST, TURNED, step=7)
    assert summary.nights == 9
    assert summary.outcomes == {"backfilled": 18}
    assert summary.sentence() == "9 nights, counted per tenant: 18 backfilled"
    assert backfill_sentence(connection, "two weeks") == summary.sentence()
    assert backfill_sentence(connection, "another") is None
    assert [row[0] for row in nights(connection, "two weeks", "shop")] == [
        FIRST + week * WEEK for week in range(9)
    ]
    # Staged whole: every night's release has a list for each customer.
    assert query(
        connection,
        "select count(distinct release_id), count(*), count(*) filter (where "
        "customers = (select count(*) from recommendation where recommendation.release_id = "
        "release.release_id and recommendation.night_id = release.night_id)) from release "
        "join night using (night_id) where is_trial",
    ) == [(18, 18, 18)]
    assert query(connection, "select distinct status from night where is_trial") == [("done",)]
    assert _in_force(connection) == before
    assert query(
        connection,
        "select tenant_id, actor, reason, facts -> 'nights', facts ->> 'run_id' from audit "
        "where kind = 'backfill' order by tenant_id",
    ) == [
        (tenant, "tester", "9 nights as of 2026-03-30 to 2026-05-25, every 7 days", 9, "two weeks")
        for tenant in ("shop", "thin")
    ]


def test_the_fleets_nights_do_not_see_trials(
    connection: Connection, stack: RegistrySettings, turned: Connection
) -> None:
    """A night's verdict is the same with and without trials before it: they are no evidence."""
    _execute(connection, """update tenant set policy = '{"pooled_nights": 3}'""")
    run_backfill("trials", ["shop"], TURNED - 3 * DAY, TURNED + 2 * DAY)
    run_night("with", TURNED + 3 * DAY, {"tenants": ["shop"]})
    _execute(connection, "update night set is_trial = false where backfill is not null")
    run_backfill("same", ["shop"], TURNED + 3 * DAY, TURNED + 3 * DAY)
    as_if = f"same__as-of-{TURNED + 3 * DAY:%Y-%m-%dT%H:%M}"
    [(_, _, counted, *_)] = _judged(connection, as_if)
    [(_, _, alone, *_)] = _judged(connection, "with")
    # The fits differ a little: the forged nights are what this one begins with.
    assert counted["gain"]["value"] == pytest.approx(alone["gain"]["value"], rel=0.02)
    assert "pooled" in counted
    assert "pooled" not in alone  # If trials had counted, it would be there.


def test_asking_again_does_nothing_that_is_done(
    connection: Connection, stack: RegistrySettings, turned: Connection
) -> None:
    run_backfill("one", ["shop"], TURNED, TURNED + DAY)
    count = "select (select count(*) from night), (select count(*) from audit)"
    before = query(connection, count)
    summary = run_backfill("two", ["shop"], TURNED, TURNED + DAY)
    assert summary.sentence() == "nothing to do: all of these nights have run from the same data"
    assert query(connection, count) == before

    wider = run_backfill("three", ["shop", "thin"], TURNED - DAY, TURNED + DAY)
    assert wider.outcomes == {"backfilled": 4, "unchanged": 2}
    assert run_backfill("four", ["shop"], TURNED, TURNED, force=True).outcomes == {"backfilled": 1}

    shop(connection, "shop", weeks=range(19, 20), seed=5)
    assert run_backfill("five", ["shop"], TURNED, TURNED).outcomes == {"backfilled": 1}


def test_the_last_night_may_promote(connection: Connection, stack: RegistrySettings) -> None:
    shop(connection, "shop")
    run_night("first", FIRST)
    shop(connection, "shop", weeks=range(12, 21), shuffled=True)

    summary = run_backfill("range", ["shop"], TURNED - 2 * DAY, TURNED, promote=True)

    assert summary.outcomes == {"backfilled": 2, "promoted": 1}
    assert [row[1:] for row in nights(connection, "range", "shop")][-1] == (
        False,
        "promoted",
        "promote",
    )
    [(version,)] = query(connection, "select version from champion where role = 'champion'")
    assert _registry(stack).aliases("shop") == Aliases(champion=version, previous=1)
    assert query(
        connection,
        "select distinct as_of, model_version from live_recommendation",
    ) == [(TURNED, version)]
    asked, promoted = read_entries(connection, "shop")[1:]
    assert what_changed(asked) == "backfill: 2026-05-23 09:00 to 2026-05-25 09:00"
    assert where_it_came_from(asked) == ["Airflow run range"]
    *_, runs, digest = where_it_came_from(promoted)
    assert ", Airflow run range, MLflow run" in runs
    assert digest.startswith("files, digest ")
    # A person asked for it, not the scheduler.
    assert query(
        connection,
        "select kind, actor from audit where to_version is not null order by audit_id",
    ) == [("first model", "scheduler"), ("promotion", "tester")]
    again = run_backfill("again", ["shop"], TURNED - 2 * DAY, TURNED, promote=True)
    assert again.outcomes == {"unchanged": 1}
    [(why,)] = query(
        connection,
        "select ledger.reason from ledger join night using (night_id) where backfill = 'again'",
    )
    assert why.endswith("; --force judges it all the same")
    assert run_night("tonight", TURNED).outcomes == {"unchanged": 1}


def test_what_the_last_night_would_promote_may_wait(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "shop")
    run_night("first", FIRST)
    shop(connection, "shop", weeks=range(12, 21), shuffled=True)
    _execute(connection, 'update tenant set policy = policy || \'{"approval": "every"}\'')
    summary = run_backfill("range", ["shop"], TURNED, TURNED, promote=True)
    assert summary.outcomes == {"awaiting approval": 1}
    assert query(
        connection,
        "select kind, actor from audit where to_version is not null order by audit_id",
    ) == [("first model", "scheduler"), ("awaiting approval", "tester")]


def test_nothing_goes_back_in_time(
    connection: Connection, stack: RegistrySettings, turned: Connection
) -> None:
    before = query(connection, "select * from live_release")
    run_backfill("early", ["shop"], FIRST, FIRST, promote=True)
    assert nights(connection, "early", "shop") == [(FIRST, False, "unchanged", None)]
    assert query(connection, "select * from live_release") == before


def test_a_frozen_tenant_is_not_retrained(
    connection: Connection, stack: RegistrySettings, turned: Connection
) -> None:
    _execute(connection, "update tenant set mode = 'frozen' where tenant_id = 'shop'")
    run_backfill("frozen", ["shop"], TURNED, TURNED)
    assert nights(connection, "frozen", "shop") == [(TURNED, True, "backfilled", "keep")]
    assert query(
        connection,
        "select model_version from release join night using (night_id) where is_trial",
    ) == [(1,)]
    with pytest.raises(BadInputError, match=r"shop is frozen, .* thaw with"):
        run_backfill("promoting", ["shop", "thin"], TURNED, TURNED, promote=True)


def test_who_is_off_is_left_out(
    connection: Connection, stack: RegistrySettings, turned: Connection
) -> None:
    _execute(connection, "update tenant set mode = 'off' where tenant_id = 'thin'")
    run_backfill("both", ["shop", "thin"], TURNED, TURNED)
    assert nights(connection, "both", "thin") == [(TURNED, True, "unchanged", None)]
    with pytest.raises(BadInputError, match="thin is off"):
        run_backfill("only", ["thin"], TURNED, TURNED)


def test_before_there_was_anything(connection: Connection, stack: RegistrySettings) -> None:
    shop(connection, "shop")
    early = START - WEEK
    assert run_backfill("early", ["shop"], early, early).outcomes == {"no data": 1}
    assert run_backfill("again", ["shop"], early, early).nights == 0
    # The nights were opened anyway, once, and the audit has the person who asked for them.
    assert query(
        connection, "select tenant_id, actor, facts -> 'nights', facts ->> 'run_id' from audit"
    ) == [("shop", "tester", 1, "early")]


def test_everybody_in_the_nights_is_in_the_audit(
    connection: Connection, stack: RegistrySettings, turned: Connection
) -> None:
    """Including unchanged tenants: a night that may promote is always opened."""
    asked = (
        "select tenant_id, facts -> 'nights' from audit where facts ->> 'run_id' = %s order by 1"
    )
    run_backfill("early", ["shop", "thin"], FIRST, FIRST, promote=True)
    assert query(connection, asked, "early") == [("shop", 0), ("thin", 0)]


def test_a_replay_that_was_killed_goes_on(
    connection: Connection,
    stack: RegistrySettings,
    turned: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It dies between the version in MLflow and the release: no second version or run."""
    conf = {"tenants": ["shop"], "from": "2026-03-31", "to": "2026-05-25", "step": 55}
    [shard] = plan_backfill("killed", conf, triggered_by=None)
    registry = _registry(stack)
    versions = len(registry.versions("shop"))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    from recfleet.fleet.stage_loop import run_stage

    with monkeypatch.context() as patch:
        patch.setattr("recfleet.releases.stage_releases", die)
        with pytest.raises(KeyboardInterrupt):
            replay_backfill("killed", shard, run_stage=run_stage)
    seen: list[tuple[int, int]] = []
    [shard] = plan_backfill("killed", conf, triggered_by=None)
    replay_backfill(
        "killed", shard, attempt=2, run_stage=run_stage, on_start=lambda *size: seen.append(size)
    )
    replay_backfill("killed", shard, run_stage=run_stage, on_start=lambda *size: seen.append(size))

    assert seen == [(1, 2), (0, 0)]
    found = nights(connection, "killed", "shop")
    assert [row[2] for row in found] == ["backfilled", "backfilled"]
    promoted = sum(row[3] == "promote" for row in found)
    assert promoted
    assert len(registry.versions("shop")) == versions + promoted


@pytest.mark.parametrize(
    ("conf", "sentence"),
    [
        ({}, "tenants: Field required; from: Field required; to: Field required"),
        ({"tenants": [], "from": None, "to": "soon"}, "give a list .* give a date.* 'soon' is no"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "from 2026-03-02 is later than to"),
        ({"from": "2026-03-02", "to": "2999-03-01"}, "to: 2999-03-01 00:00 is in the future"),
        ({"from": "2020-01-01", "to": "2026-03-01"}, "2,252 nights, more than the 400"),
        ({"from": "2026-03-01", "to": "2026-03-02", "step": 0}, "step: .*greater than or equal"),
        ({"from": "2026-03-01", "to": "2026-03-02", "step": 99_999_999_999}, "step: .*less than"),
        ({"from": "2026-03-01", "to": "2026-03-02", "until": 0}, "until: Extra inputs"),
    ],
)
def test_a_conf_that_cannot_be_used_writes_nothing(
    connection: Connection, stack: RegistrySettings, conf: dict[str, Any], sentence: str
) -> None:
    shop(connection, "shop", customers=5)
    asked = {"tenants": ["shop"], **conf} if conf else {}
    with pytest.raises(BadInputError, match=sentence):
        plan_backfill("wrong", asked, triggered_by=None)
    assert query(connection, "select count(*) from night") == [(0,)]


def test_a_tenant_that_is_not_there(connection: Connection, stack: RegistrySettings) -> None:
    shop(connection, "shop", customers=5)
    with pytest.raises(UnknownTenantError, match="Did you mean 'shop'"):
        run_backfill("typo", ["shopp"], FIRST, FIRST)
