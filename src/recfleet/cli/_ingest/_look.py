"""What a file would be read as, for ``recfleet ingest FILE --dry-run``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from recfleet.database import Connection
from recfleet.terminal.output import console, print_json, print_table

if TYPE_CHECKING:
    from recfleet.interactions import Look, Reading

_NAMED = 5


def show_look(
    connection: Connection, file: Path, fields: dict[str, Any], how: Reading, *, as_json: bool
) -> None:
    """Look at a file, and show what would be read."""
    from recfleet.interactions import look

    seen = look(connection, file, fields, how)
    if as_json:
        print_json(asdict(seen))
        return
    out = console()
    for sentence in _sentences(seen):
        out.print(Text(sentence))
    if seen.first:
        shown = [
            {name: value for name, value in row.items() if value is not None} for row in seen.first
        ]
        columns = [name for name in seen.first[0] if any(name in row for row in shown)]
        print_table("First lines, as they would be stored", shown, columns)
    if seen.unusable:
        rows = [{"reason": reason, "lines": lines} for reason, lines in seen.unusable.items()]
        print_table("Unusable lines", rows, ["reason", "lines"], right=frozenset({"lines"}))
    if seen.trouble:
        out.print(Text(f"It would be refused: {seen.trouble}"))
    out.print(Text(f"Nothing was stored. To load it so: {_command(file, seen)}"))


def _sentences(seen: Look) -> Iterator[str]:
    form = [seen.kind]
    form += [seen.encoding] if seen.encoding else []
    form += [f"separator {seen.delimiter!r}"] if seen.delimiter else []
    form += ["header" if seen.form.has_header else "no header"]
    form += [f"{seen.form.skip_lines} lines above it"] if seen.form.skip_lines else []
    yield f"{seen.source}: {', '.join(form)}; columns {', '.join(map(repr, seen.columns))}."
    yield from seen.notes
    says = [f"{name.removesuffix('_column')} {value!r}" for name, value in _columns(seen)]
    yield f"Read as: {', '.join(says) or 'nothing'}."
    if not seen.lines:
        return
    unusable = seen.lines - seen.usable
    worth = seen.lost_amount / seen.amount if seen.amount else 0.0
    yield (
        f"{seen.lines:,} lines, of which {unusable:,} are unusable: {unusable / seen.lines:.1%} of "
        f"the lines, {worth:.1%} of the amount."
    )
    if seen.begin and seen.end:
        yield f"From {seen.begin:%Y-%m-%d %H:%M} to {seen.end:%Y-%m-%d %H:%M} UTC."
    new = ", ".join(seen.new_tenants[:_NAMED])
    more = ", …" if len(seen.new_tenants) > _NAMED else ""
    named = f" ({new}{more})" if new else ""
    yield (
        f"{seen.tenants:,} tenants, {len(seen.new_tenants):,} of them new{named}; "
        f"{seen.customers:,} customers, {seen.new_customers:,} of them new; "
        f"{seen.products:,} products."
    )


def _columns(seen: Look) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in seen.mapping.items() if name.endswith("_column")]


def _command(file: Path, seen: Look) -> str:
    words = ["recfleet", "ingest", str(file)]
    for name, value in seen.mapping.items():
        if name in ("keep", "missing"):
            continue
        option = "--tenant" if name == "tenant_id" else f"--{name.replace('_', '-')}"
        words += [option, str(value)]
    for column, values in seen.mapping.get("keep", {}).items():
        words += [word for value in values for word in ("--keep", f"{column}={value}")]
    for word in seen.mapping.get("missing", ()):
        words += ["--missing", word]
    form = seen.form
    words += (
        ["--delimiter", "tab" if form.delimiter == "\t" else form.delimiter]
        if form.delimiter
        else []
    )
    words += ["--encoding", form.encoding] if form.encoding else []
    words += ["--sheet", form.sheet] if form.sheet else []
    words += [] if form.has_header else ["--no-header"]
    words += ["--skip-lines", str(form.skip_lines)] if form.skip_lines else []
    return shlex.join(words)
