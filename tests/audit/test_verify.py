"""The audit refuses changes, and verification finds changes that were made anyway."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recfleet.audit import (
    Entry,
    ModeFacts,
    PolicyFacts,
    RepairFacts,
    append_entries,
    parse_head,
    read_entries,
    read_head,
)
from recfleet.database import Connection, connect
from recfleet.errors import BadInputError
from recfleet.judging import Numbers
from recfleet.operations.audit import verify
from recfleet.operations.policies import parse_changes, set_policies
from tests.nights import query
from tests.roles import administrator

pytestmark = pytest.mark.postgres


def _write(connection: Connection, *texts: str) -> None:
    entries = [
        Entry(
            "policy",
            "alpha",
            "mara",
            text,
            facts=PolicyFacts.model_validate({"from": {}, "to": {"n": place}}),
        )
        for place, text in enumerate(texts)
    ]
    append_entries(connection, entries)
    connection.commit()


@pytest.fixture
def five(connection: Connection) -> Connection:
    """A database whose audit has five entries."""
    _write(connection, "one", "two", "three", "four", "five")
    return connection


@pytest.fixture
def owner(five: Connection) -> Iterator[Connection]:
    """A connection to the same database as its owner."""
    with administrator(five) as connection:
        with connection.cursor() as cursor:
            cursor.execute("set role recfleet_owner")
        connection.commit()
        yield connection
        connection.rollback()


def _tamper(owner: Connection, *statements: str) -> None:
    """Change the audit as the owner of the database could, past its refusal."""
    with owner.cursor() as cursor:
        cursor.execute("alter table audit disable trigger append_only")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("alter table audit enable always trigger append_only")
    owner.commit()


def _faults(connection: Connection, head: str | None = None) -> list[str]:
    connection.rollback()
    chain = verify(connection, noted=parse_head(head) if head else None)
    return [fault.what for fault in chain.faults]


def test_a_whole_audit_is_whole(five: Connection) -> None:
    chain = verify(five)
    assert chain.faults == ()
    assert chain.entries == 5
    assert chain.head == read_head(five)
    assert chain.head is not None
    assert chain.head.number == 5
    five.rollback()
    assert _faults(five, str(chain.head)) == []
    _write(five, "six")
    assert _faults(five, str(chain.head)) == []
    assert _faults(five, f"{chain.head.number}:{chain.head.hash[:16]}") == []


def test_an_empty_audit_is_whole_unless_it_was_not_empty(connection: Connection) -> None:
    chain = verify(connection)
    assert (chain.entries, chain.head, chain.faults) == (0, None, ())
    [fault] = _faults(connection, f"3:{'a' * 64}")
    assert fault.startswith("The audit is empty, but entry 3 was noted as its head")


@pytest.mark.parametrize(
    "statement",
    [
        "update audit set reason = 'x' where audit_id = 2",
        "update audit set reason = 'x' where false",
        "delete from audit where audit_id = 5",
        "truncate audit",
        "insert into audit (audit_id, happened_at, kind, actor, reason, previous_hash, hash) "
        "values (9, now(), 'policy', 'x', 'x', '', 'x') on conflict (audit_id) "
        "do update set reason = 'x'",
    ],
)
def test_the_database_refuses_changes(five: Connection, owner: Connection, statement: str) -> None:
    with (
        pytest.raises(psycopg2.errors.RaiseException, match=r"recfleet\.audit is append-only"),
        owner.cursor() as cursor,
    ):
        cursor.execute(statement)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), five.cursor() as cursor:
        cursor.execute(statement)
    assert _faults(five) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("alter table audit disable trigger append_only", "append_only.* is switched off"),
        ("alter table audit enable trigger chain", "chain.* is switched off, or can be"),
        ("drop trigger chain on audit", "chain.* is missing"),
        (
            "create or replace trigger append_only before delete on audit "
            "for each statement execute function refuse_change()",
            "append_only .* is not the one that refuses changes",
        ),
        (
            "create or replace function chain_audit() returns trigger language plpgsql as "
            "'begin return new; end'",
            "chain .* is not the one that chains new entries",
        ),
        (
            "create trigger lose before insert on audit "
            "for each row execute function chain_audit()",
            "a trigger that recfleet did not make: lose",
        ),
    ],
)
def test_triggers_that_are_not_as_they_were_made_are_found(
    five: Connection, owner: Connection, statement: str, found: str
) -> None:
    with pytest.raises(psycopg2.Error), five.cursor() as cursor:
        cursor.execute(statement)
    assert _faults(five) == []
    with owner.cursor() as cursor:
        cursor.execute(statement)
    owner.commit()
    [fault] = _faults(five)
    assert re.search(found, fault)


def test_nobody_chooses_number_or_hash(five: Connection) -> None:
    with five.cursor() as cursor:
        cursor.execute(
            "insert into audit (audit_id, happened_at, kind, actor, reason, previous_hash, hash) "
            "values (99, now(), 'policy', 'mara', 'x', 'forged', 'forged')"
        )
    five.commit()
    assert _faults(five) == []
    assert [entry.audit_id for entry in read_entries(five)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ("reason = 'another'", 2),
        ("actor = 'somebody'", 1),
        ("happened_at = happened_at + interval '1 microsecond'", 5),
        ("tenant_id = 'berry'", 3),
        ("kind = 'mode'", 3),
        ("facts = '{}'", 4),
        ("numbers = '{\"rmse\": 0.1}'", 4),
        ("to_version = 7", 4),
        ("from_version = 7", 4),
        ("hash = repeat('0', 64)", 5),
    ],
)
def test_a_changed_entry_is_found(
    five: Connection, owner: Connection, change: str, number: int
) -> None:
    _tamper(owner, f"update audit set {change} where audit_id = {number}")
    assert f"Entry {number} was changed: its hash is not of what it says." in _faults(five)


def _keep_telling(connection: Connection, function: str) -> None:
    """Change an entry, and let the database's function tell the text that it had."""
    [(old,)] = query(connection, "select audit_text(audit) from audit where audit_id = 2")
    connection.rollback()
    _tamper(
        connection,
        "create table old_text as select audit_id, audit_text(audit) as text from audit",
        "create or replace function audit_text(entry audit) returns text language sql stable "
        f"as $$ {function} $$",
        "update audit set reason = 'another' where audit_id = 2",
    )
    assert query(connection, "select audit_text(audit) from audit where audit_id = 2") == [(old,)]


