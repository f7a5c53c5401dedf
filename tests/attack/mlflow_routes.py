"""Every route that the installed MLflow knows, asked of the running server."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import httpx

from recfleet.registry.server._allowed import ALLOWED
from tests.attack.ground import CHECKOUT, Attempt, Ground

_FILES = "/static-files/"


def attempt(ground: Ground) -> list[Attempt]:
    """Ask with the login of MLflow's pages, and without."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mlflow_routes"],
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
    )
    routes = [(method, path) for method, path in json.loads(done.stdout.splitlines()[-1])]
    login = (ground.stack.setting("MLFLOW_USERNAME"), ground.stack.setting("MLFLOW_PASSWORD"))
    return [
        _ask(ground, "viewer", "write through all of MLflow's routes", routes, login),
        _ask(ground, "local user", "pass by any of MLflow's routes", routes, None),
    ]


def _ask(
    ground: Ground,
    who: str,
    what: str,
    routes: list[tuple[str, str]],
    login: tuple[str, str] | None,
) -> Attempt:
    refused = 403 if login else 401
    gained = []
    with httpx.Client(
        base_url=ground.stack.setting("MLFLOW_URL"), auth=login, timeout=60, trust_env=False
    ) as client:
        for method, path in routes:
            if _reads(method, path) and (login or path == "/health"):
                continue
            address = re.sub(r"[{<][^}>]+[}>]", "x", path)
            status = client.request(method, address).status_code
            if status != refused:
                gained.append(f"{method} {path} answers {status}")
    return Attempt(who, what, f"{len(routes)} asked, {refused} each", tuple(gained))


def _reads(method: str, path: str) -> bool:
    return method in ALLOWED.get(path, ()) or (method == "GET" and path.startswith(_FILES))
