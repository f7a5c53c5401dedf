from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from recfleet.database import Connection, connect, transaction
from recfleet.quality import Result, store_results, validate
from tests.quality.shops import AS_OF, SUITES, Shop

pytestmark = pytest.mark.postgres

MISSING = Result(
    tenant_id="tea-shop",
    expectation="customers-missing",
    severity="critical",
    success=False,
    observed=0.61,
    expected="at most 60%",
    usual=0.02,
    sample=[{"at": "2025-06-02T00:00:00+00:00", "product_id": 'it\'s "odd"\n,\t\\N{}'}],
)
FALL = Result("tea-shop", "volume-fall", "critical", success=True, observed=None, expected="…")


@pytest.fixture
def night_id(connection: Connection) -> int:
    with transaction(connection):
        return _night(connection, "first")


def _night(connection: Connection, run_id: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into night (run_id, as_of) values (%s, %s) returning night_id", (run_id, AS_OF)
        )
        (night_id,) = cursor.fetchone() or (0,)
    return int(night_id)


def _stored(connection: Connection, night_id: int) -> list[Result]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, expectation, severity, success, observed, expected, usual, sample "
            "from quality_result where night_id = %s order by tenant_id, expectation",
            (night_id,),
        )
        return [Result(*row) for row in cursor]


def test_what_is_stored_is_what_was_found(connection: Connection, night_id: int) -> None:
    store_results(connection, night_id, [FALL, MISSING])

    assert _stored(connection, night_id) == [MISSING, FALL]


def test_a_validation_is_stored_whole(connection: Connection, night_id: int) -> None:
    Shop.steady().add_unusable(9, "no product").write(connection)
    results = validate(connection, ["tea-shop", "nobody"], AS_OF, SUITES).results

    store_results(connection, night_id, results)

    assert _stored(connection, night_id) == sorted(
        results, key=lambda result: (result.tenant_id, result.expectation)
    )


def test_storing_again_changes_nothing(connection: Connection, night_id: int) -> None:
    for _ in range(2):
        store_results(connection, night_id, [MISSING, FALL])

    assert _stored(connection, night_id) == [MISSING, FALL]


def test_the_last_word_counts(connection: Connection, night_id: int) -> None:
    store_results(connection, night_id, [MISSING, FALL])
    better = replace(MISSING, severity="warning", success=True, observed=0.1, sample=None)

    store_results(connection, night_id, [replace(better, expected="at most 61%")])

    assert _stored(connection, night_id) == [replace(better, expected="at most 61%")]


def test_others_stay_as_they_are(connection: Connection, night_id: int) -> None:
    other_night = _night(connection, "second")
    other_tenant = replace(MISSING, tenant_id="coffee-shop")
    store_results(connection, night_id, [MISSING, FALL, other_tenant])
    store_results(connection, other_night, [MISSING, FALL])

    store_results(connection, night_id, [FALL])

    assert _stored(connection, night_id) == [other_tenant, FALL]
    assert _stored(connection, other_night) == [MISSING, FALL]


def test_nothing_to_store(connection: Connection, night_id: int) -> None:
    store_results(connection, night_id, [MISSING])

    store_results(connection, night_id, [])

    assert _stored(connection, night_id) == [MISSING]


def test_the_caller_commits(connection: Connection, night_id: int) -> None:
    store_results(connection, night_id, [MISSING])
    connection.rollback()

    assert _stored(connection, night_id) == []


def test_a_ghost_that_stores_the_same_does_no_harm(
    connection: Connection, night_id: int, database_url: str
) -> None:
    store_results(connection, night_id, [MISSING, FALL])
    failures: list[Any] = []

    def ghost() -> None:
        other = connect(database_url)
        try:
            with transaction(other):
                store_results(other, night_id, [FALL, MISSING])
        except Exception as error:
            failures.append(error)
        finally:
            other.close()

    thread = threading.Thread(target=ghost)
    thread.start()
    thread.join(timeout=0.3)
    assert thread.is_alive()
    connection.commit()
    thread.join()

    assert failures == []
    assert _stored(connection, night_id) == [MISSING, FALL]
