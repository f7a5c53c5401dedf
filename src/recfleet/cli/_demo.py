"""``recfleet demo``: three nights on one machine, from nothing to lists."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from recfleet.database import Connection
from recfleet.errors import BadInputError, RecfleetError
from recfleet.fleet import finished_night
from recfleet.terminal.output import console

ONLINE_RETAIL_NIGHTS = (
    datetime(2011, 11, 25, tzinfo=UTC),
    datetime(2011, 12, 2, tzinfo=UTC),
    datetime(2011, 12, 10, tzinfo=UTC),
)
_EXPERIMENTS = {
    "violet-teahouse-0024": ("nothing", "does recommending bring anything?"),
    "silver-petshop-0011": ("popular", "are personal lists better than popular products?"),
}
"""Tenant -> what the champion is compared with, and why."""


def register(app: typer.Typer) -> None:
    """Add the command and ``migrate``."""
    app.command("demo")(demo)
    app.command("migrate")(migrate_command)


def migrate_command() -> None:
    """Create or upgrade recfleet's tables for this version.

    `recfleet up` does this by itself. In a larger installation, run it once before the workers
    start, with RECFLEET_ADMIN_DATABASE_URL as the address of an administrator of the server: the
    command makes the database's roles and gives them the passwords of recfleet's other addresses.
    """
    from recfleet import settings
    from recfleet.database import admit, migrate

    migrate()
    if admin_url := settings.administrator_settings().admin_database_url:
        admit(
            admin_url,
            settings.database_settings().database_url,
            settings.pages_settings().pages_database_url,
            settings.application_settings().application_database_url,
            settings.api_settings().api_database_url,
        )
    console().print("recfleet's tables are up to date.")


def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            help="The UCI Online Retail file (csv, csv.gz or xlsx), for one tenant per country. "
            "By default 24 synthetic tenants."
        ),
    ] = None,
) -> None:
    """Run three nights on this machine, from data to lists, and to what came of them.

    The demo starts the services, loads data, runs the nights through Airflow and shows the results.
    In the weeks between the nights, the customers of its synthetic tenants see the lists and answer
    them, as `recfleet simulate` does it; two of these tenants run an experiment. The demo uses the
    services, data and nights of an earlier one again.
    """
    from recfleet.cli._night import show_night
    from recfleet.cli._stack import bring_up, show_addresses

    if data is not None and not data.is_file():
        raise BadInputError(f"There is no file {data}: set DATA to the Online Retail file.")
    bring_up()
    from recfleet.database import connect

    nights = _synthetic_nights() if data is None else ONLINE_RETAIL_NIGHTS
    with closing(connect()) as connection:
        tenants = _bring_data(connection, data)
        if data is None and not finished_night(connection, nights[0], tenants):
            _start_experiments(connection, nights[0])
        for number, as_of in enumerate(nights, start=1):
            if data is None:
                _let_days_pass(connection, as_of, tenants)
            _run_night(connection, as_of, tenants, f"Night {number} of {len(nights)}")
        for as_of in nights:
            console().print()
            show_night(connection, str(finished_night(connection, as_of, tenants)))
        console().print("`recfleet night show --full` and `recfleet tenant show` show the details.")
        if data is None:
            tenant_id = next(iter(_EXPERIMENTS))
            console().print(
                f"`recfleet kpi {tenant_id}` tells what recommending brings, and `recfleet "
                f"experiment show {tenant_id}` how the experiment stands."
            )
    show_addresses()


def _synthetic_nights() -> tuple[datetime, ...]:
    from recfleet.synthetic import DEMO_NIGHTS

    return tuple(datetime.combine(day, time(), UTC) for day in DEMO_NIGHTS)


def _bring_data(connection: Connection, data: Path | None) -> list[str]:
    """Load the demo's data; returns its tenants."""
    from recfleet.cli._ingest import ingest_online_retail
    from recfleet.cli._seed import seed_demo

    return seed_demo(connection) if data is None else ingest_online_retail(connection, data)


def _start_experiments(connection: Connection, now: datetime) -> None:
    """Begin the comparisons of two tenants; what an earlier, broken demo has begun goes on."""
    from recfleet.experiments import Wanted, experiments_of, start_experiment
    from recfleet.operations import arm_model
    from recfleet.terminal.actor import actor

    for tenant_id, (arm, reason) in _EXPERIMENTS.items():
        if not experiments_of(connection, tenant_id):
            start_experiment(
                connection,
                tenant_id,
                Wanted(arms=("champion", arm), planned=400),
                model_of=partial(arm_model, connection, tenant_id),
                actor=actor(),
                reason=f"the demo asks: {reason}",
                now=now,
            )
            console().print(f"{tenant_id} compares its lists with {arm}: {reason}")


def _let_days_pass(connection: Connection, as_of: datetime, tenants: list[str]) -> None:
    """Have customers answer the lists of the night before, until a night's day."""
    from recfleet.cli._simulate import simulate_demo

    simulate_demo(connection, tenants, as_of.date())


def _run_night(connection: Connection, as_of: datetime, tenants: list[str], title: str) -> None:
    from recfleet.cli._night import follow_night, trigger_night
    from recfleet.settings import airflow_settings
    from recfleet.terminal.airflow import AirflowClient

    out = console()
    out.print()
    out.print(f"{title}, as of {as_of:%Y-%m-%d}", style="bold")
    if finished_night(connection, as_of, tenants):
        out.print("This night has run before; using its result.")
        return
    with AirflowClient(airflow_settings()) as airflow:
        run_id = trigger_night(airflow, {"as_of": as_of.isoformat(), "tenants": tenants})
        if not follow_night(connection, airflow, run_id):
            raise RecfleetError(
                f"The night as of {as_of:%Y-%m-%d} failed. `recfleet night show` tells how far "
                "each tenant came. Run `make demo` again to retry."
            )
