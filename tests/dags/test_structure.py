"""The DAGs as Airflow reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.dags.conftest import RunPython

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.slow]

DESCRIBE = """
import json, os
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
dag = bag.dags[os.environ.get("DAG", "nightly_fleet")]
print(json.dumps({
    "errors": list(bag.import_errors.values()),
    "dags": sorted(bag.dags),
    "upstream": {t.task_id: sorted(t.upstream_task_ids) for t in dag.tasks},
    "rules": {t.task_id: t.trigger_rule.value for t in dag.tasks},
    "mapped": sorted(
        t.task_id for t in dag.tasks if t.is_mapped or t.get_closest_mapped_task_group()
    ),
    "named": sorted(t.task_id for t in dag.tasks if t.map_index_template),
    "documented": bool(dag.doc_md),
    "catchup": dag.catchup,
    "max_active_runs": dag.max_active_runs,
    "params": sorted(dag.params),
}))
"""

HEAVY = """
import os, sys
from airflow.dag_processing.dagbag import DagBag
DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
heavy = {"mlflow", "great_expectations", "implicit", "pandas", "numpy", "scipy"}
print("heavy:", *heavy & set(sys.modules), sep="")
"""


def test_the_night_is_as_drawn(run_python: RunPython) -> None:
    dag = json.loads(run_python(DESCRIBE))
    assert dag["errors"] == []
    assert dag["dags"] == [
        "fleet_approvals",
        "fleet_feeds",
        "fleet_housekeeping",
        "nightly_fleet",
        "tenant_backfill",
        "tenant_mode",
        "tenant_policy",
        "tenant_rollback",
    ]
    assert dag["upstream"] == {
        "plan": [],
        "shard_night.validate": ["plan"],
        "shard_night.train_and_judge": ["plan", "shard_night.validate"],
        "decide": ["shard_night.train_and_judge"],
        "publish": ["decide", "plan"],
        "close": ["publish"],
        "ask_people": ["publish"],
        "document_quality": ["publish"],
    }
    in_shards = ["publish", "shard_night.train_and_judge", "shard_night.validate"]
    assert dag["mapped"] == in_shards
    assert dag["named"] == in_shards
    assert {task for task, rule in dag["rules"].items() if rule == "all_done"} == {
        "decide",
        "close",
        "ask_people",
        "document_quality",
    }
    assert dag["documented"]
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)
    assert dag["params"] == ["as_of", "tenants"]


def test_housekeeping_is_as_drawn(run_python: RunPython) -> None:
    dag = json.loads(run_python(DESCRIBE, DAG="fleet_housekeeping"))
    assert dag["upstream"] == {
        "lists": [],
        "models": ["lists"],
        "records": ["models"],
        "files": ["records"],
        "summary": ["files", "lists", "models", "records"],
    }
    assert dag["documented"]
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)


def test_approvals_ask_once_and_then_carry_out(run_python: RunPython) -> None:
    dag = json.loads(run_python(DESCRIBE, DAG="fleet_approvals"))
    assert dag["upstream"] == {
        "put_question": [],
        "ask": ["put_question"],
        "carry_out": ["ask", "put_question"],
    }
    assert dag["documented"]
    assert dag["params"] == ["night"]
    # An unanswered question of one night must not block the next night's question.
    assert dag["max_active_runs"] > 3


def test_rollback_is_one_task(run_python: RunPython) -> None:
    dag = json.loads(run_python(DESCRIBE, DAG="tenant_rollback"))
    assert dag["upstream"] == {"roll_back": []}
    assert dag["documented"]
    assert dag["params"] == ["reason", "tenants", "to_version"]


def test_a_backfill_is_as_drawn(run_python: RunPython) -> None:
    dag = json.loads(run_python(DESCRIBE, DAG="tenant_backfill"))
    assert dag["upstream"] == {
        "plan": [],
        "replay": ["plan"],
        "decide": ["replay"],
        "publish": ["decide"],
        "close": ["plan", "publish"],
    }
    assert dag["mapped"] == dag["named"] == ["publish", "replay"]
    assert {task for task, rule in dag["rules"].items() if rule == "all_done"} == {
        "decide",
        "close",
    }
    assert dag["documented"]
    # Two backfills of one tenant queue.
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)
    assert dag["params"] == [
        "actor", "force", "from", "promote", "reason", "step", "tenants", "to",
    ]  # fmt: skip


def test_reading_the_dags_imports_nothing_heavy(airflow_environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEAVY],
        env={**os.environ, **airflow_environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "heavy:"


FIRST_RUN = """
import os
from datetime import datetime, timezone
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
dag = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["nightly_fleet"]))
run_after = dag.next_dagrun_info(last_automated_run_info=None).run_after
now = datetime.now(timezone.utc)
midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
late = (now - midnight).total_seconds() < 660
print(run_after.strftime("%H:%M:%S"), run_after > now or late)
"""


def test_switching_the_dag_on_starts_no_night_before_midnight(run_python: RunPython) -> None:
    assert run_python(FIRST_RUN) == "00:00:00 True"
