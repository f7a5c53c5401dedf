"""Choosing tenants by ids and conditions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from recfleet.database import Connection
from recfleet.errors import BadInputError, UnknownTenantError
from recfleet.operations.choose import FIELDS, choose_tenants, parse_condition
from recfleet.record import Planned, open_night, write_plan
from recfleet.tenants import add_tenants
from tests.nights import START

pytestmark = pytest.mark.postgres


@pytest.fixture
def fleet(connection: Connection) -> None:
    """Four tenants after a night of the fleet and, for one of them, a trial after it."""
    names = {"apple": "Apple & Sons", "berry": "Berry", "cherry": "100% Cherry", "new": "New"}
    add_tenants(connection, names)
    with connection.cursor() as cursor:
        cursor.execute("update tenant set mode = 'frozen' where tenant_id in ('berry', 'cherry')")
        cursor.execute("update tenant set mode = 'off' where tenant_id = 'new'")
    night = open_night(connection, "one", None, START)
    rows = {"apple": "kept", "berry": "frozen", "cherry": "failed"}
    write_plan(
        connection,
        night,
        [
            Planned(name, "on", 0, 1.0, "", state="unchanged", outcome=outcome, reason=f"so {name}")  # type: ignore[arg-type]
            for name, outcome in rows.items()
        ],
    )
    trial = open_night(
        connection, "two", None, START + timedelta(days=1), kind="backfill", backfill="two"
    )
    write_plan(
        connection,
        trial,
        [Planned("apple", "on", 0, 1.0, "", state="unchanged", outcome="backfilled")],
    )
    connection.commit()


@pytest.mark.parametrize(
    ("named", "conditions", "meant"),
    [
        (["cherry", "apple", "apple"], [], ["apple", "cherry"]),
        ([], ["mode=frozen"], ["berry", "cherry"]),
        ([], ["mode=frozen, off"], ["berry", "cherry", "new"]),
        ([], ["mode!=frozen"], ["apple", "new"]),
        ([], ["mode!=frozen,off"], ["apple"]),
        (["apple", "berry"], ["mode=frozen"], ["berry"]),
        ([], ["mode=frozen", "outcome=failed"], ["cherry"]),
        ([], ["outcome=kept"], ["apple"]),
        ([], ["outcome=nothing"], ["new"]),
        ([], ["outcome != nothing"], ["apple", "berry", "cherry"]),
        ([], ["served_by=nothing"], ["apple", "berry", "cherry", "new"]),
        ([], ["name~% c"], ["cherry"]),
        ([], ["name~APPLE &"], ["apple"]),
        ([], ["name=100% Cherry"], ["cherry"]),
        ([], ["reason~so b"], ["berry"]),
        ([], ["id~rr"], ["berry", "cherry"]),
    ],
)
def test_who_is_meant(
    connection: Connection, fleet: None, named: list[str], conditions: list[str], meant: list[str]
) -> None:
    found = choose_tenants(connection, named, [parse_condition(text) for text in conditions])

    assert found == meant


def test_all_that_are_missing_are_named(connection: Connection, fleet: None) -> None:
    with pytest.raises(UnknownTenantError, match=r"'aple', 'pear'.*mean 'apple'"):
        choose_tenants(connection, ["pear", "apple", "aple"])


def test_somebody_must_be_meant(connection: Connection, fleet: None) -> None:
    with pytest.raises(BadInputError, match="Say which tenants"):
        choose_tenants(connection, [])
    for text in ("served_by=model", "name~'; drop table tenant --"):
        with pytest.raises(BadInputError, match="No tenant fits"):
            choose_tenants(connection, [], [parse_condition(text)])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mode", "no condition.*The fields are id, name, mode"),
        ("modus=on", "no field 'modus'. Did you mean 'mode'"),
        ("mode=of", "mode is ever 'of': it is one of on, frozen, off"),
        ("outcome=kept,keept", "'keept'.*promoted(?!.*backfilled)"),
    ],
)
def test_what_is_no_condition(text: str, sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        parse_condition(text)


def test_every_field_can_be_asked_for(connection: Connection, fleet: None) -> None:
    for name in FIELDS:
        condition = parse_condition(f"{name}~")
        assert choose_tenants(connection, [], [condition]) == ["apple", "berry", "cherry", "new"]
