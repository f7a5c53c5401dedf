"""One bad morning, from beginning to end, over real purchases and the real scheduler.

A feed broke overnight: find it, stop it, roll back, backfill, thaw; as in the README.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.online_retail import STORY, three_countries
from tests.stacks import Stack

pytestmark = STORY

TENANT = "united-kingdom"
BROKE = "2011-12-02"
"""From this day on hardly any lines came."""
# Any better challenger is promoted, so that there is something to roll back.
EAGER = ("minimum_gain=0", "cooldown_days=0", "confidence=0.51", "probation_nights=0")


@pytest.fixture
def feeds(tmp_path: Path) -> tuple[Path, Path]:
    """The file from the broken feed, and the file after the feed was repaired."""
    whole = three_countries()
    late = (whole["Country"] == "United Kingdom") & (whole["InvoiceDate"] >= BROKE)
    paths = tmp_path / "broken.csv", tmp_path / "mended.csv"
    whole[~late | (whole.index % 400 == 0)].to_csv(paths[0], index=False)
    whole.to_csv(paths[1], index=False)
    return paths


def _version(recfleet: Stack, customer: str) -> int | None:
    listed = recfleet.json("recommend", TENANT, customer)["recommended"]
    version: int | None = listed[0]["model_version"]
    return version


@pytest.mark.timeout(900)
def test_one_bad_morning(recfleet: Stack, feeds: tuple[Path, Path]) -> None:
    broken, mended = feeds
    recfleet("ingest", str(broken), "--preset", "online-retail")
    first = recfleet.night("2011-09-01")
    assert first[TENANT]["outcome"] == "first model"
    recfleet("tenant", "set", TENANT, *EAGER, "--reason", "so that it is promoted")
    second = recfleet.night("2011-11-20")
    assert second[TENANT]["outcome"] == "promoted"
    customer = _a_customer(mended)
    assert _version(recfleet, customer) == 2

    # Find it.
    bad = recfleet.night("2011-12-09")
    assert bad[TENANT]["outcome"] == "quarantined"
    assert "usual" in bad[TENANT]["reason"]
    assert _version(recfleet, customer) == 2, "the last good release stays live"

    # Stop it.
    where = ("--where", "outcome=quarantined")
    recfleet("tenant", "set-mode", *where, "frozen", "--reason", "the feed broke")
    modes = {row["tenant"]: row["mode"] for row in recfleet.json("tenant", "list")}
    assert modes == {TENANT: "frozen", "germany": "on", "france": "on"}

    # Roll back.
    recfleet("rollback", TENANT, "--reason", "trained while the feed was going bad")
    assert _version(recfleet, customer) == 1
    said = recfleet.refused("rollback", TENANT, "--reason", "once more")
    assert "previous" in said

    # Backfill what was missed, and look before anything is changed.
    recfleet("ingest", str(mended), "--preset", "online-retail")
    days = ("--from", "2011-12-05", "--to", "2011-12-09", "--step", "4")
    recfleet("backfill", TENANT, *days, "--reason", "the feed was mended", "--wait")
    assert _version(recfleet, customer) == 1

    # Thaw; promotions now wait for a person.
    recfleet("tenant", "set-mode", TENANT, "on", "--reason", "the feed was mended")
    recfleet("tenant", "set", TENANT, "approval=every", "confidence=0.9", "--reason", "look first")
    last = ("--from", "2011-12-09", "--to", "2011-12-09", "--promote", "--wait")
    recfleet("backfill", TENANT, *last, "--reason", "catch up")
    [waiting] = recfleet.json("approvals", "list")
    assert waiting["tenant"] == TENANT
    assert _version(recfleet, customer) == 1
    recfleet("approvals", "approve", "--tenant", TENANT, "--reason", "looks right")
    assert _version(recfleet, customer) == waiting["to_version"]

    _tell_it_afterwards(recfleet, customer)
    _refuse_what_cannot_be(recfleet, waiting)


def _a_customer(path: Path) -> str:
    """A customer who bought often before the first night."""
    lines = pd.read_csv(path, dtype=str)
    early = lines[(lines["Country"] == "United Kingdom") & (lines["InvoiceDate"] < "2011-08")]
    return str(early["CustomerID"].dropna().mode()[0]).removesuffix(".0")


def _tell_it_afterwards(recfleet: Stack, customer: str) -> None:
    """The audit, the trace and the doctor know what happened."""
    recfleet("tenant", "set-mode", TENANT, "off", "--reason", "closed for a day")
    assert "off" in recfleet.refused("recommend", TENANT, customer)
    recfleet("tenant", "set-mode", TENANT, "on", "--reason", "open again")
    recfleet("recommend", TENANT, customer)

    story = recfleet.json("audit", TENANT)
    kinds = [entry["kind"] for entry in (story["entries"] if isinstance(story, dict) else story)]
    assert [kind for kind in kinds if kind not in ("policy", "backfill")] == [
        "first model",
        "promotion",
        "mode",
        "rollback",
        "mode",
        "awaiting approval",
        "approved",
        "promotion",
        "mode",
        "mode",
    ]
    recfleet("audit", "verify")
    recfleet("doctor")
    traced = recfleet("trace", TENANT, customer)
    assert "looks right" in traced


def _refuse_what_cannot_be(recfleet: Stack, waiting: dict[str, Any]) -> None:
    """A clear sentence, and exit code 2."""
    why = ("--reason", "a slip")
    assert "united-kingdom" in recfleet.refused("rollback", "united-kingdon", *why)
    assert "99" in recfleet.refused("promote", TENANT, "--version", "99", *why)
    backwards = ("--from", "2011-12-09", "--to", "2011-12-01")
    assert "2011-12-09" in recfleet.refused("backfill", TENANT, *backwards)
    number = str(waiting["approval_id"])
    assert number in recfleet.refused("approvals", "approve", number, *why)
