"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recfleet.stored import Stored

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

_PIPE_WIDTH = 1000
_LEAST_CUT = 30


def console() -> Console:
    """Standard output; wide without a terminal, so that no cell is cut in a pipe or a log."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def say_error(text: str) -> None:
    """Print one sentence on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        Text.assemble(("error: ", "bold red"), text)
    )


def say_note(text: str) -> None:
    """Print a note for people on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"note: {text}"))


@contextmanager
def progress(what: str, count: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error during work on several items; no bar for one, or without a terminal.

    Args:
        what: the work, in words.
        count: how many items there are.

    Yields:
        A function to call after each item.
    """
    from rich.progress import Progress

    err = Console(stderr=True)
    if count == 1 or not err.is_terminal:
        yield lambda: None
        return
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task(what, total=count)
        yield lambda: bar.advance(task)


def print_json(value: object) -> None:
    """Print a value as JSON; times as ISO 8601."""
    print(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: object) -> object:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value.plain() if isinstance(value, Stored) else str(value)


def print_table(
    title: str,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    right: frozenset[str] = frozenset(),
    cut: str | None = None,
    drop: Sequence[str] = (),
    empty: str = "Nothing to show.",
) -> None:
    """Print rows as a table; text from tenants is text, never markup.

    Args:
        title: above the table.
        rows: column name -> value.
        columns: their names, in order, which are also the heads.
        right: columns of numbers, aligned to the right.
        cut: a column of long texts. Each row is then one line, and on a terminal this column is cut
            to the remaining width; if hardly any remains, rows have several lines.
        drop: columns to leave out if the terminal is too narrow, in this order.
        empty: printed instead of a table without rows.
    """
    cells = [{name: printable(_cell(row.get(name))) for name in columns} for row in rows]
    out = console()
    if not cells:
        out.print(Text(empty))
        return
    widths = {name: max(cell_len(line[name]) for line in [*cells, _head(name)]) for name in columns}
    if out.is_terminal:
        room = _room(out.width, widths, columns, cut, drop)
    else:
        room = _Room(columns, widths.get(cut or ""), is_line=cut is not None)
        out.width = max(out.width, sum(map(_taken, widths.values())) + 1)
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in room.columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            overflow="ellipsis" if room.is_line else "fold",
            no_wrap=room.is_line,
            width=room.cut if room.is_line and column == cut else None,
        )
    for line in cells:
        table.add_row(*(Text(line[column]) for column in room.columns))
    out.print(table)


def _head(column: str) -> dict[str, str]:
    return {column: max(column.split("\n"), key=len)}


@dataclass(frozen=True)
class _Room:
    """The part of a table for which there is room."""

    columns: Sequence[str]
    cut: int | None
    """Width of the cut column, in characters."""
    is_line: bool
    """Whether each row is one line; otherwise texts continue on the next line."""


def _room(
    width: int,
    widths: Mapping[str, int],
    columns: Sequence[str],
    cut: str | None,
    drop: Sequence[str],
) -> _Room:
    """The part of a table that fits into this many characters side by side."""
    if cut is None:
        return _Room(columns, None, is_line=False)
    others, longest = [name for name in columns if name != cut], widths[cut]
    least = min(longest, _LEAST_CUT)
    for column in [None, *drop]:
        others = [name for name in others if name != column]
        left = width - 1 - sum(_taken(widths[name]) for name in others) - _taken(0)
        if left >= least:
            break
    kept = [name for name in columns if name == cut or name in others]
    return _Room(kept, min(left, longest), is_line=left >= least)


def _taken(width: int) -> int:
    """The characters that a column of that width takes, with its border and spaces."""
    return width + 3


def printable(text: str) -> str:
    """The text with control characters escaped, so that tenants' text cannot control a terminal.

    Args:
        text: of any origin; line breaks are escaped too.
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
