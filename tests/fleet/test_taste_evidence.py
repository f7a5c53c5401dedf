"""What earlier nights found about taste: a tenant's own, and those of tenants that share them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from recfleet.database import Connection
from recfleet.fleet.taste_evidence import FLEETS_NIGHTS, OWN_DAYS, read_taste_evidence
from recfleet.judging import Evidence, Likeness, TasteEvidence
from recfleet.record import Night, TenantNight
from recfleet.tenants import Policy
from tests.fleet.test_evidence import AS_OF, POLICY, write_night

pytestmark = pytest.mark.postgres


def _found(
    connection: Connection, tenant_id: str, days_before: float, gain: float, policy: Policy = POLICY
) -> None:
    taste = {"value": gain, "standard_error": 0.01, "customers": 30}
    numbers = {"offers": "both", "taste": taste}
    write_night(connection, days_before, tenant_id=tenant_id, policy=policy, numbers=numbers)


def _read(connection: Connection, tenant_id: str = "shop") -> TasteEvidence:
    row = TenantNight(tenant_id, "on", POLICY, None, None, None, None, None)
    return read_taste_evidence(connection, [row], Night(0, "tonight", AS_OF))[tenant_id]


def test_own_nights_count_one_by_one_and_others_once(connection: Connection) -> None:
    _found(connection, "shop", 7, 0.01)
    _found(connection, "other", 6, 0.02)
    _found(connection, "shop", 2, 0.03)
    _found(connection, "other", 1, 0.04)
    _found(connection, "shop", OWN_DAYS, 0.05)
    _found(connection, "shop", 0, 0.06)
    found = _read(connection)
    assert found.earlier == [Evidence(2, 0.03, 0.01, "both"), Evidence(7, 0.01, 0.01, "both")]
    assert found.others == [Likeness(30, 0.04, 0.01)]


def test_who_shares_nothing_gives_nothing_and_keeps_its_own(connection: Connection) -> None:
    _found(connection, "secret", 1, 0.02, Policy(shares_findings=False))
    assert _read(connection).others == []
    assert _read(connection, "secret").earlier == [Evidence(1, 0.02, 0.01, "both")]


def test_only_the_last_nights_of_the_fleet_are_read(connection: Connection) -> None:
    _found(connection, "old", FLEETS_NIGHTS + 1, 0.02)
    for night in range(FLEETS_NIGHTS):
        write_night(connection, night + 1, tenant_id="other", numbers={})
    assert _read(connection).others == []


def test_nights_of_named_tenants_push_nobody_out(connection: Connection) -> None:
    _found(connection, "other", 2, 0.02)
    for night in range(FLEETS_NIGHTS):
        write_night(connection, 0.1 * (night + 1), tenant_id="shop", numbers={})
    with connection.cursor() as cursor:
        cursor.execute(
            """update night set summary = '{"left_out": 1}' where as_of > %s""",
            (AS_OF - timedelta(days=1),),
        )
    assert _read(connection).others == [Likeness(30, 0.02, 0.01)]


def test_a_champion_needs_no_evidence(connection: Connection) -> None:
    assert read_taste_evidence(connection, [], Night(0, "tonight", AS_OF)) == {}
