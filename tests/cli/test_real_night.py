"""A newcomer's first night: stack, tenants, a night by the real scheduler, a model by MLflow."""

from __future__ import annotations

import json

import pytest

from tests.stacks import RUN_FIRST_NIGHT, Stack

pytestmark = [pytest.mark.airflow, pytest.mark.mlflow, pytest.mark.postgres, pytest.mark.slow]

# In a separate process, as a person would: through the server, not its database.
PREDICT = """
import json, mlflow, pandas
model = mlflow.pyfunc.load_model("models:/als-{tenant}@champion")
ranked = model.predict(pandas.DataFrame({{"history": [{history!r}]}}), params={{"n": 5}})
print(json.dumps(ranked.iloc[0].to_dict(), default=str))
"""

NOTE = """
from recfleet.terminal.airflow import AirflowClient
from recfleet.settings import airflow_settings
with AirflowClient(airflow_settings()) as airflow:
    print(airflow._ask("GET", "/api/v2/dags/nightly_fleet/dagRuns/{run}", None)["note"])
"""


@pytest.mark.timeout(900)
def test_a_first_night(after_first_night: Stack) -> None:
    recfleet = after_first_night
    night = json.loads(recfleet("night", "show", "1", "--json"))
    assert night["status"] == "done"
    assert len(night["tenants"]) == 12
    assert all(tenant["reason"] for tenant in night["tenants"])
    served = [row for row in night["tenants"] if row["served_by"] == "model"]
    assert served
    sentence = night["summary"]["sentence"]
    assert _of_all(sentence) in recfleet.printed[RUN_FIRST_NIGHT]
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
    [live] = story["live"]
    assert live["offers"] != "new" or not set(history) & set(predicted["products"])

    asked = recfleet.query("select tenant_id from approval")
    printed = recfleet(*RUN_FIRST_NIGHT)
    again = json.loads(recfleet("night", "show", "--json"))
    assert again["night_id"] > night["night_id"]
    assert _of_all(again["summary"]["sentence"]) in printed
    # People answer the others' requests, and then the night judges those anew.
    outcomes = {row["outcome"] for row in again["tenants"] if (row["tenant"],) not in asked}
    assert outcomes <= {"unchanged", "quarantined"}


def _of_all(sentence: str) -> str:
    return f"12 tenants: {sentence.partition(': ')[2]}"
