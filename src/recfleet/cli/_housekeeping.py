"""``recfleet housekeeping``: delete what is past retention."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from recfleet.terminal.output import AsJson, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("housekeeping")(housekeeping_command)


def housekeeping_command(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be deleted, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete data past retention.

    These are lists, runs, versions and records past retention, and files without a run. The DAG
    fleet_housekeeping deletes the same every noon. What is live, champion or previous stays,
    however old it is. The settings RECFLEET_KEEP_… say how long the rest stays; see
    docs/housekeeping.md.
    """
    from recfleet.housekeeping import PARTS, keep_house

    done = [keep_house(part, dry_run=dry_run) for part in PARTS]
    if as_json:
        print_json([asdict(part) for part in done])
        return
    print_table(
        "Would be deleted" if dry_run else "Deleted",
        [
            {"part": part.name, "what": what, "how many": count}
            for part in done
            for what, count in part.gone.items()
        ],
        ["part", "what", "how many"],
        right=frozenset({"how many"}),
    )
    print_table(
        "Kept past retention",
        [
            {"part": part.name, "what": what, "how many": count}
            for part in done
            for what, count in part.kept.items()
            if count
        ],
        ["part", "what", "how many"],
        right=frozenset({"how many"}),
        empty="Nothing past retention was kept.",
    )
    for part in done:
        for note in part.notes:
            typer.echo(f"{part.name}: {note}")
