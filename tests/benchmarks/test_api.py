"""A short form of ``make bench-api``: it measures what it says, and every answer is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.api.__main__ import PARTS
from benchmarks.api._world import prepare
from recfleet.local import PostgresServer
from tests.roles import PASSWORD

pytestmark = pytest.mark.postgres


def test_the_parts_find_no_wrong_answer(tmp_path: Path, postgres_server: PostgresServer) -> None:
    world = prepare(tmp_path, postgres_server, 3, 12, database="short_bench", password=PASSWORD)
    try:
        demands = [one for part in ("lists", "models") for one in PARTS[part](world, 0.2, None)]
    finally:
        postgres_server.drop_database("short_bench")

    assert len(demands) == 6
    assert [one.found for one in demands if one.asked == "none"] == ["none", "none"]
    [memory] = [one for one in demands if one.name.startswith("memory of 3 models")]
    assert memory.met
