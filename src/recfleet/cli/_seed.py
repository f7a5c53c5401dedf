"""``recfleet seed``: synthetic tenants, to try things out and to measure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.terminal.output import AsJson, console, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from recfleet.synthetic import Fleet, SeededTenant, SeedReport, World

_LISTED = 40


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("seed")(seed_command)


def seed_command(
    *,
    tenants: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many. By default the existing ones, or 24.", show_default=False
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Another number gives another fleet of the same kind. By default 7.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="History ends before this day, so a night as of this day sees all of it. By "
            "default 2025-12-28, or the end of the existing history.",
            show_default=False,
        ),
    ] = None,
    weeks: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Weeks of history of a new fleet. By default history begins on 2025-06-29, 26 "
            "weeks before the default end.",
            show_default=False,
        ),
    ] = None,
    broken: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            show_default=False,
            help="Share of tenants whose data breaks in the last week of a new fleet's history: "
            "missing customers, dates in the future, wrong types, repeated days, prices of zero or "
            "a sudden fall in volume. By default 0.03.",
        ),
    ] = None,
    thin: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            show_default=False,
            help="Share of tenants with too few customers to train on. By default 0.02.",
        ),
    ] = None,
    drift: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            show_default=False,
            help="Share of tenants whose tastes change every few weeks. By default 0.1.",
        ),
    ] = None,
    staples: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            show_default=False,
            help="Share of the lines that are of products which the customer buys again and again, "
            "each at an interval of its own. By default 0.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create synthetic tenants with known tastes.

    A fleet depends only on --seed, --weeks and the shares: on any machine it has the same tenants,
    with the same interactions on the same days. The same command again adds nothing. To extend an
    existing fleet, give a later --until or more --tenants, without the other options:

    `recfleet seed --tenants 200 --seed 7`, then `recfleet seed --until 2025-12-29`
    """  # fmt: skip
    from recfleet.database import connect
    from recfleet.settings import database_settings
    from recfleet.synthetic import find_fleet

    end = None if until is None else _day(until)
    url = database_settings().database_url
    with closing(connect(url)) as connection:
        fleet = find_fleet(connection)
    asked = {"seed": seed, "broken": broken, "thin": thin, "drift": drift}
    asked["staples"] = staples
    world, end = _world(fleet, {k: v for k, v in asked.items() if v is not None}, weeks, end)
    count = tenants or (len(fleet.reached) if fleet else 24)
    report = _seed(url, world, count, end)
    if as_json:
        print_json(_plain(report))
    else:
        _show(report)


def seed_demo(connection: Connection) -> list[str]:
    """Create the demo's tenants, print them, and return their ids."""
    from recfleet.synthetic import DEMO_NIGHTS, DEMO_TENANTS, demo_world

    report = _seed(connection, demo_world(), DEMO_TENANTS, DEMO_NIGHTS[0])
    _show(report)
    return [tenant.traits.tenant_id for tenant in report.tenants]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"--until {text} is no date: write it like 2025-12-28.") from None


def _world(
    fleet: Fleet | None, asked: dict[str, Any], weeks: int | None, until: date | None
) -> tuple[World, date]:
    """The world to seed from: the given options, over the existing fleet or the defaults."""
    from pydantic import ValidationError

    from recfleet.synthetic import UNTIL, World

    there = fleet.world.model_dump() if fleet else {"seed": 7}
    until = until or (fleet.until if fleet else UNTIL)
    if weeks is not None and fleet is not None and fleet.world != _began(fleet.world, weeks, until):
        raise BadInputError(
            f"The existing synthetic tenants begin on {fleet.world.first_day}, and --weeks cannot "
            "change that: leave it out, or use another database."
        )
    try:
        world = World(**(there | asked))
    except ValidationError as error:
        raise BadInputError(
            f"This fleet is impossible: {error.errors()[0]['msg'].removeprefix('Value error, ')}."
        ) from None
    if fleet is None and weeks is not None:
        world = _began(world, weeks, until)
    return world, until


def _began(world: World, weeks: int, until: date) -> World:
    """The world with this many weeks before ``until``; breakage begins in the last of them."""
    changes = {
        "first_day": until - timedelta(weeks=weeks),
        "broken_from_week": max(weeks - 1, 0),
    }
    return world.model_copy(update=changes)


def _seed(database: Connection | str, world: World, tenants: int, until: date) -> SeedReport:
    from recfleet.synthetic import seed

    with _progress_bar() as progress:
        return seed(database, world, tenants=tenants, until=until, progress=progress)


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("seeding"),
        BarColumn(),
        TextColumn("about {task.completed:,.0f} of {task.total:,.0f} interactions"),
        TimeRemainingColumn(),
    )
    out = Console(stderr=True)
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("seeding", total=1)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(report: SeedReport) -> None:
    out = console()
    count = len(report.tenants)
    if report.nothing_new:
        out.print(
            f"Nothing to add: the {count} synthetic tenants of seed {report.world.seed} exist, "
            f"with their history before {report.until}.",
            markup=False,
        )
        return
    special = [tenant for tenant in report.tenants if _kind(tenant)]
    rows = [_row(report, tenant) for tenant in (report.tenants if count <= _LISTED else special)]
    title = f"{count} tenants" if count <= _LISTED else f"Special tenants among {count}"
    print_table(
        title,
        rows[:_LISTED],
        ["tenant", "kind", "since", "added", "unusable"],
        right=frozenset({"added", "unusable"}),
        empty=f"{count} tenants, none of them thin, drifting or broken.",
    )
    if len(rows) > _LISTED:
        out.print(f"… and {len(rows) - _LISTED} more; --json has all.", markup=False)
    unusable = ", ".join(f"{lines:,} {reason}" for reason, lines in report.unusable.items())
    out.print(
        f"Added {report.interactions:,} interactions before {report.until} in "
        f"{report.seconds:.1f} s" + (f"; unusable lines: {unusable}." if unusable else "."),
        markup=False,
    )


def _kind(tenant: SeededTenant) -> str | None:
    known = tenant.traits
    if known.trouble is not None:
        return f"broken: {known.trouble}"
    return "thin" if known.thin else "drifts" if known.drifts else None


def _row(report: SeedReport, tenant: SeededTenant) -> dict[str, Any]:
    known = tenant.traits
    drifted = known.drift_days(report.world, report.until)
    return {
        "tenant": known.tenant_id,
        "kind": _kind(tenant),
        "since": known.trouble_day or (drifted[-1] if drifted else None),
        "added": f"{tenant.interactions:,}",
        "unusable": f"{sum(tenant.unusable.values()):,}" if tenant.unusable else None,
    }


def _plain(report: SeedReport) -> dict[str, Any]:
    return {
        "world": report.world.model_dump(mode="json"),
        "until": report.until,
        "seconds": round(report.seconds, 3),
        "added": report.interactions,
        "unusable": report.unusable,
        "tenants": [
            {
                "tenant": tenant.traits.tenant_id,
                "size": round(tenant.traits.size),
                "thin": tenant.traits.thin,
                "drift_days": tenant.traits.drift_days(report.world, report.until),
                "trouble": tenant.traits.trouble,
                "trouble_day": tenant.traits.trouble_day,
                "added": tenant.interactions,
                "unusable": tenant.unusable,
            }
            for tenant in report.tenants
        ],
    }
