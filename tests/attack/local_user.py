"""Another user of the machine: files, processes, sockets and ports, without any password."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import httpx
import psycopg2

from recfleet.database import LOGINS
from tests.attack.ground import CHECKOUT, Attempt, Ground, Target

WHO = "local user"
_ROLES = (*LOGINS, "recfleet", "recfleet_owner", "postgres", "airflow", "mlflow")
_GUESSES = ("", "postgres", "recfleet", "airflow", "mlflow", "password", "admin")
_LOOKED_AT = 1 << 16
WRITES_TO_MLFLOW = [
    ("POST", "/api/2.0/mlflow/experiments/create", {"name": "x", "artifact_location": "/tmp"}),
    ("POST", "/ajax-api/2.0/mlflow/experiments/create", {"name": "x"}),
    ("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"}),
    ("POST", "/api/2.0/mlflow/runs/delete", {"run_id": "x"}),
    ("POST", "/api/2.0/mlflow/registered-models/alias", {"name": "x", "alias": "champion"}),
    ("DELETE", "/api/2.0/mlflow/registered-models/delete", {"name": "x"}),
    ("PATCH", "/api/2.0/mlflow/model-versions/update", {"name": "x", "version": "1"}),
    ("PUT", "/api/2.0/mlflow-artifacts/artifacts/dags/evil.py", {}),
    ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=x&path=evil.py", {}),
    ("POST", "/api/2.0/mlflow/webhooks", {"name": "w", "url": "http://127.0.0.1:1"}),
    ("POST", "/graphql", {"query": "mutation { mlflowSearchRuns(input: {}) { runs { x } } }"}),
    ("POST", "/api/2.0/mlflow/users/create", {"username": "x", "password": "x"}),
]


def attempt(ground: Ground) -> list[Attempt]:
    """Try it all, from a process that becomes the user nobody; root alone can start it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.attack.as_nobody"],
        input=json.dumps(asdict(ground.target())),
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
    )
    told = json.loads(done.stdout)
    found = [Attempt(**{**each, "gained": tuple(each["gained"])}) for each in told["attempts"]]
    secrets = ground.told_in(told["seen"])
    tried = f"{len(told['seen'].splitlines())} command lines read"
    return [*found, Attempt(WHO, "secrets on command lines", f"none in {tried}", tuple(secrets))]


def bring_what_is_needed(target: Target) -> None:
    """Do once what imports more, while the files can still be read."""
    with suppress(httpx.HTTPError):
        httpx.get(target.airflow, trust_env=False)
    "x".encode("idna")


def attempts(target: Target) -> tuple[list[Attempt], str]:
    """Everything that this user tries, and the command lines that it could read."""
    others, seen = _processes(target)
    return [
        _files(target),
        _code(target),
        others,
        _shared_memory(),
        _sockets(target),
        _ports(target),
        _postgres(target),
        _mlflow(target),
        _airflow(target),
        _api(target),
    ], seen


def _tries(what: str, tried: Iterable[tuple[str, Callable[[], object]]]) -> Attempt:
    """Each of these must fail for want of a permission."""
    gained, count = [], 0
    for name, action in tried:
        count += 1
        try:
            action()
        except OSError:
            continue
        gained.append(name)
    return Attempt(WHO, what, f"{count} refused", tuple(gained))


def _look(path: Path) -> None:
    if path.is_dir():
        list(path.iterdir())
    else:
        with path.open("rb"):
            pass


def _put(path: Path) -> None:
    if path.is_dir():
        (path / "put-by-nobody").touch()
    else:
        os.truncate(path, 0)


def _files(target: Target) -> Attempt:
    return _tries(
        "list, read and write what the stack keeps",
        (
            (f"{way.__name__[1:]} {path}", partial(way, Path(path)))
            for path in (*target.paths, *target.elsewhere)
            for way in (_look, _put)
        ),
    )


def _code(target: Target) -> Attempt:
    writable = [path for path in target.code if os.access(path, os.W_OK, follow_symlinks=True)]
    met = f"{len(target.code)} files and folders refused"
    return Attempt(WHO, "write what the stack runs (DAGs, plugins, packages)", met, tuple(writable))


def _processes(target: Target) -> tuple[Attempt, str]:
    lines = []
    for pid in target.processes:
        with suppress(OSError):
            lines.append(
                Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
            )

    kinds = ("environ", "maps", "fd", "cwd/", "io", "stack")
    tries: list[tuple[str, Callable[[], object]]] = []
    for pid in target.processes:
        of_process = Path(f"/proc/{pid}")
        tries += [(f"{kind} of {pid}", partial(_read, of_process / kind)) for kind in kinds]
        tries.append((f"a signal to {pid}", partial(os.kill, pid, signal.SIGCONT)))
    found = _tries("read the processes' environments and memory, signal them", tries)
    return found, "\n".join(lines)


