"""deploy/helm-values.yaml names settings that the code knows, and keys that the chart knows."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from recfleet.settings import ENV_PREFIX, ROLES, MlflowLoginSettings

CHECKOUT = Path(__file__).resolve().parent.parent
TEXT = (CHECKOUT / "deploy" / "helm-values.yaml").read_text(encoding="utf-8")
VALUES = yaml.safe_load(TEXT)
COMPOSE = yaml.safe_load((CHECKOUT / "docker-compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")

PLAIN = {pair["name"]: pair["value"] for pair in VALUES["env"]}
SECRET = {said["envName"]: said for said in VALUES["secret"]}

# Keys of the chart's own values, looked up in its schema for Airflow 3.
CHART_KEYS = {
    "airflowHome", "airflowVersion", "apiSecretKeySecretName", "createUserJob", "dags", "data",
    "env", "executor", "fernetKeySecretName", "gid", "images", "jwtSecretName", "logs",
    "networkPolicies", "postgresql", "redis", "secret", "securityContexts", "statsd", "triggerer",
    "uid", "workers",
}  # fmt: skip


def test_the_chart_knows_every_key() -> None:
    assert set(VALUES) <= CHART_KEYS
    assert VALUES["executor"] == "CeleryExecutor"
    for pair in VALUES["env"]:
        assert set(pair) == {"name", "value"}
        assert isinstance(pair["value"], str), f"{pair['name']}: Kubernetes takes text only"
    for said in VALUES["secret"]:
        assert set(said) == {"envName", "secretName", "secretKey"}


def test_recfleet_knows_every_setting() -> None:
    fields = {
        f"{ENV_PREFIX}{name.upper()}": field
        for role in ROLES
        for name, field in role.model_fields.items()
    }
    given = set(PLAIN) | set(SECRET)

    assert {name for name in given if name.startswith(ENV_PREFIX)} <= set(fields)
    needed = {name for name, field in fields.items() if field.is_required()}
    of_mlflow = {f"{ENV_PREFIX}{name.upper()}" for name in MlflowLoginSettings.model_fields}
    assert needed - of_mlflow <= given, "the chart runs no MLflow server"


def test_airflow_is_set_up_as_in_the_compose_file() -> None:
    composed: dict[str, str] = {}
    for service in COMPOSE["services"].values():
        composed |= service.get("environment", {})
    image = dict(re.findall(r"(\w+)=(\S+)", DOCKERFILE))
    differs = {"AIRFLOW__CELERY__WORKER_CONCURRENCY"}

    for name, value in PLAIN.items():
        if name.startswith(("AIRFLOW", "MLFLOW")) and name not in differs:
            assert {**image, **composed}[name] == value, name


def test_the_image_is_the_one_that_is_built() -> None:
    said = VALUES["images"]["airflow"]
    lock = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")

    assert COMPOSE["services"]["worker"]["image"].endswith(f"recfleet:{said['tag']}")
    assert f"\napache-airflow=={VALUES['airflowVersion']}\n" in lock
    assert f"--uid {VALUES['uid']} " in DOCKERFILE
    assert f"AIRFLOW_HOME={VALUES['airflowHome']} " in DOCKERFILE


def test_slots_are_workers_times_concurrency() -> None:
    slots = VALUES["workers"]["replicas"] * int(PLAIN["AIRFLOW__CELERY__WORKER_CONCURRENCY"])

    assert PLAIN["RECFLEET_WORKERS"] == str(slots)


def test_secrets_are_named_and_not_written_down() -> None:
    assert not [name for name in PLAIN if re.search(r"PASSWORD|SECRET|_KEY", name)]
    assert not re.search(r"://\w*:[^…@\s]+@", TEXT)
    for name in {said["secretName"] for said in SECRET.values()} | set(VALUES["data"].values()):
        assert re.search(rf"^#   {name} ", TEXT, flags=re.MULTILINE), f"{name} is not explained"


def test_services_that_the_chart_cannot_run_are_named() -> None:
    comment = re.sub(r"(?m)^#\s*", "", TEXT.partition("executor:")[0])
    of_airflow = {"api-server", "scheduler", "dag-processor", "triggerer", "worker"}
    beside = {
        name: service
        for name, service in COMPOSE["services"].items()
        if "build" in service and name not in {*of_airflow, "init", "cli"}
    }

    for name in beside:
        assert re.search(rf"^{name} ", comment, flags=re.MULTILINE), name
    needed = {
        name
        for name, value in beside["recfleet-api"]["environment"].items()
        if value and name.startswith(ENV_PREFIX) and name != "RECFLEET_API_PORT"
    }
    assert needed <= {*re.findall(r"\w+", comment)}
