"""``recfleet up``, ``down``, ``status``: the services on this machine."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

import typer

from recfleet.local import Stack
from recfleet.terminal.output import AsJson, console, print_json, print_table

_MEGABYTE = 1024 * 1024


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)


def up() -> None:
    """Start Postgres, MLflow, Airflow and the HTTP service on this machine.

    The command waits until they answer. They run in the background, on loopback only, and keep
    their data in the folder RECFLEET_HOME (.recfleet by default). Running services are kept, dead
    ones are restarted. Set the ports with RECFLEET_AIRFLOW_PORT (8080), RECFLEET_MLFLOW_PORT
    (5000), RECFLEET_API_PORT (8090) and RECFLEET_POSTGRES_PORT (54329), and the number of tasks at
    once with RECFLEET_WORKERS (2).

    For the plain `airflow` and `mlflow` commands: `set -a; . .recfleet/stack.env; set +a`.
    """
    bring_up()
    show_addresses()


def down() -> None:
    """Stop what `recfleet up` started; keep all data."""
    from recfleet import local

    with _progress("Stopping") as say:
        stopped = local.down(say)
    if stopped:
        console().print(f"Stopped {', '.join(stopped)}. The data is kept; `recfleet up` resumes.")
    else:
        console().print("Nothing was running.")


def status(as_json: AsJson = False) -> None:
    """Show each service's state, address, pid, memory and log.

    Exit code 1: some service is not running.
    """
    from recfleet import local

    services = local.status()
    if as_json:
        print_json([asdict(service) for service in services])
    else:
        rows = [
            {
                "service": service.name,
                "state": service.state,
                "address": service.address,
                "pid": service.pid,
                "MB": None if service.memory is None else f"{service.memory / _MEGABYTE:.0f}",
                "log": service.log,
            }
            for service in services
        ]
        columns = ("service", "state", "address", "pid", "MB", "log")
        print_table("Services", rows, columns, right=frozenset({"pid", "MB"}))
    if any(service.state != "running" for service in services):
        raise typer.Exit(1)


def bring_up() -> Stack:
    """Start the stack, showing progress."""
    from recfleet import local

    title = "Starting Postgres, MLflow, Airflow and the HTTP service"
    with _progress(title) as say, _termination_as_interrupt():
        stack = local.up(say)
        if stack.reused:
            say("everything was running already")
    return stack


def show_addresses() -> None:
    """Print where the pages are, and the login."""
    from recfleet.settings import airflow_settings, link_settings, mlflow_login_settings

    known, login = airflow_settings(), mlflow_login_settings()
    out = console()
    out.print()
    out.print(
        f"Airflow   {known.airflow_url}   user {known.airflow_username}, "
        f"password {known.airflow_password}"
    )
    out.print(
        f"MLflow    {link_settings().mlflow_url}   user {login.mlflow_username}, "
        f"password {login.mlflow_password}"
    )
    out.print(f"API       {api_address()}   keys: recfleet key create")
    out.print("Stop it   make down (or recfleet down)", style="dim")


def api_address() -> str:
    """Where the HTTP service listens on this machine."""
    from recfleet.settings import api_settings

    return f"http://127.0.0.1:{api_settings().api_port}"


@contextlib.contextmanager
def _progress(title: str) -> Iterator[Callable[[str], None]]:
    """Lines with the seconds since the beginning; on a terminal also a spinner."""
    begin = time.monotonic()
    out = console()

    def say(line: str) -> None:
        out.print(f"{time.monotonic() - begin:6.1f} s  {line}", markup=False)

    if out.is_terminal:
        with out.status(title):
            yield say
    else:
        out.print(title)
        yield say


@contextlib.contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that the services it started are stopped."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
