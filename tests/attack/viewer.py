"""Somebody with a viewer's account in Airflow, and with the login of MLflow's pages."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from tests.attack.ground import Attempt, Ground
from tests.attack.local_user import WRITES_TO_MLFLOW

WHO = "viewer"
_HARMLESS = re.compile(r"/(favorite|unfavorite)$|/(dagRuns|taskInstances)/list$")
"""Marking a DAG as one's own favourite, and reading by POST."""
_REFUSED = {401, 403, 404, 405}
_BODIES: dict[str, dict[str, Any]] = {
    "/api/v2/connections": {
        "actions": [{"action": "create", "entities": [{"connection_id": "x", "conn_type": "fs"}]}]
    },
    "/api/v2/variables": {
        "actions": [{"action": "create", "entities": [{"key": "x", "value": "y"}]}]
    },
    "/api/v2/pools": {"actions": [{"action": "create", "entities": [{"name": "x", "slots": 1}]}]},
    "/api/v2/connections/enqueue-test": {"connection_id": "x", "conn_type": "fs"},
    "/api/v2/dags/{dag_id}/dagRuns": {
        "actions": [{"action": "delete", "entities": [{"dag_run_id": "{run}"}]}]
    },
    "/api/v2/dags/{dag_id}/clearDagRuns": {"dag_runs": [{"dag_run_id": "{run}"}]},
}
"""Bodies that Airflow understands where it looks at the body before the permission."""
_HOSTILE = ("\x00", "9" * 30, str(2**63), "'; drop table tenant; --", "../../etc/passwd", "\u200b")

_PLACES = (
    "/recfleet/tenants/{}",
    "/recfleet/nights/{}",
    "/recfleet/nights?before={}",
    "/recfleet/fleet?q={}",
    "/recfleet/fleet?page={}",
    "/recfleet/static/{}",
)


def attempt(ground: Ground) -> list[Attempt]:
    """Try everything that Airflow's and recfleet's pages offer to others."""
    with _logged_in(ground) as client:
        known = _names(client)
        document = client.get("/openapi.json").json()
        found = [
            _writes(client, document, known),
            _reads(ground, client, document, known),
            _logs(ground, client, known),
            _pages_act(ground, client),
            _pages_fail(ground, client),
            _tokens(ground, client),
            _mlflow_writes(ground),
        ]
        # Else all of this was refused to nobody, and tells nothing.
        client.get("/api/v2/dags").raise_for_status()
        client.get("/recfleet/fleet").raise_for_status()
        return found


def _logged_in(ground: Ground) -> httpx.Client:
    client = httpx.Client(base_url=ground.stack.address, timeout=60, trust_env=False)
    login = {"username": "viewer", "password": ground.stack.password("viewer")}
    token = (
        httpx.post(f"{ground.stack.address}/auth/token", json=login, timeout=60, trust_env=False)
        .raise_for_status()
        .json()["access_token"]
    )
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def _names(client: httpx.Client) -> dict[str, str]:
    """What stands in an address's braces -> something that is really there."""
    found = {"dag_id": "nightly_fleet"}
    [dag] = [
        each
        for each in client.get("/api/v2/dags", params={"limit": 100}).json()["dags"]
        if each["dag_id"] == "nightly_fleet"
    ]
    found["file_token"] = dag["file_token"]
    runs = client.get("/api/v2/dags/nightly_fleet/dagRuns").json()["dag_runs"]
    if runs:
        found["dag_run_id"] = runs[0]["dag_run_id"]
        path = f"/api/v2/dags/nightly_fleet/dagRuns/{quote(runs[0]['dag_run_id'])}/taskInstances"
        tasks = client.get(path).json()["task_instances"]
        plain = [each for each in tasks if each["map_index"] < 0]
        if plain:
            found["task_id"] = plain[0]["task_id"]
            found["try_number"] = str(plain[0]["try_number"])
    return found


def _address(path: str, known: Mapping[str, str]) -> str:
    return re.sub(r"{([^}]*)}", lambda name: quote(known.get(name[1], "1"), safe=""), path)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, operations in document["paths"].items():
        yield from ((method, path) for method in operations if method != "parameters")


def _writes(client: httpx.Client, document: Mapping[str, Any], known: Mapping[str, str]) -> Attempt:
    gained, count = [], 0
    for method, path in _operations(document):
        if method == "get" or _HARMLESS.search(path):
            continue
        count += 1
        text = json.dumps(_BODIES.get(path, {})).replace("{run}", known.get("dag_run_id", "1"))
        sent = {} if method == "delete" else {"json": json.loads(text)}
        answer = client.request(method.upper(), _address(path, known), **sent)
        if answer.status_code not in _REFUSED:
            gained.append(f"{method.upper()} {path} answers {answer.status_code}")
    return Attempt(
        WHO, "write through all of Airflow's addresses", f"{count} refused", tuple(gained)
    )


