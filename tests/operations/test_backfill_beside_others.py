"""Backfills beside tonight's fleet, and housekeeping after them."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from recfleet.database import Connection
from recfleet.housekeeping.keep_house import keep_house
from recfleet.registry import ArtifactStore, Registry
from recfleet.settings import RegistrySettings, forget_settings
from tests.aging import days_pass
from tests.backfills import nights, run_backfill
from tests.nights import START, WEEK, outcomes, query, run_night, shop

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

DAY = timedelta(days=1)
FIRST = START + 12 * WEEK - timedelta(hours=1)
TURNED = START + 20 * WEEK
ROOT = Path(__file__).parents[2]
BACKFILL = """
from datetime import datetime
from tests.backfills import run_backfill
run_backfill("range", ["shop"], datetime.fromisoformat("{first}"), datetime.fromisoformat("{last}"),
             promote=True)
"""


def _registry(stack: RegistrySettings) -> Registry:
    return Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))


def test_a_promoting_backfill_and_the_fleet_at_once(
    connection: Connection, stack: RegistrySettings
) -> None:
    """In either order, tonight's lists are live, and both stores have the same champion."""
    shop(connection, "shop")
    run_night("first", FIRST)
    shop(connection, "shop", weeks=range(12, 21), shuffled=True)

    # Not a fork: it would share this process's connections to MLflow's database.
    child = subprocess.Popen(
        [sys.executable, "-c", BACKFILL.format(first=TURNED - 2 * DAY, last=TURNED)], cwd=ROOT
    )
    try:
        while child.poll() is None and not nights(connection, "range", "shop"):
            time.sleep(0.1)
        run_night("tonight", TURNED + DAY)
    finally:
        status = child.wait()

    assert status == 0
    assert outcomes(connection, "tonight")["shop"] in {"promoted", "kept", "unchanged"}
    found = nights(connection, "range", "shop")
    assert [row[2] for row in found[:2]] == ["backfilled", "backfilled"]
    assert found[2][2] in {"promoted", "kept", "unchanged"}
    [(as_of, version)] = query(
        connection,
        "select as_of, champion.version from live_release join release using (release_id) "
        "join champion on champion.tenant_id = 'shop' and role = 'champion'",
    )
    # A night that finds another champion than the one it judged against leaves the live lists.
    stayed = outcomes(connection, "tonight")["shop"] == "unchanged"
    assert as_of == (TURNED if stayed else TURNED + DAY)
    assert version > 1
    assert _registry(stack).aliases("shop").champion == version
    assert query(connection, "select count(*) from ledger where intent is not null") == [(0,)]


def test_what_housekeeping_takes_away(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions that were only made for a trial's lists go with them, and displace no others."""
    monkeypatch.setenv("RECFLEET_KEEP_VERSIONS", "2")
    forget_settings()
    shop(connection, "shop")
    run_night("first", FIRST)
    run_backfill("range", ["shop"], FIRST - 2 * DAY, FIRST)
    assert len(_registry(stack).versions("shop")) == 4
    partitions = (
        "select count(*) from pg_inherits where inhparent = 'recfleet.recommendation'::regclass"
    )
    assert query(connection, partitions) == [(2,)]
    live = query(connection, "select * from live_recommendation order by customer_id, rank")

    keep_house("lists")
    keep_house("models")
    assert len(_registry(stack).versions("shop")) == 4

    days_pass(connection, stack, 1000)
    connection.rollback()
    assert keep_house("lists").gone["nights' lists"] == 4
    keep_house("models")
    keep_house("records")

    assert [version.version for version in _registry(stack).versions("shop")] == [1]
    assert query(connection, partitions) == [(1,)]
    assert query(connection, "select kind from night") == [("fleet",)]
    assert live == query(connection, "select * from live_recommendation order by customer_id, rank")
    assert run_backfill("again", ["shop"], FIRST, FIRST).outcomes == {"backfilled": 1}
