"""All commands together, and how errors are shown."""

from __future__ import annotations

import importlib
import sys

import typer

from recfleet.errors import RecfleetError
from recfleet.terminal.output import say_error

app = typer.Typer(
    name="recfleet",
    help="One recommender per tenant, retrained, judged and published every night.",
    epilog="A first look: `recfleet up`, `recfleet seed --tenants 24 --seed 7`, "
    "`recfleet night run --as-of 2025-12-28 --wait`, `recfleet tenant list`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)

# In the order in which a newcomer meets them.
for _room in (
    "stack",
    "demo",
    "seed",
    "simulate",
    "ingest",
    "feed",
    "night",
    "backfill",
    "tenant",
    "recommend",
    "campaign",
    "reports",
    "experiment",
    "champions",
    "approvals",
    "access",
    "key",
    "api",
    "audit",
    "doctor",
    "housekeeping",
):
    importlib.import_module(f"recfleet.cli._{_room}").register(app)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def main() -> None:
    """Run the command line; exit with 2 if the person has to fix something."""
    import psycopg2.errors

    try:
        app()
    except RecfleetError as error:
        say_error(str(error))
        sys.exit(2)
    except psycopg2.OperationalError as error:
        say_error(
            f"Postgres does not answer ({_first_line(error)}). "
            "`recfleet status` shows what is running, and `recfleet up` starts it."
        )
        sys.exit(2)
    except psycopg2.errors.UndefinedTable as error:
        say_error(
            f"The database lacks recfleet's tables ({_first_line(error)}): `recfleet migrate` "
            "creates them."
        )
        sys.exit(2)
    except (psycopg2.ProgrammingError, OSError, UnicodeEncodeError) as error:
        say_error(f"{_first_line(error)}.")
        sys.exit(2)
    except KeyboardInterrupt:
        say_error("Interrupted.")
        sys.exit(130)
