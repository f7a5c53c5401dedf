"""Nights of tenants that are switched while they run, or whose policies exclude something."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from recfleet.database import Connection, connect
from recfleet.fleet.close import close_night
from recfleet.fleet.decide import decide_night
from recfleet.fleet.plan import plan_night
from recfleet.fleet.stage_loop import run_stage
from recfleet.fleet.stages import STAGES, promotion
from recfleet.operations.modes import set_mode
from recfleet.operations.policies import parse_changes, set_policies
from recfleet.registry import Aliases, ArtifactStore, Registry
from recfleet.releases import NotServedError, look_up
from recfleet.settings import RegistrySettings, database_settings
from recfleet.tenants import Mode
from tests.nights import START, WEEK, outcomes, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

AS_OF = START + 12 * WEEK
LATER = START + 20 * WEEK
ROW = (
    "select state, outcome, reason from ledger join night using (night_id) "
    "where run_id = %s and tenant_id = 'alpha'"
)
LIVE = (
    "select model_version, release.as_of from live_release "
    "join release using (tenant_id, release_id) where tenant_id = 'alpha'"
)


def _judge(run_id: str, as_of: datetime) -> list[int]:
    shards = plan_night(run_id, None, as_of, {})
    for stage in ("validate", "train_and_judge"):
        for shard in shards:
            run_stage(STAGES[stage], run_id, shard)
    decide_night(run_id)
    return shards


def _publish(run_id: str, shards: list[int]) -> None:
    for shard in shards:
        run_stage(STAGES["publish"], run_id, shard)
    close_night(run_id)


def _set(connection: Connection, mode: Mode) -> None:
    set_mode(connection, ["alpha"], mode, actor="ann", reason="a test")


def _policy(connection: Connection, *assignments: str) -> None:
    connection.rollback()
    changes = parse_changes(assignments)
    set_policies(connection, ["alpha"], changes, actor="ann", reason="a test")


@past
def turned(connection: Connection) -> None:
    """A tenant with a champion, and later purchases that a new model predicts better."""
    shop(connection, "alpha")
    run_night("one", AS_OF)
    shop(connection, "alpha", weeks=range(12, 20), shuffled=True)


def test_a_tenant_switched_off_in_mid_night_is_not_published(
    connection: Connection, turned: Connection
) -> None:
    shards = _judge("two", LATER)
    _set(connection, "off")
    _publish("two", shards)
    assert query(connection, ROW, "two") == [
        ("unchanged", "unchanged", "switched off since the night was planned: nothing is published")
    ]
    assert query(connection, LIVE) == [(1, AS_OF)]
    assert query(connection, "select count(*) from live_recommendation") == [(0,)]


def test_a_tenant_frozen_in_mid_night_keeps_its_champion(
    connection: Connection, turned: Connection
) -> None:
    shards = _judge("two", LATER)
    assert query(connection, "select verdict from ledger where night_id = 2") == [("promote",)]
    _set(connection, "frozen")
    _publish("two", shards)
    [(state, outcome, reason)] = query(connection, ROW, "two")
    assert (state, outcome) == ("published", "frozen")
    assert reason.startswith("frozen since the night was planned")
    assert query(connection, LIVE) == [(1, LATER)]
    assert query(connection, "select version from champion") == [(1,)]


def test_a_new_tenant_frozen_in_mid_night_has_no_model(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "alpha")
    shards = _judge("one", AS_OF)
    _set(connection, "frozen")
    _publish("one", shards)
    [(_, outcome, reason)] = query(connection, ROW, "one")
    assert outcome == "frozen"
    assert reason.startswith("frozen since the night was planned: no first model is put in force")
    assert query(connection, LIVE) == [(None, AS_OF)]
    assert query(connection, "select count(*) from champion") == [(0,)]

    run_night("two", AS_OF, {"tenants": ["alpha"]})
    [(_, outcome, reason)] = query(connection, ROW, "two")
    assert outcome == "frozen"
    assert reason.startswith("frozen: no first model is trained, and lists are made without one")


@pytest.mark.usefixtures("turned")
@pytest.mark.parametrize(("mode", "outcome"), [("frozen", "frozen"), ("off", "unchanged")])
def test_a_switch_between_registering_and_releasing_wins(
    connection: Connection,
    stack: RegistrySettings,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
    outcome: str,
) -> None:
    register = promotion._register

    def register_and_switch(*arguments: Any) -> Any:
        registered = register(*arguments)
        other = connect(database_settings().database_url)
        set_mode(other, ["alpha"], mode, actor="ann", reason="a test")
        other.close()
        return registered

    shards = _judge("two", LATER)
    connection.rollback()
    with monkeypatch.context() as patch:
        patch.setattr(promotion, "_register", register_and_switch)
        _publish("two", shards)

    [(state, became, _)] = query(connection, ROW, "two")
    assert (state, became) == ("unchanged", outcome)
    assert query(connection, LIVE) == [(1, AS_OF)]
    assert query(connection, "select role, version from champion") == [("champion", 1)]
    registry = Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))
    assert registry.aliases("alpha") == Aliases(champion=1, previous=None)


def test_a_night_honours_what_a_policy_excludes(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "alpha")
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into product (tenant_id, product_id, category) "
            "select distinct tenant_id, product_id, "
            "case when product_id < 'p020' then 'Wine' else 'Tea' end from interaction "
            "on conflict (tenant_id, product_id) do update set category = excluded.category"
        )
    connection.commit()
    run_night("one", AS_OF)
    offered = "select count(*) from live_recommendation where {}"
    for condition in ("product_id < 'p020'", "product_id = 'p040'", "customer_id = 'c0001'"):
        assert query(connection, offered.format(condition))[0][0] > 0
    [(model, trained)] = query(connection, "select version, run_id from champion")

    _policy(
        connection,
        "excluded_categories=Wine,Beer",
        "excluded_products=p040",
        "excluded_customers=c0001,never-bought",
        "minimum_coverage=1",
    )
    run_night("two", AS_OF)

    # Only the policy is new; judging uses all customers as before.
    assert outcomes(connection, "two") == {"alpha": "kept"}
    assert query(connection, "select version, run_id from champion") == [(model, trained)]
    judged = query(connection, "select numbers #> '{holdout}' from ledger order by night_id")
    assert judged[0] == judged[1]
    for view in ("live_recommendation", "live_popular"):
        assert query(
            connection,
            f"select count(*) from {view} where product_id < 'p020' or product_id = 'p040'",
        ) == [(0,)]
        assert query(connection, f"select count(*) from {view}")[0][0] > 0
    for customer in ("c0001", "never-bought"):
        with pytest.raises(NotServedError, match="excludes"):
            look_up(connection, "alpha", customer)
    # Judged, published and served by the same kinds, which the purchases decided.
    assert query(
        connection,
        "select numbers ->> 'offers', offers from ledger join release using (night_id, tenant_id)",
    ) == [("both", "both"), ("both", "both")]
    assert len(look_up(connection, "alpha", "c0002", kind="new")) == 20
    assert len(look_up(connection, "alpha", "c0002", kind="again")) > 0
    assert query(
        connection,
        "select count(*), sum((source = 'excluded')::int) from recommendation "
        "join live_release using (night_id, release_id)",
    ) == [(121, 2)]

    run_night("three", AS_OF)
    assert outcomes(connection, "three") == {"alpha": "unchanged"}
    with connection.cursor() as cursor:
        cursor.execute("update product set category = 'Beer' where product_id = 'p050'")
    connection.commit()
    run_night("four", AS_OF)
    assert outcomes(connection, "four") == {"alpha": "kept"}
    assert query(connection, offered.format("product_id = 'p050'")) == [(0,)]


def test_popularity_honours_it_too_and_everything_can_be_excluded(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "alpha", customers=5)
    _policy(connection, "excluded_products=p001,p002", "excluded_customers=c0001")
    run_night("one", AS_OF)
    assert outcomes(connection, "one") == {"alpha": "too thin"}
    for view in ("live_recommendation", "live_popular"):
        listed = {row[0] for row in query(connection, f"select product_id from {view}")}
        assert listed
        assert not listed & {"p001", "p002"}

    products = [row[0] for row in query(connection, "select distinct product_id from interaction")]
    _policy(connection, f"excluded_products={','.join(products)}")
    run_night("two", AS_OF)
    [(state, outcome, reason)] = query(connection, ROW, "two")
    assert (state, outcome) == ("unchanged", "nothing to offer")
    assert "or excluded by its policy" in reason
