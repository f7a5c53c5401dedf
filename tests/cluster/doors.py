"""Who is let in by HTTP, to what, and what they see there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.cluster.checks import Line, line
from tests.cluster.stack import Cluster
from tests.cluster.story import airflow, run

_REFUSED = (302, 307, 401, 403)
_TRY_TO_WRITE = Path(__file__).with_name("try_to_write.py")


def pages_ask_for_a_login(cluster: Cluster) -> Line:
    """The pages of Airflow, recfleet and MLflow answer with a login and not without."""
    pages = ("/recfleet/fleet", "/api/v2/dags")
    with _stranger(cluster, "AIRFLOW") as stranger, airflow(cluster) as known:
        wrong = [told for path in pages for told in _only_with_a_login(path, stranger, known)]
    models = ("/", "/ajax-api/2.0/mlflow/registered-models/search?max_results=1", _file(cluster))
    login = (cluster.settings.get("MLFLOW_USERNAME", "reader"), cluster.settings["MLFLOW_PASSWORD"])
    with _stranger(cluster, "MLFLOW") as stranger, _stranger(cluster, "MLFLOW", login) as known:
        for path in models:
            wrong += _only_with_a_login(path, stranger, known)
        made = known.post("/api/2.0/mlflow/experiments/create", json={"name": "mine"})
        if made.status_code != 403:
            wrong.append(f"MLflow answers {made.status_code} to who creates an experiment")
    return line(
        "the pages answer behind their login",
        wrong,
        f"{len(pages)} addresses of Airflow, {len(models)} of MLflow with a model's file",
    )


def nights_have_notes(cluster: Cluster) -> Line:
    """Airflow's grid has recfleet's line about each night; the scheduler writes it."""
    with airflow(cluster) as client:
        answer = client.get("/api/v2/dags/nightly_fleet/dagRuns")
    notes = {one["dag_run_id"]: one["note"] for one in answer.raise_for_status().json()["dag_runs"]}
    wrong = [f"{name} has no note" for name, note in notes.items() if not note]
    return line("each night has its line in Airflow's grid", wrong, str([*notes.values()][-1]))


def the_api_answers(cluster: Cluster) -> Line:
    """With a key of one tenant: its lists, its model at work, and no other tenant."""
    rows = cluster.sql(
        "select distinct on (tenant_id) tenant_id, customer_id, product_id "
        "from recfleet.live_recommendation join recfleet.in_force using (tenant_id) "
        "order by tenant_id, customer_id, rank limit 2"
    )
    (tenant, customer, product), (other, *_) = rows
    said = run(cluster, "key", "create", tenant, "--scope", "read", "--reason", "tried by hand")
    key = {"Authorization": f"Bearer {said.split()[-1]}"}
    with _stranger(cluster, "API") as client:
        path = f"/v1/tenants/{tenant}/customers/{customer}/recommendations"
        ready = client.get("/readyz")
        unknown = client.get(path)
        listed = client.get(path, headers=key)
        basket = client.post(
            f"/v1/tenants/{tenant}/recommendations", headers=key, json={"products": [product]}
        )
        foreign = client.get(path.replace(tenant, other), headers=key)
    wrong = [
        f"{what}: {answer.status_code} {answer.text[:200]}"
        for what, answer, status in (
            ("/readyz", ready, 200),
            ("a list without a key", unknown, 401),
            ("a list", listed, 200),
            ("a basket", basket, 200),
            ("another tenant's list", foreign, 404),
        )
        if answer.status_code != status
    ]
    if not wrong and not listed.json()["items"]:
        wrong.append(f"customer {customer} of {tenant} has an empty list")
    if not wrong and basket.json()["served_by"] != "model":
        wrong.append(f"a basket is not the model's: {basket.text[:200]}")
    return line("the HTTP service answers a key", wrong, f"a list and a basket of {tenant}")


def only_nights_write_models(cluster: Cluster) -> Line:
    """The containers of the HTTP service and of MLflow's pages read models and write none."""
    wrong = []
    readers = ("recfleet-api", "mlflow")
    root = {
        "RECFLEET_ARTIFACT_ROOT": f"s3://{_bucket(cluster.settings)}/models",
        "RECFLEET_ARTIFACT_ENDPOINT_URL": "http://objects:8333",
    }
    given = [word for name, value in root.items() for word in ("--env", f"{name}={value}")]
    script = _TRY_TO_WRITE.read_text(encoding="utf-8")
    for service in readers:
        container = cluster.container(service)
        done = json.loads(cluster.engine.run("exec", *given, container, "python", "-c", script))
        wrong += [f"{service} could {what}" for what in done]
    return line("only nights and commands write models", wrong, f"{' and '.join(readers)} read")


def _stranger(cluster: Cluster, service: str, login: tuple[str, str] | None = None) -> httpx.Client:
    """A client of a published port; without a login, nobody knows it."""
    address = f"http://127.0.0.1:{cluster.settings[f'{service}_PORT']}"
    return httpx.Client(base_url=address, auth=login, timeout=60, trust_env=False)


def _only_with_a_login(path: str, stranger: httpx.Client, known: httpx.Client) -> list[str]:
    refused, answered = stranger.get(path).status_code, known.get(path).status_code
    wrong = []
    if refused not in _REFUSED:
        wrong.append(f"{path} answers {refused} to a stranger")
    if answered != 200:
        wrong.append(f"{path} answers {answered} after the login")
    return wrong


def _file(cluster: Cluster) -> str:
    """Where MLflow's pages show a file of a champion."""
    ((tenant, version),) = cluster.sql(
        "select tenant_id, version from recfleet.champion where role = 'champion' "
        "order by tenant_id limit 1"
    )
    return f"/model-versions/get-artifact?path=MLmodel&name=als-{tenant}&version={version}"


def _bucket(settings: Mapping[str, str]) -> str:
    return settings.get("OBJECT_STORE_BUCKET", "recfleet")