def test_what_the_databases_functions_tell_does_not_count(
    five: Connection, owner: Connection
) -> None:
    head = str(read_head(five))
    _keep_telling(owner, "select text from old_text where old_text.audit_id = entry.audit_id")
    assert _faults(five, head) == ["Entry 2 was changed: its hash is not of what it says."]


def test_a_view_in_the_tables_place_is_found(five: Connection, owner: Connection) -> None:
    _tamper(owner)
    with owner.cursor() as cursor:
        cursor.execute("alter table audit rename to kept")
        cursor.execute("create view audit as select * from kept")
    owner.commit()
    [fault] = _faults(five)
    assert fault.startswith("The audit is not a plain table")


def test_a_column_of_another_type_is_found(five: Connection, owner: Connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute("create table plain as select * from audit")
        cursor.execute("alter table plain alter numbers type text")
        cursor.execute("alter table audit rename to kept")
        cursor.execute("alter table plain rename to audit")
    owner.commit()
    assert sum("was changed" in fault for fault in _faults(five)) == 5


def test_missing_entries_are_found(five: Connection, owner: Connection) -> None:
    _tamper(owner, "delete from audit where audit_id in (2, 3)")
    assert _faults(five) == ["Entries 2 to 3 are missing."]
    _tamper(owner, "delete from audit where audit_id = 1")
    assert _faults(five) == ["Entries 1 to 3 are missing."]


def test_an_end_that_was_cut_off_is_found_by_a_noted_head(
    five: Connection, owner: Connection
) -> None:
    head = str(read_head(five))
    _tamper(owner, "delete from audit where audit_id >= 4")
    assert _faults(five) == []  # Nothing within the database shows it.
    assert _faults(five, head) == [
        "The audit ends with entry 3, but entry 5 was noted as its head: the entries at its end "
        "are missing."
    ]
    _write(five, "another four", "another five")
    [fault] = _faults(five, head)
    assert fault.startswith("Entry 5 has another hash than you noted")


def test_entries_that_changed_places_are_found(five: Connection, owner: Connection) -> None:
    _tamper(
        owner,
        "update audit set audit_id = -2 where audit_id = 2",
        "update audit set audit_id = 2 where audit_id = 3",
        "update audit set audit_id = 3 where audit_id = -2",
    )
    faults = _faults(five)
    assert "Entry 2 was changed: its hash is not of what it says." in faults
    assert "Entry 3 was changed: its hash is not of what it says." in faults


def _forge(connection: Connection, number: int) -> None:
    """Change one entry, and its hash to the new text's."""
    change = f"update audit set reason = 'forged' where audit_id = {number}"
    [(text,)] = query(
        connection,
        'select audit_text(jsonb_populate_record(audit, \'{"reason": "forged"}\')) from audit '
        "where audit_id = %s",
        number,
    )
    connection.rollback()
    new = hashlib.sha256(text.encode()).hexdigest()
    _tamper(connection, change, f"update audit set hash = '{new}' where audit_id = {number}")


def test_a_forged_hash_breaks_the_chain(five: Connection, owner: Connection) -> None:
    _forge(owner, 2)
    [fault] = _faults(five)
    assert fault.startswith("Entry 3 does not follow from entry 2")


def test_a_forged_last_entry_is_found_by_a_noted_head(five: Connection, owner: Connection) -> None:
    head = str(read_head(five))
    _forge(owner, 5)
    assert _faults(five) == []
    [fault] = _faults(five, head)
    assert fault.startswith("Entry 5 has another hash than you noted")


@pytest.mark.parametrize("text", ["", "5", "5:", "5:xyz", "x:" + "a" * 64, "5:" + "a" * 15])
def test_what_is_no_head_is_said(text: str) -> None:
    with pytest.raises(BadInputError, match="is no head of the audit"):
        parse_head(text)


_texts = st.text(
    st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20
)


@given(
    reasons=st.lists(_texts, min_size=1, max_size=4),
    numbers=st.dictionaries(
        _texts, st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), _texts)
    ),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_written_can_be_verified(
    connection: Connection, reasons: list[str], numbers: dict[str, object]
) -> None:
    append_entries(
        connection,
        [
            Entry("repair", "alpha", "mara", reason, numbers=Numbers.model_validate(numbers))
            for reason in reasons
        ],
    )
    connection.commit()
    assert _faults(connection) == []


