"""A whole night through Airflow's own task runner, by ``dag.test()``."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from recfleet.database import Connection
from recfleet.quality import read_docs
from recfleet.settings import RegistrySettings
from tests.aging import days_pass
from tests.dags.conftest import RunPython
from tests.nights import START, WEEK, outcomes, query, run_night, shop

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.mlflow, pytest.mark.slow]

RUN = """
import json, os
from airflow.dag_processing.dagbag import DagBag
dags = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags
dag = dags[os.environ.get("DAG", "nightly_fleet")]
run = dag.test(run_conf=json.loads(os.environ["CONF"]))
print(json.dumps({
    "state": run.state,
    "run_id": run.run_id,
    "tasks": {f"{t.task_id}[{t.map_index}]": [t.state, t.rendered_map_index]
              for t in run.get_task_instances()},
}))
"""

HOUSEKEEPING = (
    RUN
    + """
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
said = XComModel.get_many(
    run_id=run.run_id, dag_ids=[dag.dag_id], task_ids=["summary"], key="return_value"
)
with create_session() as session:
    text = XComModel.deserialize_value(session.scalars(said).one())
print(json.dumps({"state": run.state, "said": text}))
"""
)


def test_a_night_from_plan_to_close(
    connection: Connection, stack: RegistrySettings, run_python: RunPython
) -> None:
    shop(connection, "alpha")
    shop(connection, "beta", seed=1)
    shop(connection, "gamma", customers=5)
    as_of = START + 12 * WEEK

    run = json.loads(run_python(RUN, CONF=json.dumps({"as_of": as_of.isoformat()})))

    assert run["state"] == "success"
    assert outcomes(connection, run["run_id"]) == {
        "alpha": "first model",
        "beta": "first model",
        "gamma": "too thin",
    }
    names = {task: name for task, (state, name) in run["tasks"].items() if name}
    assert run["tasks"].pop("ask_people[-1]")[0] == "skipped", "no request is waiting"
    assert {state for state, _ in run["tasks"].values()} == {"success"}
    assert len(run["tasks"]) == 4 + 3 * 2
    summary = read_docs(connection, query(connection, "select night_id from night")[0][0], None)
    assert summary is not None
    assert "Data quality of 3 tenants" in summary
    assert sorted(name for task, name in names.items() if task.startswith("publish")) == [
        "shard 0 · 2 tenants",
        "shard 1 · 1 tenant",
    ]
    assert query(connection, "select count(distinct tenant_id) from live_recommendation") == [(3,)]


def test_a_conf_with_an_unknown_tenant_fails_the_run_and_says_why(
    connection: Connection, stack: RegistrySettings, run_python: RunPython
) -> None:
    shop(connection, "alpha")
    conf = {"tenants": ["alfa"], "as_of": (START + timedelta(weeks=12)).isoformat()}
    run = json.loads(run_python(RUN, CONF=json.dumps(conf)))
    assert run["state"] == "failed"
    assert query(connection, "select count(*) from night") == [(0,)]


def test_housekeeping_says_in_words_what_it_did(
    connection: Connection, stack: RegistrySettings, run_python: RunPython
) -> None:
    shop(connection, "alpha")
    run_night("first", START + 12 * WEEK)
    run_night("second", START + 12 * WEEK, {"tenants": ["alpha"]})
    days_pass(connection, stack, 1000)
    connection.rollback()

    run = json.loads(run_python(HOUSEKEEPING, CONF="{}", DAG="fleet_housekeeping"))

    assert run["state"] == "success"
    assert [line.partition(" gone")[0] for line in run["said"].splitlines()] == [
        "lists",
        "models: nothing past retention; kept past retention (runs: champion: 1, runs: where the "
        "next fit begins: 1)",
        "records",
        "files: nothing past retention",
    ]
    assert query(connection, "select count(*) from release") == [(1,)]


def test_past_the_tolerated_share_the_run_fails_and_what_was_published_stays(
    connection: Connection, stack: RegistrySettings, run_python: RunPython
) -> None:
    shop(connection, "good", customers=10)
    as_of = START + timedelta(weeks=12)
    run_night("before", as_of)
    live = query(connection, "select * from live_release")
    shop(connection, "bad", customers=10)
    with connection.cursor() as cursor:
        cursor.execute("update tenant set policy = '{\"x\": 1}' where tenant_id = 'bad'")
    connection.commit()

    run = json.loads(run_python(RUN, CONF=json.dumps({"as_of": as_of.isoformat()})))

    assert run["state"] == "failed"
    assert run["tasks"]["close[-1]"][0] == "failed"
    assert outcomes(connection, run["run_id"]) == {"good": "unchanged", "bad": "failed"}
    assert query(connection, "select * from live_release") == live


def test_rolling_back_by_a_dag(
    connection: Connection, stack: RegistrySettings, run_python: RunPython
) -> None:
    shop(connection, "turning", seed=1)
    run_night("first", START + 12 * WEEK)
    shop(connection, "turning", seed=1, weeks=range(12, 20), shuffled=True)
    run_night("second", START + 20 * WEEK)
    conf = {"tenants": ["turning"], "reason": "a feed broke"}

    run = json.loads(run_python(RUN, CONF=json.dumps(conf), DAG="tenant_rollback"))

    assert run["state"] == "success"
    assert query(connection, "select version from champion") == [(1,)]
    assert query(
        connection,
        "select kind, from_version, to_version, reason, actor <> 'scheduler' from promotion "
        "order by promotion_id desc limit 1",
    ) == [("rollback", 2, 1, "a feed broke", True)]

    again = json.loads(run_python(RUN, CONF=json.dumps(conf), DAG="tenant_rollback"))
    assert again["state"] == "failed", "there is no previous version any more"