def _reads(
    ground: Ground, client: httpx.Client, document: Mapping[str, Any], known: Mapping[str, str]
) -> Attempt:
    """Nothing that a viewer reads has a secret in it."""
    mine = frozenset({ground.stack.password("viewer")})
    gained, count = [], 0
    for method, path in _operations(document):
        if method == "get" and "logout" not in path:
            count += 1
            text = client.get(_address(path, known)).text
            gained += [f"{path} has {each}" for each in ground.told_in(text, known=mine)]
    for path in ("/api/v2/connections", "/api/v2/variables", "/api/v2/config"):
        status = client.get(path).status_code
        if status not in _REFUSED:
            gained.append(f"GET {path} answers {status}")
    return Attempt(
        WHO, "find secrets in what Airflow shows", f"none in {count} answers", tuple(gained)
    )


def _logs(ground: Ground, client: httpx.Client, known: Mapping[str, str]) -> Attempt:
    run = f"/api/v2/dags/nightly_fleet/dagRuns/{quote(known.get('dag_run_id', '1'))}/taskInstances"
    gained, count = [], 0
    for task in client.get(run, params={"limit": 100}).json().get("task_instances", []):
        path = f"{run}/{task['task_id']}/logs/{task['try_number']}"
        text = client.get(path, params={"map_index": task["map_index"]}).text
        count += 1
        gained += [f"the log of {task['task_id']} has {each}" for each in ground.told_in(text)]
    return Attempt(WHO, "find secrets in the tasks' logs", f"none in {count} logs", tuple(gained))


def _pages_act(ground: Ground, client: httpx.Client) -> Attempt:
    tenant = f"/recfleet/tenants/{ground.own}"
    forms = {
        f"{tenant}/mode": {"mode": "off", "reason": "mischief"},
        f"{tenant}/rollback": {"reason": "mischief"},
        f"{tenant}/backfill": {"first": "2025-12-01", "last": "2025-12-02", "reason": "mischief"},
        f"{tenant}/keys": {"scopes": "read", "name": "mine", "reason": "mischief"},
        f"{tenant}/keys/abcdefgh/rotate": {"reason": "mischief"},
        f"{tenant}/keys/abcdefgh/revoke": {"reason": "mischief"},
        "/recfleet/approvals": {"answer": "approve", "reason": "mischief"},
    }
    before = ground.stack.query("select tenant_id, mode from tenant order by 1")
    gained = [
        f"POST {path} answers {status}"
        for path, form in forms.items()
        if (status := client.post(path, data=form).status_code) not in _REFUSED
    ]
    if ground.stack.query("select tenant_id, mode from tenant order by 1") != before:
        gained.append("a tenant's mode was changed")
    return Attempt(WHO, "act through recfleet's pages", f"{len(forms)} refused", tuple(gained))


def _pages_fail(ground: Ground, client: httpx.Client) -> Attempt:
    """Whatever stands in an address, the answer is a page with its headers."""
    gained, count = [], 0
    for place in _PLACES:
        for value in _HOSTILE:
            answer = client.get(place.format(quote(value, safe="")))
            count += 1
            if answer.status_code >= 500 or "content-security-policy" not in answer.headers:
                gained.append(f"{place} with {value!r} answers {answer.status_code}")
    return Attempt(WHO, "make recfleet's pages fail", f"{count} answered in words", tuple(gained))


def _tokens(ground: Ground, client: httpx.Client) -> Attempt:
    """The viewer's token, changed into the administrator's, or used by another door."""
    head, body, signature = client.headers["Authorization"].removeprefix("Bearer ").split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    changed = _part({**claims, "role": "ADMIN", "sub": "admin"})
    tokens = {
        "the signature kept": f"{head}.{changed}.{signature}",
        "no signature": f"{_part({'alg': 'none', 'typ': 'JWT'})}.{changed}.",
    }
    gained = [
        f"{name}: {path} answers {status}"
        for name, token in tokens.items()
        for path in ("/api/v2/dags", "/api/v2/connections")
        if (status := client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code)
        not in _REFUSED
    ]
    for path in ("/execution/variables/x", "/execution/connections/x"):
        status = client.get(path).status_code
        if status not in _REFUSED - {404}:
            gained.append(f"the viewer's own token: {path} answers {status}")
    return Attempt(WHO, "become somebody else by a changed token", "refused", tuple(gained))


def _part(claims: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def _mlflow_writes(ground: Ground) -> Attempt:
    login = (ground.stack.setting("MLFLOW_USERNAME"), ground.stack.setting("MLFLOW_PASSWORD"))
    with httpx.Client(
        base_url=ground.stack.setting("MLFLOW_URL"), auth=login, timeout=60, trust_env=False
    ) as client:
        gained = [
            f"{method} {path} answers {status}"
            for method, path, body in WRITES_TO_MLFLOW
            if (status := client.request(method, path, json=body).status_code) != 403
        ]
    return Attempt(
        WHO, "write to MLflow with its login", f"{len(WRITES_TO_MLFLOW)} refused", tuple(gained)
    )
