"""The tables and views that the SQL in a Python file names.

SQL is text between Python's quotes, so it is recognised by its look. The patterns know the
forms that this project writes; ``tests/test_tables_named.py`` has each of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_STATEMENT = re.compile(
    r"\b(?:select|join|delete\s+from|insert\s+into|update\s+\w+\s+set|copy|truncate"
    r"|(?:lock|alter|create|drop)\s+table)\b",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"--[^\n]*")
# A name before a point belongs to a column: `is distinct from champion.version`.
_NAME = r"(?:recfleet\.)?(\w+)\b(?!\.)"
_PLACE = re.compile(
    rf"\b(?:from|join|into|update|copy|using|truncate|table)\s+(?:only\s+)?{_NAME}", re.IGNORECASE
)
_NEXT_IN_LIST = re.compile(rf"(?:\s+(?:as\s+)?\w+)?\s*,\s*{_NAME}", re.IGNORECASE)
_WITH_SCHEMA = re.compile(r"\brecfleet\.(\w+)")
_NAMED_QUERY = re.compile(r"\b(\w+)\s+as\s+(?:(?:not\s+)?materialized\s+)?\(", re.IGNORECASE)
_TAKES_A_TABLE = {"copy_rows", "Identifier"}
"""Functions that put a table's name into a statement."""


def tables_named(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of everything that a file's SQL reads or writes, tables or not, in no order."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for line, text in _texts(tree):
        for place, name in names_in(text):
            yield line + text.count("\n", 0, place), name
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in _TAKES_A_TABLE:
            for given in node.args:
                if isinstance(given, ast.Constant) and isinstance(given.value, str):
                    yield given.lineno, given.value


def names_in(text: str) -> Iterator[tuple[int, str]]:
    """Place and name of what a text reads or writes, if it is SQL; names of inner queries
    excluded."""
    text = _COMMENT.sub(lambda found: " " * len(found[0]), text)
    if not _STATEMENT.search(text):
        return
    own = {found[1].lower() for found in _NAMED_QUERY.finditer(text)}
    for found in (*_in_place(text), *_WITH_SCHEMA.finditer(text)):
        if found[1].lower() not in own:
            yield found.start(1), found[1].lower()


def _in_place(text: str) -> Iterator[re.Match[str]]:
    """The names where a statement expects a table, and those that follow after commas."""
    for found in _PLACE.finditer(text):
        name: re.Match[str] | None = found
        while name is not None:
            yield name
            name = _NEXT_IN_LIST.match(text, name.end())


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string except docstrings; an f-string's value counts as one word."""
    parts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            yield node.lineno, "".join(map(_text_of, node.values))
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts
        ):
            yield node.lineno, node.value


def _text_of(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "put_in"


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
