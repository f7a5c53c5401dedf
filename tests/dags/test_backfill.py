"""A whole backfill through Airflow's own task runner, by ``dag.test()``."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from recfleet.database import Connection
from recfleet.settings import RegistrySettings
from tests.backfills import nights
from tests.dags.conftest import RunPython
from tests.dags.test_whole_night import RUN
from tests.nights import START, WEEK, query, run_night, shop

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.mlflow, pytest.mark.slow]

FIRST = START + 12 * WEEK - timedelta(hours=1)
DAY = timedelta(days=1)


def _conf(**fields: Any) -> str:
    return json.dumps({"tenants": ["alpha", "thin"], **fields})


def test_a_backfill_from_plan_to_close(
    connection: Connection, stack: RegistrySettings, run_python: RunPython
) -> None:
    shop(connection, "alpha", weeks=range(13))
    shop(connection, "thin", customers=5, weeks=range(13))
    run_night("first", FIRST)
    in_force = query(connection, "select * from live_release order by 1")

    conf = _conf(**{"from": FIRST.isoformat(), "to": (FIRST + 3 * DAY).isoformat(), "step": 2})
    run = json.loads(run_python(RUN, CONF=conf, DAG="tenant_backfill"))

    assert run["state"] == "success"
    states = {task.partition("[")[0]: state for task, (state, _) in run["tasks"].items()}
    assert states == {
        "plan": "success",
        "replay": "success",
        "decide": "success",
        "publish": "skipped",
        "close": "success",
    }
    assert sorted(name for _, name in run["tasks"].values() if name) == [
        "shard 0 · 1 tenant · 2 nights",
        "shard 1 · 1 tenant · 2 nights",
    ]
    for tenant in ("alpha", "thin"):
        assert [row[:3] for row in nights(connection, run["run_id"], tenant)] == [
            (FIRST, True, "backfilled"),
            (FIRST + 2 * DAY, True, "backfilled"),
        ]
    assert query(connection, "select * from live_release order by 1") == in_force
    assert query(connection, "select distinct actor from audit where kind = 'backfill'") == [
        ("dag_test",)
    ]

    again = json.loads(run_python(RUN, CONF=conf, DAG="tenant_backfill"))
    assert again["state"] == "success"
    assert nights(connection, again["run_id"], "alpha") == []


def test_the_last_night_promotes_where_that_is_asked_for(
    connection: Connection, stack: RegistrySettings, run_python: RunPython
) -> None:
    shop(connection, "alpha")
    shop(connection, "thin", customers=5)
    conf = _conf(
        **{"from": (FIRST - DAY).isoformat(), "to": FIRST.isoformat()}, promote=True, actor="ann"
    )
    # The command line's own user may say on whose behalf it asks.
    user = {"RECFLEET_AIRFLOW_USERNAME": "dag_test"}
    run = json.loads(run_python(RUN, CONF=conf, DAG="tenant_backfill", **user))

    assert run["state"] == "success"
    assert {state for state, _ in run["tasks"].values()} == {"success"}
    assert nights(connection, run["run_id"], "alpha") == [
        (FIRST - DAY, True, "backfilled", "promote"),
        (FIRST, False, "first model", "promote"),
    ]
    assert query(connection, "select actor, kind from audit where tenant_id = 'alpha'") == [
        ("ann", "backfill"),
        ("ann", "first model"),
    ]


def test_a_conf_that_cannot_be_used_fails_the_run(
    connection: Connection, stack: RegistrySettings, run_python: RunPython
) -> None:
    shop(connection, "alpha")
    conf = json.dumps({"tenants": ["alpha"], "from": "2026-03-02", "to": "2026-03-01"})
    run = json.loads(run_python(RUN, CONF=conf, DAG="tenant_backfill"))
    assert run["state"] == "failed"
    assert run["tasks"]["plan[-1]"][0] == "failed"
    assert query(connection, "select count(*) from night") == [(0,)]