def test_the_hash_does_not_depend_on_the_sessions_zone(five: Connection) -> None:
    with five.cursor() as cursor:
        cursor.execute("set timezone = 'Asia/Kathmandu'")
    five.commit()
    _write(five, "six")
    assert _faults(five) == []
    with five.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'")
    five.commit()
    assert _faults(five) == []


def test_many_writers_at_once_make_one_chain(five: Connection, database_url: str) -> None:
    def write(number: int) -> None:
        own = connect(database_url)
        try:
            for turn in range(10):
                _write(own, f"{number}/{turn}", "and another")
        finally:
            own.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert _faults(five) == []
    assert len(read_entries(five)) == 5 + 6 * 10 * 2


def test_the_records_must_agree_with_the_audit(five: Connection) -> None:
    with five.cursor() as cursor:
        cursor.execute("insert into tenant (tenant_id, name) values ('alpha', 'Alpha')")
        cursor.execute(
            "insert into champion (tenant_id, role, version, run_id, model_uri, train_end) values "
            "('alpha', 'champion', 2, 'r', 'u', now()), ('berry', 'champion', 1, 'r', 'u', now())"
        )
    append_entries(
        five,
        [
            Entry("first model", "alpha", "scheduler", "better", to_version=1),
            Entry("promotion", "alpha", "scheduler", "better", from_version=1, to_version=2),
            Entry("first model", "berry", "scheduler", "better", to_version=1),
            Entry("mode", "alpha", "mara", "sale", facts=ModeFacts(former="on", new="frozen")),
            Entry("mode", "alpha", "mara", "over", facts=ModeFacts(former="frozen", new="on")),
        ],
    )
    five.commit()
    assert _faults(five) == []
    with five.cursor() as cursor:
        cursor.execute("update champion set version = 1 where tenant_id = 'alpha'")
        cursor.execute("delete from champion where tenant_id = 'berry'")
        cursor.execute(
            "insert into champion (tenant_id, role, version, run_id, model_uri, train_end) values "
            "('cherry', 'champion', 4, 'r', 'u', now())"
        )
        cursor.execute("update tenant set mode = 'off'")
        cursor.execute(
            "insert into tenant (tenant_id, name, mode) values "
            "('dora', 'Dora', 'frozen'), ('ella', 'Ella', 'on')"
        )
    five.commit()
    assert _faults(five) == [
        "alpha: entry 7 of the audit made version 2 champion, but version 1 is on record.",
        "berry: entry 8 of the audit made version 1 champion, but none is on record.",
        "cherry: version 4 is champion on record, but no entry of the audit made it so.",
        "alpha: entry 10 of the audit made it on, but on record it is off.",
        "dora: it is frozen on record, but no entry of the audit made it so.",
    ]


