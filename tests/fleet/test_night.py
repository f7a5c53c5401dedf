"""Nights from plan to close on real Postgres and the real MLflow store, without Airflow."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest

from recfleet.database import Connection
from recfleet.errors import BadInputError, UnknownTenantError
from recfleet.fleet.close import close_night
from recfleet.fleet.plan import plan_night
from recfleet.fleet.stage_loop import run_stage
from recfleet.fleet.stages import STAGES
from recfleet.registry import Aliases, ArtifactStore, Registry
from recfleet.settings import RegistrySettings
from tests.nights import START, WEEK, outcomes, query, run_night, shop

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

LIVE = """
select tenant_id, release.served_by, model_version, count(*)
  from live_release join release using (tenant_id, release_id, night_id)
  join recommendation using (night_id, release_id) group by 1, 2, 3 order by 1
"""


def _registry(stack: RegistrySettings) -> Registry:
    return Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))


def test_a_first_model_then_nothing_new_then_a_new_taste(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "steady")
    shop(connection, "turning", seed=1)
    shop(connection, "thin", customers=5)
    first = START + 12 * WEEK

    summary = run_night("first", first)
    assert summary.outcomes == {"first model": 2, "too thin": 1}
    assert query(connection, LIVE) == [
        ("steady", "model", 1, 120),
        ("thin", "personal", None, 5),
        ("turning", "model", 1, 120),
    ]
    assert _registry(stack).aliases("steady") == Aliases(champion=1, previous=None)

    assert run_night("same", first + timedelta(hours=1)).outcomes == {"unchanged": 3}

    run_night("asked for", first, {"tenants": ["steady"]})
    assert outcomes(connection, "asked for") == {"steady": "kept"}

    shop(connection, "turning", seed=1, weeks=range(12, 20), shuffled=True)
    run_night("turned", START + 20 * WEEK)
    assert outcomes(connection, "turned")["turning"] == "promoted"
    assert _registry(stack).aliases("turning") == Aliases(champion=2, previous=1)
    assert query(
        connection,
        "select kind, from_version, to_version, actor from promotion where tenant_id = 'turning' "
        "order by promotion_id",
    ) == [("first model", None, 1, "scheduler"), ("promotion", 1, 2, "scheduler")]
    assert query(connection, "select tenant_id, role, version from champion order by 1, 2") == [
        ("steady", "champion", 1),
        ("turning", "champion", 2),
        ("turning", "previous", 1),
    ]
    assert query(connection, LIVE)[-1] == ("turning", "model", 2, 120)
    # With each live list of a model come the lists of pairs, and those of older nights go.
    assert query(
        connection,
        "select live.tenant_id, cardinality(seeds) from live join pair_lists using (release_id) "
        "where model_version is not null order by 1",
    ) == [("steady", 50), ("turning", 50)]


def test_a_night_of_named_tenants_says_of_how_many_it_is(
    connection: Connection, stack: RegistrySettings
) -> None:
    for tenant in ("asked", "other", "third"):
        shop(connection, tenant, customers=3, weeks=range(1))
    query(connection, "update tenant set mode = 'off' where tenant_id = 'third' returning 1")
    connection.commit()
    said = (
        "select (summary ->> 'left_out')::int, summary ->> 'sentence' from night where run_id = %s"
    )
    conf = {"tenants": ["asked"]}

    plan_night("named", None, START + WEEK, conf)
    assert query(connection, said, "named") == [(1, None)]
    assert run_night("named", START + WEEK, conf).left_out == 1
    assert close_night("named").sentence().startswith("1 of 2 tenants: ")
    assert query(connection, said, "named")[0][0] == 1

    run_night("fleet", START + 2 * WEEK)
    [(left_out, sentence)] = query(connection, said, "fleet")
    assert left_out is None
    assert sentence.startswith("2 tenants: ")
    run_night("all by name", START + 3 * WEEK, {"tenants": ["asked", "other"]})
    assert query(connection, said, "all by name")[0][0] is None


def test_mlflow_tells_of_every_run_why(connection: Connection, stack: RegistrySettings) -> None:
    shop(connection, "steady")
    run_night("first", START + 12 * WEEK)
    [(reason,)] = query(connection, "select reason from ledger")
    with closing(psycopg2.connect(stack.mlflow_store_url)) as mlflow:
        assert query(mlflow, "select value from tags where key = 'mlflow.note.content'") == [
            (reason,)
        ]


def test_the_view_shows_what_a_list_says(connection: Connection, stack: RegistrySettings) -> None:
    shop(connection, "steady")
    as_of = START + 12 * WEEK
    run_night("first", as_of)
    rows = query(
        connection,
        "select rank, product_id, score, kind, model_version, as_of, source "
        "from live_recommendation where tenant_id = 'steady' and customer_id = 'c0001' "
        "order by rank",
    )
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert {row[4:6] for row in rows} == {(1, as_of)}
    assert {row[6] for row in rows} >= {"taste", "habit"}
    scores = [row[2] for row in rows]
    assert scores == sorted(scores, reverse=True)
    bought = {
        product
        for (product,) in query(
            connection, "select product_id from interaction where customer_id = 'c0001'"
        )
    }
    assert {row[1] for row in rows if row[3] == "again"} == bought & {row[1] for row in rows}


def test_a_night_sees_nothing_later_than_as_of(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "steady")
    as_of = START + 12 * WEEK
    run_night("before", as_of)
    before = query(connection, "select fingerprint from release order by release_id")
    shop(connection, "steady", weeks=range(13, 15), shuffled=True, seed=3)
    run_night("again", as_of, {"tenants": ["steady"]})
    again = query(connection, "select fingerprint from release order by release_id")
    assert again == [*before, *before]


def test_a_frozen_tenant_follows_its_customers_with_the_pinned_champion(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "steady")
    run_night("first", START + 12 * WEEK)
    with connection.cursor() as cursor:
        cursor.execute("update tenant set mode = 'frozen'")
    connection.commit()
    shop(connection, "steady", weeks=range(12, 20), shuffled=True)
    run_night("frozen", START + 20 * WEEK)
    assert outcomes(connection, "frozen") == {"steady": "frozen"}
    assert query(connection, LIVE) == [("steady", "model", 1, 120)]
    with connection.cursor() as cursor:
        cursor.execute("update tenant set mode = 'off'")
    connection.commit()
    assert run_night("off", START + 21 * WEEK).tenants == 0
    assert query(connection, "select count(*) from live_recommendation") == [(0,)]


def test_nights_with_nothing_to_do(connection: Connection, stack: RegistrySettings) -> None:
    assert run_night("empty", START).tenants == 0
    shop(connection, "steady")
    assert run_night("too early", START - WEEK).outcomes == {"no data": 1}
    assert query(connection, "select reason from ledger") == [
        ("no interactions up to 2025-12-29 09:00",)
    ]


def test_nothing_goes_back_in_time(connection: Connection, stack: RegistrySettings) -> None:
    shop(connection, "steady")
    run_night("first", START + 12 * WEEK)
    before = query(connection, LIVE)
    run_night("earlier", START + 11 * WEEK, {"tenants": ["steady"]})
    assert query(
        connection,
        "select outcome, reason from ledger join night using (night_id) where run_id = 'earlier'",
    ) == [("unchanged", "its live lists are newer than the night: as of 2026-03-30 09:00")]
    assert query(connection, LIVE) == before


def test_a_champion_that_has_seen_the_holdout_is_not_compared(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "steady")
    run_night("first", START + 12 * WEEK)
    with connection.cursor() as cursor:
        cursor.execute("""update tenant set policy = '{"recipe": {"holdout_days": 28}}'""")
    connection.commit()
    run_night("longer holdout", START + 12 * WEEK)
    [(verdict, outcome, reason)] = query(
        connection,
        "select verdict, outcome, reason from ledger join night using (night_id) "
        "where run_id = 'longer holdout'",
    )
    assert (verdict, outcome) == ("keep", "kept")
    assert reason.startswith("The champion was trained on interactions up to 2026-03-16")
    assert reason.endswith("so it is not judged. The champion stays.")


def test_a_tenant_that_sells_nothing_any_more(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "dormant", customers=5)
    run_night("late", START + 60 * WEEK)
    assert query(connection, "select state, outcome, reason from ledger") == [
        (
            "unchanged",
            "nothing to offer",
            "none of its 78 products is on sale: all are discontinued, or without a purchase for "
            "180 days; the live lists stay",
        )
    ]
    assert query(connection, "select status from night") == [("done",)]


def test_a_conf_that_cannot_be_used_writes_nothing(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "steady")
    with pytest.raises(UnknownTenantError, match=r"no tenant 'stedy'\. Did you mean 'steady'"):
        plan_night("typo", None, START, {"tenants": ["stedy"]})
    with pytest.raises(BadInputError, match="no date"):
        plan_night("typo", None, START, {"as_of": "soon"})
    assert query(connection, "select count(*) from night") == [(0,)]


def test_a_night_that_died_is_finished_by_the_next_attempt(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies after moving MLflow's aliases, before the switch: no second version or run."""
    shop(connection, "steady")
    shards = plan_night("night", None, START + 12 * WEEK, {})
    for stage in ("validate", "train_and_judge"):
        run_stage(STAGES[stage], "night", shards[0])

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("recfleet.releases.switch_live", die)
        with pytest.raises(KeyboardInterrupt):
            run_stage(STAGES["publish"], "night", shards[0])
    assert query(connection, LIVE) == []
    assert query(connection, "select count(*) from champion") == [(0,)]
    assert _registry(stack).aliases("steady").champion == 1

    run_night("night", START + 12 * WEEK, attempt=2)
    assert query(connection, LIVE) == [("steady", "model", 1, 120)]
    assert len(_registry(stack).versions("steady")) == 1


def test_a_shard_that_never_ended_counts_as_failed(
    connection: Connection, stack: RegistrySettings
) -> None:
    from recfleet.fleet.close import close_night

    shop(connection, "steady")
    plan_night("night", None, START + 12 * WEEK, {})
    summary = close_night("night")
    assert summary.failed
    assert query(connection, "select status from night") == [("failed",)]
    [(reason,)] = query(connection, "select reason from ledger")
    assert reason.startswith("the night ended before this tenant was validated")


def test_staged_challengers_are_gone_after_the_night(
    connection: Connection, stack: RegistrySettings, artifact_root: Path
) -> None:
    shop(connection, "steady")
    run_night("night", START + 12 * WEEK)
    assert not list(artifact_root.glob("staging/*"))
    assert list(artifact_root.rglob("MLmodel"))
