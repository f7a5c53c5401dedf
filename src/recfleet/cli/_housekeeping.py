"""``recfleet housekeeping``: take away what is past retention."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from recfleet.cli._output import AsJson, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("housekeeping")(housekeeping_command)


def housekeeping_command(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, and say what would go.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Drop lists, runs, versions and records past retention, and files nobody needs.

    The same as the DAG fleet_housekeeping does every noon. What is live, champion or previous
    stays, however old it is. How long the rest stays is said by the settings RECFLEET_KEEP_…,
    see docs/housekeeping.md.
    """
    from recfleet.fleet import PARTS, keep_house

    done = [keep_house(part, dry_run=dry_run) for part in PARTS]
    if as_json:
        print_json([asdict(part) for part in done])
        return
    print_table(
        "Would go" if dry_run else "Gone",
        [
            {"part": part.name, "what": what, "how many": count}
            for part in done
            for what, count in part.gone.items()
        ],
        ["part", "what", "how many"],
        right=frozenset({"how many"}),
    )
    print_table(
        "Past retention, and kept",
        [
            {"part": part.name, "what": what, "how many": count}
            for part in done
            for what, count in part.kept.items()
            if count
        ],
        ["part", "what", "how many"],
        right=frozenset({"how many"}),
        empty="Nothing past retention had to be kept.",
    )
    for part in done:
        for note in part.notes:
            typer.echo(f"{part.name}: {note}")