def _set_policy(connection: Connection, tenant_id: str, policy: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("update tenant set policy = %s where tenant_id = %s", (policy, tenant_id))
    connection.commit()
    return _faults(connection)


def test_policies_must_agree_with_the_audit(five: Connection) -> None:
    with five.cursor() as cursor:
        cursor.execute(
            "insert into tenant (tenant_id, name) values ('alpha', 'Alpha'), ('berry', 'Berry')"
        )
    five.commit()
    for change in (["approval=every", "recipe.factors=16"], ["approval=first"], ["approval="]):
        set_policies(five, ["alpha"], parse_changes(change), actor="mara", reason="asked for")
        assert _faults(five) == []
    assert _set_policy(five, "berry", '{"minimum_gain": 0}') == [
        "berry: its policy has minimum_gain 0 on record, but no entry of the audit made it so."
    ]
    assert _set_policy(five, "berry", "{}") == []
    assert _set_policy(five, "alpha", '{"approval": "none", "recipe": {"factors": 16}}') == [
        "alpha: its policy has approval as the fleet after entry 8 of the audit, but approval none "
        "on record."
    ]
    assert _set_policy(five, "alpha", '{"recipe": {"factors": 8}}') == [
        "alpha: its policy has recipe.factors 16 after entry 8 of the audit, but recipe.factors 8 "
        "on record."
    ]
    assert _set_policy(five, "alpha", "{}") == [
        "alpha: its policy has recipe.factors 16 after entry 8 of the audit, but recipe.factors as "
        "the fleet on record."
    ]


def test_a_repair_goes_on_from_the_policy_on_record(five: Connection) -> None:
    with five.cursor() as cursor:
        cursor.execute(
            "insert into tenant (tenant_id, name, policy) values "
            """('alpha', 'Alpha', '{"approval": "every", "recipe": {"factors": 8}}')"""
        )
    found = {"approval": "every", "recipe.factors": 8}
    append_entries(
        five,
        [Entry("repair", "alpha", "mara", "x", facts=RepairFacts(check="policies", policy=found))],
    )
    five.commit()
    assert _faults(five) == []
    set_policies(five, ["alpha"], parse_changes(["approval="]), actor="mara", reason="asked for")
    assert _faults(five) == []
