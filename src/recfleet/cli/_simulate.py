"""``recfleet simulate``: days in which customers of synthetic tenants see lists and answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from recfleet.errors import BadInputError
from recfleet.terminal.output import AsJson, console, print_json, print_table
from recfleet.terminal.selection import Tenants

if TYPE_CHECKING:
    from collections.abc import Callable

    from recfleet.database import Connection
    from recfleet.simulation import Passed

_LISTED = 40


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate_command)


def simulate_command(
    tenants: Tenants = None,
    *,
    days: Annotated[
        int | None,
        typer.Option(min=1, help="How many days pass for each tenant.", show_default=False),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="Instead of --days: the days before this one pass, so that a night as of this day "
            "sees all of them.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Another number gives other answers of the same customers. By default the seed "
            "of the synthetic tenants.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let days pass: customers of synthetic tenants see their live lists, and answer.

    A day begins where the history ends. Customers come by themselves or open what was sent, see the
    lists that applications would show, accept, reject and buy by rules that docs/simulation.md has.
    Purchases, events and exposures are stored with the times of those days. What customers would
    have bought without lists is known, and so is what the lists have brought.

    The lists are those of the last night. To let three weeks pass with a night after each:

    `recfleet simulate --days 7`, then `recfleet night run --as-of DATE --wait`, three times

    Without names, all synthetic tenants take part. Other tenants are refused: invented purchases
    would be mixed with real ones. After an interruption, the same command with --as-of goes on.
    """  # fmt: skip
    from recfleet.database import connect

    if (days is None) == (as_of is None):
        raise BadInputError("Say how long: with one of --days N and --as-of DATE.")
    until = None if as_of is None else _day(as_of)
    with closing(connect()) as connection:
        passed = _simulate(connection, tenants, days, until, seed)
    if as_json:
        print_json([_plain(one) for one in passed])
    else:
        _show(passed)


def simulate_demo(connection: Connection, tenants: list[str], until: date) -> None:
    """Let the days before a night of the demo pass, and say what came of them."""
    passed = _simulate(connection, tenants, None, until, None)
    if passed:
        out = console()
        out.print()
        out.print(f"Customers see the lists, until {until}", style="bold")
        _say(passed)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"--as-of {text} is no date: write it like 2025-12-28.") from None


def _simulate(
    connection: Connection,
    tenants: Sequence[str] | None,
    days: int | None,
    until: date | None,
    seed: int | None,
) -> list[Passed]:
    from recfleet.simulation import simulate

    with _progress_bar() as progress:
        return simulate(
            connection, tenants or None, days=days, until=until, seed=seed, progress=progress
        )


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} days of tenants"),
        TimeRemainingColumn(),
    )
    out = Console(stderr=True)
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("simulating", total=1)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(passed: list[Passed]) -> None:
    largest = sorted(passed, key=lambda one: -one.revenue)[:_LISTED]
    if passed:
        print_table(
            f"{len(passed)} tenants" if len(passed) <= _LISTED else f"{_LISTED} largest tenants",
            [_row(one) for one in passed if one in largest],
            list(_row(passed[0])),
            right=frozenset(_row(passed[0])) - {"tenant", "until"},
        )
    _say(passed)


def _say(passed: list[Passed]) -> None:
    """Say in sentences what came of the days."""
    out = console()
    if not passed:
        out.print("Nothing to simulate: these days have passed before.")
        return
    revenue, without = (
        sum(getattr(one, name) for one in passed) for name in ("revenue", "revenue_without")
    )
    days = max((one.until - one.since).days for one in passed)
    out.print(
        f"{days} days have passed for {len(passed)} synthetic tenants, until "
        f"{max(one.until for one in passed)}. Customers asked for {_all(passed, 'asked')} lists "
        f"and were sent {_all(passed, 'sent')}; they saw {_all(passed, 'shown')} products in them, "
        f"accepted {_all(passed, 'accepted')} and rejected {_all(passed, 'rejected')}.",
        markup=False,
    )
    out.print(
        f"They bought for {revenue:,.0f}. Without any list it would have been {without:,.0f}, so "
        f"the lists have brought {revenue - without:+,.0f} ({(revenue - without) / without:+.1%}).",
        markup=False,
    )
    if silent := sum(not one.is_served for one in passed):
        out.print(f"{silent} of the tenants showed no lists: they are off, or have none yet.")


def _all(passed: list[Passed], name: str) -> str:
    return f"{sum(getattr(one, name) for one in passed):,}"


def _row(one: Passed) -> dict[str, Any]:
    return {
        "tenant": one.tenant_id,
        "until": one.until,
        "asked": f"{one.asked:,}",
        "sent": f"{one.sent:,}",
        "shown": f"{one.shown:,}",
        "accepted": f"{one.accepted:,}",
        "purchases": f"{one.purchases:,}",
        "revenue": f"{one.revenue:,.0f}",
        "without lists": f"{one.revenue_without:,.0f}",
        "brought": f"{one.incremental:+,.0f}",
    }


def _plain(one: Passed) -> dict[str, Any]:
    money = {"revenue": one.revenue, "revenue_without": one.revenue_without}
    money["incremental"] = one.incremental
    return asdict(one) | {name: round(value, 2) for name, value in money.items()}
