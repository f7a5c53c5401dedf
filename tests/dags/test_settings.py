"""Modes and policies from Airflow, through its own task runner."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recfleet.database import Connection
from recfleet.settings import RegistrySettings
from recfleet.tenants import add_tenants
from tests.dags.conftest import RunPython
from tests.nights import query

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.slow]

RUN = """
import json, os
from airflow.dag_processing.dagbag import DagBag
dags = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags
states = [dags[name].test(run_conf=conf).state for name, conf in json.loads(os.environ["RUNS"])]
print(json.dumps(states))
"""


@pytest.fixture
def tenants(connection: Connection, stack: RegistrySettings) -> None:
    add_tenants(connection, {name: name for name in ("apple", "berry", "cherry")})
    connection.commit()


def _states(run_python: RunPython, *runs: tuple[str, dict[str, Any]]) -> list[str]:
    states: list[str] = json.loads(run_python(RUN, RUNS=json.dumps(runs)))
    return states


@pytest.mark.usefixtures("tenants")
def test_modes_and_policies_are_set_with_their_reason(
    connection: Connection, run_python: RunPython
) -> None:
    freeze = {"tenants": ["apple", "berry"], "mode": "frozen", "reason": "the feed broke"}
    approve = {"where": ["mode=frozen"], "changes": ["approval=every"], "reason": "to be sure"}
    typo = {"tenants": ["appel"], "mode": "off", "reason": "a slip"}

    assert _states(
        run_python, ("tenant_mode", freeze), ("tenant_policy", approve), ("tenant_mode", typo)
    ) == ["success", "success", "failed"]

    rows = query(connection, "select tenant_id, mode, policy from tenant order by tenant_id")
    assert rows == [
        ("apple", "frozen", {"approval": "every"}),
        ("berry", "frozen", {"approval": "every"}),
        ("cherry", "on", {}),
    ]
    said = query(
        connection, "select kind, tenant_id, reason, actor from audit where tenant_id is not null"
    )
    assert sorted((kind, tenant, reason) for kind, tenant, reason, _ in said) == [
        ("mode", "apple", "the feed broke"),
        ("mode", "berry", "the feed broke"),
        ("policy", "apple", "to be sure"),
        ("policy", "berry", "to be sure"),
    ]
    assert all(actor for *_, actor in said)
