"""Storing results in recfleet's database."""

from __future__ import annotations

import json
from collections.abc import Sequence

from recfleet.database import Connection, copy_rows
from recfleet.quality._result import Result

_COLUMNS = (
    "night_id", "tenant_id", "expectation", "severity", "success", "observed", "expected", "usual",
    "sample",
)  # fmt: skip


def store_results(connection: Connection, night_id: int, results: Sequence[Result]) -> None:
    """Write a shard's results of a night, by COPY; the caller commits.

    Safe to run twice, even at the same time: it overwrites existing rows, and deletes rows of
    expectations that the tenants' suite no longer has.

    Args:
        connection: an open connection.
        night_id: the night's number in the ledger.
        results: all results of each of these tenants.
    """
    if not results:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "create temporary table arriving_result (like quality_result including defaults) "
            "on commit drop"
        )
        rows = sorted(results, key=lambda result: (result.tenant_id, result.expectation))
        copy_rows(
            connection, "arriving_result", _COLUMNS, (_row(night_id, result) for result in rows)
        )
        cursor.execute(
            "delete from quality_result as old where night_id = %s "
            "and tenant_id in (select tenant_id from arriving_result) and not exists "
            "(select from arriving_result as new where new.tenant_id = old.tenant_id "
            "and new.expectation = old.expectation)",
            (night_id,),
        )
        cursor.execute(
            "insert into quality_result select * from arriving_result "
            "order by tenant_id, expectation "
            "on conflict (night_id, tenant_id, expectation) do update set "
            "severity = excluded.severity, success = excluded.success, "
            "observed = excluded.observed, expected = excluded.expected, usual = excluded.usual, "
            "sample = excluded.sample"
        )
        cursor.execute("drop table arriving_result")


def has_results(connection: Connection, night_id: int) -> bool:
    """Whether a night validated any tenant."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from quality_result where night_id = %s)", (night_id,)
        )
        [(has_some,)] = cursor.fetchall()
    return bool(has_some)


def delete_results(connection: Connection, night_id: int) -> int:
    """Delete a night's results; returns how many. The caller commits."""
    with connection.cursor() as cursor:
        cursor.execute("delete from quality_result where night_id = %s", (night_id,))
        return cursor.rowcount


def delete_docs(connection: Connection, night_id: int) -> int:
    """Delete a night's pages of Data Docs; returns how many. The caller commits."""
    with connection.cursor() as cursor:
        cursor.execute("delete from data_docs where night_id = %s", (night_id,))
        return cursor.rowcount


def delete_quality_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete a tenant's results and pages of Data Docs of all nights; the caller commits.

    Returns:
        What was deleted -> how many.
    """
    counts: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute("delete from quality_result where tenant_id = %s", (tenant_id,))
        counts["results of expectations"] = cursor.rowcount
        cursor.execute("delete from data_docs where tenant_id = %s", (tenant_id,))
        counts["pages of data docs"] = cursor.rowcount
    return counts


def forget_samples_of_customer(
    connection: Connection, tenant_id: str, customer_id: str
) -> dict[str, int]:
    """Delete samples of lines that name a customer, and all of the tenant's Data Docs.

    The caller commits.

    Returns:
        What was deleted -> how many.
    """
    counts: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "update quality_result set sample = null where tenant_id = %s "
            "and strpos(sample::text, to_json(%s::text)::text) > 0",
            (tenant_id, customer_id),
        )
        counts["samples of lines"] = cursor.rowcount
        cursor.execute("delete from data_docs where tenant_id = %s", (tenant_id,))
        counts["pages of data docs"] = cursor.rowcount
    return counts


def _row(night_id: int, result: Result) -> tuple[object, ...]:
    sample = None if result.sample is None else json.dumps(result.sample, allow_nan=False)
    return (
        night_id,
        result.tenant_id,
        result.expectation,
        result.severity,
        result.success,
        result.observed,
        result.expected,
        result.usual,
        sample,
    )
