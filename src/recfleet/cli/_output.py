"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

_PIPE_WIDTH = 200


def console() -> Console:
    """Standard output; wide when nobody looks, so that no cell is cut in a pipe or a log."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def say_error(text: str) -> None:
    """Print one sentence on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        Text.assemble(("error: ", "bold red"), text)
    )


def print_json(value: object) -> None:
    """Print a value as JSON; times as ISO 8601."""
    print(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: object) -> object:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value)


def print_table(
    title: str,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    right: frozenset[str] = frozenset(),
    cut: frozenset[str] = frozenset(),
    empty: str = "Nothing to show.",
) -> None:
    """Print rows as a table; text from tenants is text, never markup.

    Args:
        title: above the table.
        rows: column name -> value.
        columns: their names, in order; the names are the heads.
        right: columns of numbers, set to the right.
        cut: columns of long texts, cut to what fits on one line.
        empty: said in place of a table without rows.
    """
    rows = list(rows)
    if not rows:
        console().print(Text(empty))
        return
    table = Table(title=title, title_justify="left", title_style="bold", expand=bool(cut))
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            overflow="ellipsis" if column in cut else "fold",
            no_wrap=bool(cut),
            ratio=1 if column in cut else None,
        )
    for row in rows:
        table.add_row(*(Text(_printable(_cell(row.get(column)))) for column in columns))
    console().print(table)


def _printable(text: str) -> str:
    """The text with control characters written out: tenants' text cannot steer a terminal."""
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
