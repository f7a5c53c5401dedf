"""The columns that views for reading add to the tables."""

from __future__ import annotations

from typing import Any

import pytest

from recfleet.database import Connection
from recfleet.releases import create_partition

pytestmark = pytest.mark.postgres


def _all(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


def _night(connection: Connection, run_id: str, **columns: str) -> int:
    given = {"run_id": f"'{run_id}'", "as_of": "'2026-01-05Z'", **columns}
    names, values = ", ".join(given), ", ".join(given.values())
    [(number,)] = _all(
        connection, f"insert into night ({names}) values ({values}) returning night_id"
    )
    return int(number)


def _ask(connection: Connection, tenant_id: str, night_id: int, **columns: str) -> None:
    given = {
        "tenant_id": f"'{tenant_id}'", "night_id": str(night_id), "change": "'promotion'",
        "version": "3", "run_id": "'r3'", "held_by": "'policy'",
        "expires_at": "now() + interval '1 hour'", **columns,
    }  # fmt: skip
    names, values = ", ".join(given), ", ".join(given.values())
    _all(connection, f"insert into approval ({names}) values ({values})")


def test_a_night_of_named_tenants_is_not_of_the_fleet(connection: Connection) -> None:
    _night(connection, "whole")
    _night(connection, "named", summary="""'{"left_out": 7}'""")
    _night(connection, "try", kind="'backfill'", backfill="'asked'", is_trial="true")

    found = _all(
        connection,
        "select run_id, airflow_run, is_of_fleet, left_out from night_overview order by night_id",
    )

    assert found == [
        ("whole", "whole", True, None), ("named", "named", False, 7), ("try", "asked", False, None),
    ]  # fmt: skip


def test_a_request_is_open_while_it_waits_and_has_not_expired(connection: Connection) -> None:
    night = _night(connection, "one")
    _ask(connection, "asked", night)
    _ask(connection, "late", night, expires_at="now() - interval '1 second'")
    _ask(connection, "told", night, status="'approved'", decided_at="now()")

    found = _all(
        connection, "select tenant_id, is_open, night_run_id from approval_request order by 1"
    )

    assert found == [("asked", True, "one"), ("late", False, "one"), ("told", False, "one")]


def test_a_champion_is_in_force_with_the_one_before_it(connection: Connection) -> None:
    night = _night(connection, "one")
    _all(
        connection,
        "insert into champion (tenant_id, role, version, run_id, model_uri, train_end, night_id, "
        "promoted_at) values "
        f"('a', 'champion', 2, 'r2', 'u2', now(), {night}, '2026-02-01Z'), "
        "('a', 'previous', 1, 'r1', 'u1', now(), null, '2026-01-01Z'), "
        "('b', 'champion', 1, 'r1', 'u1', now(), null, '2026-01-01Z')",
    )

    found = _all(
        connection,
        "select tenant_id, version, previous_version, since::date::text from in_force order by 1",
    )

    assert found == [("a", 2, 1, "2026-01-05"), ("b", 1, None, "2026-01-01")]


def test_a_model_that_waits_is_on_record_with_its_files(connection: Connection) -> None:
    night = _night(connection, "one")
    _all(
        connection,
        "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, "
        f"challenger) values ({night}, 'known', 'on', '{{}}', 0, 0, '', "
        """'{"run_id": "r3", "model_uri": "u3"}'), """
        f"({night}, 'other', 'on', '{{}}', 0, 0, '', "
        """'{"run_id": "r4", "model_uri": "u4"}')""",
    )
    _ask(connection, "known", night)
    _ask(connection, "other", night)
    _ask(connection, "ended", night, status="'rejected'", decided_at="now()")

    found = _all(
        connection, "select tenant_id, role, version, model_uri from model_on_record order by 1"
    )

    assert found == [("known", "waiting", 3, "u3"), ("other", "waiting", 3, None)]


def test_a_live_release_tells_of_its_checks_and_its_lists(connection: Connection) -> None:
    night = _night(connection, "one")
    create_partition(connection, night)
    _all(connection, "insert into tenant (tenant_id, name) values ('a', 'A'), ('b', 'B')")
    for number, (tenant_id, checks) in enumerate(
        {"a": "[]", "b": '[{"passed": true}, {"passed": false}]'}.items(), 1
    ):
        _all(
            connection,
            "insert into release (tenant_id, night_id, served_by, as_of, fingerprint, customers, "
            "from_model, popular_products, popular_scores, checks) values "
            f"('{tenant_id}', {night}, 'popularity', now(), '', 1, 0, '{{}}', '{{}}', '{checks}')",
        )
        _all(
            connection,
            f"insert into live_release (tenant_id, release_id, night_id) "
            f"values ('{tenant_id}', {number}, {night})",
        )
    _all(
        connection,
        "insert into recommendation (night_id, release_id, customer_id, products, scores, source) "
        f"values ({night}, 1, 'c', '{{}}', '{{}}', 'popular')",
    )

    for view in ("live", "release_overview"):
        columns = "tenant_id, is_unchecked, has_failed, written, airflow_run"
        assert _all(connection, f"select {columns} from {view} order by 1") == [
            ("a", True, False, 1, "one"), ("b", False, True, 0, "one"),
        ]  # fmt: skip


def test_a_finding_says_whether_data_docs_show_it(connection: Connection) -> None:
    night = _night(connection, "one")
    _all(
        connection,
        "insert into quality_result (night_id, tenant_id, expectation, severity, success) values "
        f"({night}, 'a', 'x', 'critical', false), ({night}, 'b', 'x', 'critical', false)",
    )
    _all(connection, f"insert into data_docs values ({night}, 'a', ''), ({night}, null, '')")

    found = _all(connection, "select tenant_id, has_docs from quality_finding order by 1")

    assert found == [("a", True), ("b", False)]
