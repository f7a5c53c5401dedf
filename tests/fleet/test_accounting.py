"""The cost of a shard's task is added up apart from its work, and written at its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recfleet.database import Connection, transaction
from recfleet.fleet.accounting import accounted
from recfleet.record import ShardCost, ShardRun, Step, end_shard_run, open_night, was_shard_begun
from tests.nights import query

AS_OF = datetime(2026, 3, 2, tzinfo=UTC)
WRITTEN = (
    "select tenants, failed, import_seconds, overhead_seconds ? 'prepare', peak_mb > 0, "
    "finished_at is not null from shard_run"
)

pytestmark = pytest.mark.postgres


@pytest.fixture
def run(connection: Connection) -> ShardRun:
    with transaction(connection):
        night = open_night(connection, "night", None, AS_OF)
    return ShardRun(night.night_id, "publish", 0, 1)


def test_a_run_that_ends_is_written_with_its_cost(connection: Connection, run: ShardRun) -> None:
    with accounted(connection, run) as accounts:
        accounts.imported("mlflow", 2.5)
        with accounts.overhead("prepare"):
            pass
        accounts.did([Step("published"), Step("failed")])

    assert query(connection, WRITTEN) == [(2, 1, {"mlflow": 2.5}, True, True, True)]


def test_a_run_that_raises_was_begun_and_has_no_end(connection: Connection, run: ShardRun) -> None:
    assert not was_shard_begun(connection, run.night_id, "publish", 0)

    with pytest.raises(OSError, match="disk"), accounted(connection, run):
        raise OSError("disk")

    assert was_shard_begun(connection, run.night_id, "publish", 0)
    assert query(connection, "select finished_at from shard_run") == [(None,)]


def test_sums_of_children_keep_the_overhead_of_the_last(
    connection: Connection, run: ShardRun
) -> None:
    with accounted(connection, run) as accounts, accounts.overhead("prepare"):
        pass
    began = datetime.now(UTC) - timedelta(hours=1)

    with transaction(connection):
        cost = ShardCost(tenants=7, failed=1, import_seconds={"mlflow": 5.0}, peak_mb=9.0)
        end_shard_run(connection, run, cost, began=began)

    assert query(connection, WRITTEN) == [(7, 1, {"mlflow": 5.0}, True, True, True)]
    assert query(connection, "select started_at from shard_run") == [(began,)]