def _read(path: Path) -> object:
    return list(path.iterdir()) if path.is_dir() else path.read_bytes()


def _shared_memory() -> Attempt:
    folder = Path("/dev/shm")
    found = [each for each in folder.iterdir() if each.lstat().st_uid != os.getuid()]
    return _tries("open shared memory", ((str(each), partial(_open, each)) for each in found))


def _open(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR))


def _sockets(target: Target) -> Attempt:
    tries = ((path, partial(_connect, path)) for path in target.sockets)
    return _tries("connect to the processes' sockets", tries)


def _connect(path: str) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.connect("\0" + path[1:] if path[0] in "@\0" else path)


def _ports(target: Target) -> Attempt:
    """Every port of the stack's must be one that is known to ask who is there."""
    known = {httpx.URL(each).port for each in (target.airflow, target.mlflow, target.api)}
    strange = set(target.ports) - known - {target.postgres_port}
    met = f"{len(target.ports)} ports, all known"
    return Attempt(
        WHO, "find a port that nobody guards", met, tuple(f"port {each}" for each in strange)
    )


def _postgres(target: Target) -> Attempt:
    gained, count = [], 0
    for role in _ROLES:
        for password in (*_GUESSES, role):
            for database in ("recfleet", "postgres"):
                count += 1
                try:
                    psycopg2.connect(
                        host="127.0.0.1", port=target.postgres_port, user=role,
                        password=password, dbname=database, connect_timeout=10,
                    ).close()  # fmt: skip
                except psycopg2.OperationalError:
                    continue
                gained.append(f"{role} logs in with {password!r}")
    return Attempt(
        WHO,
        "log in to Postgres without a password, or by guessing",
        f"{count} refused",
        tuple(gained),
    )


def _ask(
    what: str, address: str, requests: Iterable[tuple[str, str, object]], expected: set[int]
) -> Attempt:
    gained, met = [], set()
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        for method, path, body in requests:
            status = client.request(method, path, json=body or None).status_code
            met.add(status)
            if status not in expected:
                gained.append(f"{method} {path} answers {status}")
    return Attempt(WHO, what, f"answered {', '.join(map(str, sorted(met)))}", tuple(gained))


def _mlflow(target: Target) -> Attempt:
    reads = [("GET", "/", None), ("GET", "/api/2.0/mlflow/experiments/search?max_results=1", None)]
    requests = [*reads, *WRITES_TO_MLFLOW]
    return _ask("read from MLflow and write to it", target.mlflow, requests, {401})


def _airflow(target: Target) -> Attempt:
    dag = "/api/v2/dags/nightly_fleet"
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJhZG1pbiJ9."
    requests: list[tuple[str, str, object]] = [
        ("GET", "/api/v2/dags", None),
        ("GET", "/api/v2/connections", None),
        ("POST", f"{dag}/dagRuns", {"logical_date": None}),
        ("DELETE", dag, None),
        ("PATCH", dag, {"is_paused": True}),
        ("GET", "/recfleet/fleet", None),
        ("POST", "/recfleet/tenants/x/mode", {"mode": "off"}),
        ("GET", "/execution/variables/x", None),
        ("GET", "/execution/connections/x", None),
        ("PATCH", "/execution/task-instances/01234567-89ab-7def-8123-456789abcdef/run", {}),
        ("POST", "/auth/token", {"username": "admin", "password": "admin"}),
        ("POST", "/auth/token/cli", {"username": "admin", "password": ""}),
        ("GET", "/auth/token", None),
        ("GET", "/auth/token/login", None),
    ]
    found = _ask(
        "read from Airflow and act in it", target.airflow, requests, {302, 400, 401, 403, 422}
    )
    with httpx.Client(base_url=target.airflow, timeout=60, trust_env=False) as client:
        forged = {"Authorization": f"Bearer {token}"}
        for path in ("/api/v2/dags", "/recfleet/fleet", "/execution/variables/x"):
            status = client.get(path, headers=forged, cookies={"_token": token}).status_code
            if status not in (302, 401, 403):
                return Attempt(WHO, found.what, "", (f"a forged token opens {path}: {status}",))
    return found


def _api(target: Target) -> Attempt:
    tenant = "/v1/tenants/x"
    requests: list[tuple[str, str, object]] = [
        ("GET", f"{tenant}/popular", None),
        ("GET", f"{tenant}/customers/1/recommendations", None),
        ("POST", f"{tenant}/recommendations", {"products": ["p"]}),
        ("PUT", f"{tenant}/mode", {"mode": "off", "reason": "mischief"}),
    ]
    return _ask("call the HTTP service without a key", target.api, requests, {401})
