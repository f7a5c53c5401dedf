"""The life of a whole stack: real Postgres, MLflow and Airflow."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import psycopg2
import pytest
import typer
from typer.testing import CliRunner

from recfleet import local
from recfleet.cli import _stack as commands
from recfleet.errors import RecfleetError
from recfleet.local._layout import Layout
from recfleet.settings import (
    MlflowLoginSettings,
    airflow_settings,
    database_settings,
    forget_settings,
    mlflow_login_settings,
)
from tests.stacks import Stack
from tests.strangers import open_to_others, seen_by_nobody

pytestmark = [pytest.mark.airflow, pytest.mark.mlflow, pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def layout(running: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    """The started stack's; no test can use that stack afterwards."""
    for name in list(os.environ):
        if name.startswith("RECFLEET_"):
            monkeypatch.delenv(name)
    for name, value in running.environment.items():
        if name.startswith("RECFLEET_"):
            monkeypatch.setenv(name, value)
    forget_settings()
    yield Layout(running.home)
    local.down(print)
    forget_settings()


@pytest.mark.timeout(900)
def test_the_life_of_a_stack(running: Stack, layout: Layout) -> None:
    again = "everything was running already"
    assert again not in running.printed["up",]
    assert again in running("up")
    stack = local.up(print)
    assert stack.reused
    assert set(_states().values()) == {"running"}
    assert airflow_settings().airflow_url == stack.airflow_url
    _people_can_log_in(stack)
    _mlflow_answers_whom_it_knows_on_this_machine(stack, mlflow_login_settings())
    _the_shell_can_use_it(layout)
    _the_command_line_tells_the_same()
    # But for what MLflow leaves where a person has loaded a model; its folder is closed.
    opened = [path for path in open_to_others(layout.home) if "registered_model_meta" not in path]
    assert opened == []
    if os.geteuid() == 0:
        assert seen_by_nobody(layout.home) == []

    before = _pids()
    assert local.up(print).reused
    assert _pids() == before

    _kill(layout, ["airflow-scheduler"])
    assert _states()["airflow-scheduler"] == "died"
    assert not local.up(print).reused
    after = _pids()
    assert after.pop("airflow-scheduler") != before.pop("airflow-scheduler")
    assert after == before

    _note_something()
    _kill(layout, list(_states()))
    assert set(_states().values()) == {"died"}
    assert local.down(print) == []
    assert set(_states().values()) == {"stopped"}

    _make_mlflow_unusable(layout)
    with pytest.raises(RecfleetError, match=r"mlflow.*ends:"):
        local.up(print)
    assert set(_states().values()) == {"stopped"}
    assert _inside(layout) == []
    _something_was_kept(layout)


def _states() -> dict[str, str]:
    return {each.name: each.state for each in local.status()}


def _pids() -> dict[str, int | None]:
    return {each.name: each.pid for each in local.status()}


def _inside(layout: Layout) -> list[psutil.Process]:
    """Every process whose working folder is in the stack's, whatever its parent."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(layout.home):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _kill(layout: Layout, names: list[str]) -> None:
    processes = [psutil.Process(pid) for name, pid in _pids().items() if name in names and pid]
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # Airflow may end by itself without its database
            process.kill()
    _, alive = psutil.wait_procs(processes, timeout=300)
    assert alive == []


def _people_can_log_in(stack: local.Stack) -> None:
    passwords = json.loads((stack.home / "airflow" / "passwords.json").read_text())
    assert set(passwords) == {"admin", "viewer"}
    assert passwords["admin"] == stack.password
    for user, password in passwords.items():
        assert _token(stack, user, password)
    with pytest.raises(HTTPError) as refused:
        _token(stack, "admin", "wrong")
    with refused.value as answer:
        assert answer.code == 401
    logs = [path.read_text(errors="replace") for path in (stack.home / "logs").glob("*.log")]
    assert logs
    assert not any(secret in log for log in logs for secret in passwords.values())


def _token(stack: local.Stack, user: str, password: str) -> str:
    request = Request(
        f"{stack.airflow_url}/auth/token",
        data=json.dumps({"username": user, "password": password}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=60) as response:
        return str(json.load(response)["access_token"])


def _mlflow_answers_whom_it_knows_on_this_machine(
    stack: local.Stack, login: MlflowLoginSettings
) -> None:
    person = f"{login.mlflow_username}:{login.mlflow_password}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(person).decode()}"}
    with urlopen(Request(stack.mlflow_url, headers=headers), timeout=60) as response:
        assert b"MLflow" in response.read()
    with pytest.raises(HTTPError) as unknown:
        urlopen(stack.mlflow_url, timeout=60)
    with unknown.value as answer:
        assert answer.code == 401
    with pytest.raises(HTTPError) as refused:
        urlopen(
            Request(
                f"{stack.mlflow_url}/ajax-api/2.0/mlflow/experiments/search",
                headers=headers | {"Host": "elsewhere.example"},
            ),
            timeout=60,
        )
    with refused.value as answer:
        assert answer.code == 403


def _the_shell_can_use_it(layout: Layout) -> None:
    script = 'set -a; . "$0"; exec "$1" -m airflow dags list --output json'
    done = subprocess.run(
        ["sh", "-c", script, str(layout.environment), sys.executable],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(layout.home)},
    )
    assert done.returncode == 0, done.stderr
    assert any(each["dag_id"] == "nightly_fleet" for each in json.loads(_last_line(done.stdout)))


def _the_command_line_tells_the_same() -> None:
    app = typer.Typer()
    commands.register(app)
    told = CliRunner().invoke(app, ["status", "--json"])
    assert told.exit_code == 0
    assert [each["name"] for each in json.loads(told.stdout)] == list(_states())
    table = CliRunner().invoke(app, ["status"])
    assert all(name in table.stdout for name in _states())


def _note_something() -> None:
    connection = psycopg2.connect(database_settings().database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("insert into recfleet.tenant (tenant_id, name) values ('noted', '42')")
    connection.close()


def _server(layout: Layout) -> local.PostgresServer:
    port = int(os.environ["RECFLEET_POSTGRES_PORT"])
    return local.PostgresServer(layout.postgres, port)


def _make_mlflow_unusable(layout: Layout) -> None:
    server = _server(layout)
    server.start()
    connection = psycopg2.connect(server.url("mlflow"))
    with connection, connection.cursor() as cursor:
        cursor.execute("update alembic_version set version_num = 'of a later version'")
    connection.close()
    server.stop()


def _something_was_kept(layout: Layout) -> None:
    server = _server(layout)
    server.start()
    connection = psycopg2.connect(server.url("recfleet"))
    with connection, connection.cursor() as cursor:
        cursor.execute("select name from recfleet.tenant where tenant_id = 'noted'")
        assert cursor.fetchone() == ("42",)
    connection.close()
    server.stop()


def _last_line(text: str) -> str:
    """The last line, after the warnings that Airflow prints first."""
    return text.strip().splitlines()[-1]
