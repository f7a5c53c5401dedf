"""A newcomer's first night: stack, tenants, a night by the real scheduler, a model by MLflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recfleet.local import free_port

pytestmark = [pytest.mark.airflow, pytest.mark.mlflow, pytest.mark.postgres, pytest.mark.slow]

MAIN = "from recfleet.cli import main; main()"
# In a process of its own, as a person would: by the server, not by its database.
PREDICT = """
import json, mlflow, pandas
model = mlflow.pyfunc.load_model("models:/als-{tenant}@champion")
ranked = model.predict(pandas.DataFrame({{"history": [{history!r}]}}), params={{"n": 5}})
print(json.dumps(ranked.iloc[0].to_dict(), default=str))
"""

NOTE = """
from recfleet.cli._airflow import AirflowClient
from recfleet.settings import settings
with AirflowClient(settings()) as airflow:
    print(airflow._ask("GET", "/api/v2/dags/nightly_fleet/dagRuns/{run}", None)["note"])
"""

Recfleet = Callable[..., str]


@pytest.fixture
def recfleet() -> Iterator[Recfleet]:
    """The command line over a stack of this test's own, with which it ends."""
    # Not below pytest's folder, which another user, such as Postgres's, may not pass.
    home = Path(tempfile.mkdtemp(prefix="recfleet-night-"))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("RECFLEET_")
    }
    environment["RECFLEET_HOME"] = str(home)
    for service in ("AIRFLOW", "MLFLOW", "POSTGRES"):
        environment[f"RECFLEET_{service}_PORT"] = str(free_port())

    def run(*words: str, code: str = MAIN) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stdout, done.stderr)  # shown by pytest when the test fails
        assert done.returncode == 0
        return done.stdout

    run("up")
    stack = (line.partition("=") for line in (home / "stack.env").read_text().splitlines())
    environment["MLFLOW_TRACKING_URI"] = next(
        value.strip("'\"") for name, _, value in stack if name == "MLFLOW_TRACKING_URI"
    )
    yield run
    run("down")
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.timeout(900)
def test_a_first_night(recfleet: Recfleet) -> None:
    recfleet("seed", "--tenants", "8", "--seed", "7", "--until", "2025-12-28")

    printed = recfleet("night", "run", "--as-of", "2025-12-28", "--wait")

    night = json.loads(recfleet("night", "show", "--json"))
    assert night["status"] == "done"
    assert len(night["tenants"]) == 8
    assert all(tenant["reason"] for tenant in night["tenants"])
    served = [row for row in night["tenants"] if row["served_by"] == "model"]
    assert served
    sentence = night["summary"]["sentence"]
    assert f"8 tenants: {sentence.partition(': ')[2]}" in printed
    assert recfleet(code=NOTE.format(run=night["run_id"])).strip() == sentence

    tenant = served[0]["tenant"]
    story = json.loads(recfleet("tenant", "show", tenant, "--json"))
    assert story["models"][0]["version"] == 1
    listed = json.loads(recfleet("recommend", tenant, "nobody-known", "--json"))
    history = [item["product_id"] for item in listed["recommended"][:2]]
    ranked = recfleet(code=PREDICT.format(tenant=tenant, history=history)).splitlines()[-1]
    predicted = json.loads(ranked)
    assert predicted["source"] == "history"
    assert len(predicted["products"]) == 5
    assert not set(history) & set(predicted["products"])

    recfleet("night", "run", "--as-of", "2025-12-28", "--wait")
    again = json.loads(recfleet("night", "show", "--json"))
    assert again["night_id"] > night["night_id"]
    assert {row["outcome"] for row in again["tenants"]} <= {"unchanged", "quarantined"}
