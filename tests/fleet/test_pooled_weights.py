"""The weights that tenants begin at: what the fleet's tenants learned before, fixed for a night."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from recfleet.database import Connection
from recfleet.fleet.accounting import Accounts
from recfleet.fleet.pooled_weights import (
    DAYS,
    keep_learned,
    pool_weights,
    priors_of,
    read_priors,
)
from recfleet.fleet.stage_loop import Desk
from recfleet.models import Learned, Learning, Weights, shipped_priors
from recfleet.record import Night, NightKind
from recfleet.tenants import Policy, add_tenants, write_own_policy
from tests.fleet.test_evidence import AS_OF

pytestmark = pytest.mark.postgres

TONIGHT = Night(1, "tonight", AS_OF)


def _moved(intercept: float) -> Learning:
    steady = shipped_priors()[0]
    return Learning(
        replace(steady, new=replace(steady.new, intercept=intercept)), {"new": Learned(0, 25)}
    )


def _learn(
    connection: Connection, night: Night, policy: Policy | None = None, **learned: float
) -> None:
    add_tenants(connection, {tenant_id: tenant_id for tenant_id in learned})
    desk = Desk(night, connection, retried=False, accounts=Accounts())
    keep_learned(
        desk, {name: (policy or Policy(), _moved(number)) for name, number in learned.items()}
    )


def _before(days: float, kind: NightKind = "fleet") -> Night:
    return replace(TONIGHT, as_of=AS_OF - timedelta(days=days), kind=kind)


def _priors(connection: Connection, night: Night = TONIGHT) -> Weights:
    pool_weights(connection, night)
    return read_priors(connection, night.as_of)[0]


def test_a_night_begins_at_what_tenants_learned_before_it(connection: Connection) -> None:
    shipped = shipped_priors()[0].new.intercept
    assert list(read_priors(connection, AS_OF)) == list(shipped_priors())
    _learn(connection, _before(DAYS), old=90.0)
    _learn(connection, _before(2), shop=50.0)
    _learn(connection, _before(1), shop=8.0, other=20.0)
    _learn(connection, TONIGHT, future=70.0)

    assert _priors(connection).new.intercept == pytest.approx(
        (50 * shipped + 5 * 28) / 60, abs=1e-4
    )


def test_the_weights_of_a_night_stay_and_serve_nights_of_the_past(connection: Connection) -> None:
    _learn(connection, _before(1), shop=8.0)
    first = _priors(connection)
    _learn(connection, _before(0.5), other=20.0)

    assert _priors(connection) == first  # the same night again
    later = replace(TONIGHT, as_of=AS_OF + timedelta(days=1))
    assert _priors(connection, later) != first
    assert read_priors(connection, AS_OF + timedelta(hours=3))[0] == first
    assert list(read_priors(connection, AS_OF - timedelta(days=1))) == list(shipped_priors())


def test_who_shares_nothing_gives_nothing_and_takes_nothing(connection: Connection) -> None:
    silent = Policy(shares_findings=False)
    _learn(connection, _before(2), shop=8.0, secret=30.0)
    _learn(connection, _before(1), silent, secret=30.0)
    add_tenants(connection, {"changed": "changed"})
    _learn(connection, _before(1), changed=30.0)
    write_own_policy(connection, "changed", {"shares_findings": False})

    fleets = _priors(connection)

    shipped = shipped_priors()[0].new.intercept
    assert fleets.new.intercept == pytest.approx((50 * shipped + 5 * 8) / 55, abs=1e-4)
    assert priors_of(silent, [fleets]) == shipped_priors()
    assert priors_of(Policy(), [fleets]) == [fleets]


def test_a_night_of_the_past_teaches_the_fleet_nothing(connection: Connection) -> None:
    _learn(connection, _before(1, "backfill"), shop=8.0)
    assert _priors(connection) == shipped_priors()[0]
