"""``recfleet events``: what came of answers, from files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recfleet.terminal.output import AsJson, console, print_json, say_note

if TYPE_CHECKING:
    from recfleet.feedback import Acknowledged, Tally

_SHOWN = 20
"""Most refused lines of a file that are printed."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("events")(events)


def events(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="CSV, or JSON lines.")],
    *,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", help="A file for what became of each line, as JSON lines; it is replaced."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store what came of answers: shown, accepted, rejected, bought.

    A line is an event with the fields of POST /events: id, kind and product; perhaps customer,
    answer, position, happened_at with its offset from UTC, quantity and amount. Each line is stored
    or refused by itself. An id that is there already changes nothing, so a file may be read again,
    also after a kill. A file whose name ends in .gz is unpacked.
    """
    from recfleet.database import connect
    from recfleet.feedback import load_events
    from recfleet.tenants import check_tenants

    with closing(connect()) as connection, _report(report) as write:
        check_tenants(connection, [tenant_id])
        connection.rollback()
        done: dict[str, Tally] = {}
        for path in files:
            shown = _Shown(path)

            def told(one: Acknowledged, path: Path = path, shown: _Shown = shown) -> None:
                write(path, one)
                shown.see(one)

            done[str(path)] = load_events(connection, tenant_id, path, told)
            if not as_json:
                console().print(f"{path}: {_in_words(done[str(path)])}.")
    if as_json:
        print_json({path: asdict(tally) for path, tally in done.items()})


class _Shown:
    """Prints a file's first refused lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._refused = 0

    def see(self, one: Acknowledged) -> None:
        if one.status != "refused":
            return
        self._refused += 1
        if self._refused <= _SHOWN:
            say_note(f"{self._path}, line {one.line}: {one.detail}")
        elif self._refused == _SHOWN + 1:
            say_note("More lines are refused: --report FILE writes all of them.")


@contextmanager
def _report(path: Path | None) -> Iterator[Callable[[Path, Acknowledged], None]]:
    if path is None:
        yield lambda _path, _one: None
        return
    with path.open("w", encoding="utf-8") as out:
        yield lambda file, one: print(
            json.dumps({"file": str(file), **asdict(one)}, ensure_ascii=False), file=out
        )


def _in_words(tally: Tally) -> str:
    parts = [
        f"{count:,} {what}"
        for what, count in (
            ("stored", tally.stored),
            ("there already", tally.repeated),
            ("refused", tally.refused),
        )
        if count
    ]
    odd = [f"{count:,} {what}" for what, count in tally.standings.items() if what != "in time"]
    return (", ".join(parts) or "no events") + (f" ({', '.join(odd)})" if odd else "")
