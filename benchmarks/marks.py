"""Tables on a page of docs/: each stands between two marks, and is written anew between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def write_tables(page: Path, tables: Mapping[str, str | Sequence[str]]) -> None:
    """Put each table between its marks, ``<!-- name -->`` and ``<!-- end of name -->``.

    Args:
        page: a page of Markdown, with the marks.
        tables: name -> the table, as text or as its lines.

    Raises:
        SystemExit: the page has no place for a table; it was not changed.
    """
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        lines = table if isinstance(table, str) else "\n".join(table)
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, ends, after = rest.partition(end)
        if not (found and ends):
            raise SystemExit(f"{page} has no place for the table {name!r}: {begin} … {end}")
        text = f"{before}{begin}\n{lines}\n{end}{after}"
    page.write_text(text, encoding="utf-8")
