"""The result of a chaos run, in words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.reader import Report

CHECKOUT = Path(__file__).parents[2]


@dataclass
class Killings:
    """What was killed how often, and the observations meanwhile."""

    how: str
    """With Airflow or without."""
    seed: int
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(kind, stage or other activity) -> times."""
    restarts: Counter[str] = field(default_factory=Counter)
    """Dead services that were restarted -> times."""
    nights: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    """Why tenants failed."""
    reader: Report = field(default_factory=Report)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def of_kind(self, kind: str) -> int:
        """How often that kind was killed."""
        return sum(count for (each, _), count in self.kills.items() if each == kind)

    def text(self) -> str:
        """The whole report, one line for each fact."""
        lines = [f"{self.how}, seed {self.seed}, {self.seconds / 60:.1f} minutes"]
        for kind in sorted({kind for kind, _ in self.kills}):
            among = ", ".join(
                f"{what} {count}"
                for (each, what), count in sorted(self.kills.items())
                if each == kind
            )
            lines.append(f"  killed {kind}: {self.of_kind(kind)} times ({among})")
        if self.restarts:
            started = ", ".join(f"{name} {count}" for name, count in self.restarts.most_common())
            lines.append(f"  started again: {started}")
        lines.append(f"  nights: {', '.join(f'{n} {how}' for how, n in self.nights.items())}")
        outcomes = ", ".join(f"{count} {what}" for what, count in self.outcomes.most_common())
        lines.append(f"  tenants' nights: {outcomes}")
        lines += [f"  failed {count}: {why}" for why, count in self.failures.most_common()]
        seen = self.reader
        lines.append(
            f"  reader: {seen.reads} reads of {seen.lists} lists, {seen.switches} new releases, "
            f"{seen.cut} reads lost with Postgres, {len(seen.wrong)} wrong"
        )
        lines.append(f"  what does not hold: {len(self.wrong) or 'nothing'}")
        lines += [f"    {what}" for what in [*seen.wrong[:20], *self.wrong[:50]]]
        return "\n".join(lines)


@contextmanager
def reading(url: str, folder: Path, into: Killings) -> Iterator[None]:
    """Run a reader in another process during the block."""
    place = folder / "reader.json"
    reader = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.reader", url, str(place)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        start_new_session=True,
    )
    try:
        yield
        assert reader.poll() is None, "the reader ended by itself"
    finally:
        reader.send_signal(signal.SIGTERM)
        try:
            reader.wait(60)
        except subprocess.TimeoutExpired:
            reader.kill()
            reader.wait()
    into.reader = Report(**json.loads(place.read_text()))
