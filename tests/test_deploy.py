"""The scripts of ``deploy/`` do what docker-compose.yaml relies on."""

from __future__ import annotations

import base64
import http.server
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import boto3
import psycopg2
import pytest
from psycopg2 import sql

from recfleet.cli import app
from recfleet.database import Connection
from recfleet.local import PostgresServer, free_port
from recfleet.settings import forget_settings
from tests.servers import throwaway_server

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DEPLOY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- .env -----------------------------------------------------------------------------------------


def test_make_env_fills_every_secret_with_another() -> None:
    example = (DEPLOY.parent / ".env.example").read_text(encoding="utf-8")

    lines = _load("make_env").fill(example).splitlines()

    empty = [line for line in example.splitlines() if line.endswith("=")]
    filled = dict(
        new.split("=", 1)
        for old, new in zip(example.splitlines(), lines, strict=True)
        if old != new
    )
    assert [f"{name}=" for name in filled] == empty
    assert len(set(filled.values())) == len(filled) >= 9
    fernet = filled.pop("AIRFLOW_FERNET_KEY")
    assert len(base64.urlsafe_b64decode(fernet)) == 32
    assert all(value.isalnum() and len(value) >= 32 for value in filled.values())


def test_make_env_never_writes_over_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = _load("make_env")
    monkeypatch.setattr(script, "CHECKOUT", tmp_path)
    (tmp_path / ".env.example").write_text("# A word\nA_PASSWORD=\n", encoding="utf-8")

    script.main()
    first = (tmp_path / ".env").read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match="exists already"):
        script.main()

    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".env").read_text(encoding="utf-8") == first


# --- Health ---------------------------------------------------------------------------------------


class _Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/ill":
            self.send_error(503)
            return
        self.send_response(200)
        self.end_headers()
        if self.path == "/report":
            report = {"scheduler": {"status": "healthy"}, "triggerer": {"status": None}}
            self.wfile.write(json.dumps(report).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (["/well"], 0),
        (["/ill"], 1),
        (["/report", "scheduler"], 0),
        (["/report", "triggerer"], 1),
    ],
)
def test_health(service: str, asked: list[str], status: int) -> None:
    path, *component = asked
    command = [sys.executable, str(DEPLOY / "healthy.py"), service + path, *component]

    assert subprocess.run(command, check=False).returncode == status


def test_who_does_not_answer_is_not_well() -> None:
    assert not _load("healthy").is_healthy(f"http://127.0.0.1:{free_port()}/")


def test_a_worker_is_asked_over_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    from celery import Celery

    script = _load("worker_answers")
    asked: list[dict[str, object]] = []

    def ping(self: object, **given: object) -> list[str]:
        asked.append(given)
        return ["pong"] if len(asked) == 1 else []

    monkeypatch.setattr(type(Celery().control), "ping", ping)

    assert script.answers("memory://", "celery@me")
    assert not script.answers("memory://", "celery@me")
    assert asked[0]["destination"] == ["celery@me"]


# --- The bucket -----------------------------------------------------------------------------------


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_the_bucket_is_made_once(store: str) -> None:
    make_bucket = _load("make_bucket").make_bucket

    assert make_bucket("s3://recfleet/models", store)
    assert not make_bucket("s3://recfleet/models", store)

    listed = boto3.client("s3", endpoint_url=store).list_buckets()["Buckets"]
    # Stores of one process share their buckets with those of other tests.
    assert [bucket["Name"] for bucket in listed].count("recfleet") == 1


def test_a_root_that_is_no_bucket_is_refused() -> None:
    with pytest.raises(SystemExit, match="file:///models"):
        _load("make_bucket").make_bucket("file:///models", None)


# --- Databases ------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server like the image's: its superuser is postgres, and it has no user recfleet."""
    with throwaway_server() as server:
        maker = psycopg2.connect(server.url())
        _execute(maker, "create role postgres superuser login password 'the server''s'")
        postgres = _connect(server, "postgres", "the server's")
        _execute(postgres, "alter role recfleet rename to maker")
        yield server


def _connect(
    server: PostgresServer, user: str, password: str, database: str = "postgres"
) -> Connection:
    return psycopg2.connect(
        host="127.0.0.1", port=server.port, user=user, password=password, dbname=database
    )


def _execute(connection: Connection, statement: str | sql.Composable) -> None:
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


@pytest.mark.postgres
def test_each_has_a_database_that_nobody_else_enters(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recfleet.local._binaries import binaries

    passwords = {"airflow": "it's $1", "mlflow": 'a "b" \\c'}
    done = subprocess.run(
        ["/bin/sh", str(DEPLOY / "postgres" / "databases.sh")],
        env={
            "PATH": f"{binaries()}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGPASSWORD": "the server's",
            "POSTGRES_USER": "postgres",
            **{f"POSTGRES_{name.upper()}_PASSWORD": value for name, value in passwords.items()},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = {
        "recfleet_writer": "",
        "recfleet_reader": "PAGES_",
        "recfleet_application": "APPLICATION_",
    }
    for role, part in names.items():
        address = server.url_of(role, f"of-{role}", "recfleet")
        monkeypatch.setenv(f"RECFLEET_{part}DATABASE_URL", address)
    admin_url = server.url_of("postgres", "the%20server's", "recfleet")
    monkeypatch.setenv("RECFLEET_ADMIN_DATABASE_URL", admin_url)
    forget_settings()
    _migrate_by_command()
    forget_settings()

    for name, password in passwords.items():
        _execute(_connect(server, name, password, name), "create schema own create table t ()")
        with pytest.raises(psycopg2.OperationalError, match="authentication"):
            _connect(server, name, "wrong", name)
    enter = {**dict.fromkeys(names, "recfleet"), **{name: name for name in passwords}}
    known = {**{role: f"of-{role}" for role in names}, **passwords}
    for role, own in enter.items():
        _connect(server, role, known[role], own).close()
        for other in {"recfleet", "airflow", "mlflow", "postgres", "template1"} - {own}:
            with pytest.raises(psycopg2.OperationalError, match="permission denied"):
                _connect(server, role, known[role], other)


def _migrate_by_command() -> None:
    with pytest.raises(SystemExit, match="0"):
        app(["migrate"])
