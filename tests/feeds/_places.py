"""Feeds of every kind, and what arrives in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from recfleet.database import Connection
from recfleet.feeds import Access, Feed, add_feed, get_feed, take_feed
from recfleet.feeds.take import Taken

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG_AGO = NOW.timestamp() - 3_600
HEADER = "customer,product,time,amount"
LINES = ("c1,p1,2026-03-01 10:00,5", "c2,p1,2026-03-01 11:00,5", "c2,p2,2026-03-01 12:00,2")


def columns(*, time: str = "time", more: str = "") -> str:
    """The section about columns."""
    return (
        f'[columns]\ncustomer_column = "customer"\nproduct_column = "product"\n'
        f'time_column = "{time}"\namount_column = "amount"\n{more}'
    )


def folder_toml(path: Path, *, whose: str = 'tenant = "shop"', complete: str = "renamed") -> str:
    """A feed of a folder."""
    return (
        f'kind = "folder"\n{whose}\n[folder]\npath = "{path}"\ncomplete = "{complete}"\n{columns()}'
    )


def write(path: Path, lines: Sequence[str] = LINES) -> Path:
    """A file that arrives at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def add(connection: Connection, toml: str, name: str = "sales") -> Feed:
    """Add a feed."""
    add_feed(connection, name, toml, actor="ann", reason="trial")
    connection.commit()
    return get_feed(connection, name)


def take(
    connection: Connection, name: str = "sales", access: Access | None = None, now: datetime = NOW
) -> Taken:
    """Look at a feed as the DAG does."""
    taken = take_feed(connection, get_feed(connection, name), lambda _: access or Access(), now=now)
    assert taken is not None
    return taken


def bought(connection: Connection) -> list[tuple[str, str, str]]:
    """Tenant, customer and product of every line."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, customer_id, product_id from interaction order by 1, 2, 3, line_hash"
        )
        found = cursor.fetchall()
    connection.rollback()
    return found


def age(path: Path, seconds: float) -> None:
    """Set the time of a file's content."""
    os.utime(path, (seconds, seconds))
