"""Events from files: each line stored or refused by itself, once, in bounded memory."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recfleet.cli import app
from recfleet.database import Connection, read_rows
from recfleet.errors import BadInputError
from recfleet.feedback import _load, load_events
from recfleet.settings import forget_settings
from recfleet.tenants import add_tenants

pytestmark = pytest.mark.postgres

JSON_LINES = [
    '{"id": "1", "kind": "shown", "product": "p", "customer": "c", "position": 1}',
    "",
    '{"id": "2", "kind": "seen", "product": "p"}',
    '{"id": "1", "kind": "bought", "product": "p"}',
    '{"id": "3", "kind"',
    '{"id": "4", "kind": "shown", "product": "p", "happened_at": "2020-01-01T00:00:00Z"}',
    f'{{"id": "5", "kind": "shown", "product": "{"p" * 1_000_000}"}}',
    '{"id": "6", "kind": "shown", "product": "\\ud800"}',
    "[" * 100_000,
    '{"id": "7", "kind": "accepted", "product": "p"}',
]


@pytest.fixture
def acme(connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A tenant without events, and small batches."""
    add_tenants(connection, {"acme": "Acme"})
    connection.commit()
    monkeypatch.setattr(_load, "_AT_ONCE", 3)
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()
    return connection


def test_each_line_is_answered_for_and_once_is_enough(acme: Connection, tmp_path: Path) -> None:
    path, report = tmp_path / "till.jsonl.gz", tmp_path / "report"
    path.write_bytes(gzip.compress("\n".join(JSON_LINES).encode()))

    first = CliRunner().invoke(app, ["events", "acme", str(path), "--report", str(report)])
    assert first.exit_code == 0, first.output
    assert "3 stored, 1 there already, 5 refused (1 late)" in first.output
    told = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(one["line"], one["id"], one["status"], one["standing"]) for one in told] == [
        (1, "1", "stored", "in time"),
        (3, "2", "refused", None),
        (4, "1", "repeated", "in time"),
        (5, None, "refused", None),
        (6, "4", "stored", "late"),
        (7, None, "refused", None),
        (8, "6", "refused", None),
        (9, None, "refused", None),
        (10, "7", "stored", "in time"),
    ]
    assert "'shown'" in told[1]["detail"]
    again = load_events(acme, "acme", path)
    assert (again.stored, again.repeated, again.refused) == (0, 4, 5)
    rows = read_rows(acme, "select event_id, kind, told_by from event order by event_id")
    assert [tuple(row.values()) for row in rows] == [
        ("1", "shown", "file till.jsonl.gz"),
        ("4", "shown", "file till.jsonl.gz"),
        ("7", "accepted", "file till.jsonl.gz"),
    ]


def test_a_file_of_csv(acme: Connection, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(
        b"\xef\xbb\xbfid;Kind;product;amount;customer\n"
        b'1;shown;"a;b";;c\n2;bought;p;9.5;c\n3;bought;p;-1;c\n\xff;shown;p;;\n5;shown;p;;;;\n'
    )

    tally = load_events(acme, "acme", path)

    assert (tally.stored, tally.refused) == (2, 3)
    rows = read_rows(acme, "select product_id, amount from event order by event_id")
    assert [tuple(row.values()) for row in rows] == [("a;b", None), ("p", 9.5)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column id"),
        (b"id,kind\n", "no column product"),
        (b"id,kind,product,price\n", "a column 'price'"),
        (b"id,kind,product,kind\n", "twice"),
    ],
)
def test_a_file_without_the_columns_is_refused(
    acme: Connection, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=words):
        load_events(acme, "acme", path)
    with pytest.raises(BadInputError, match="cannot be read"):
        load_events(acme, "acme", tmp_path / "nowhere")
