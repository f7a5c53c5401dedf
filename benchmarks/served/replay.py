"""Twelve weekly nights of real shops: what is served, beside the newest challenger always.

Each night trains a challenger, judges it by the night's own functions and with the evidence of the
nights before, and replaces the champion or keeps it. What is served is measured on the fortnight
that comes after the night, and so are the lists with the night's challenger, whatever its verdict.
Writes the table of docs/judging.md. Exits with 1 when a demand is not met.

    python -m benchmarks.served.replay            # shops with 50 holdout customers or more
    python -m benchmarks.served.replay --every 8  # every eighth of them only, printed
"""

from __future__ import annotations

import argparse
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.demands import Demand, at_most, conclude
from benchmarks.marks import write_tables
from benchmarks.served.case import known_at, on_sale
from benchmarks.served.shops import AHEAD, shops_until
from recfleet.errors import TenantError
from recfleet.judging import (
    Evidence,
    Holdout,
    Likeness,
    Probation,
    Score,
    TasteEvidence,
    Verdict,
    judge,
    score,
    score_popularity,
    score_served,
)
from recfleet.judging._taste import list_ndcg
from recfleet.kinds import Offers
from recfleet.models import (
    InteractionLog,
    Lesson,
    Model,
    Scorer,
    Signals,
    Weights,
    blend,
    resolve_offers,
    trainer_of,
)
from recfleet.tenants import Policy

PAGE = Path(__file__).resolve().parents[2] / "docs/judging.md"
NIGHTS = 12
WEEK = timedelta(days=7)
ENDS = (datetime(2011, 11, 25, tzinfo=UTC), datetime(2017, 12, 17, tzinfo=UTC))
"""The last night of Online Retail and of Complete Journey, a fortnight before the data ends."""
LEAST = 50
"""Fewest judged customers of a shop's first or last night."""
SIZES = ((50, 100), (100, 200), (200, 100_000))
"""Judged customers: from, and below."""
MOST_BELOW = 0.02
"""What is served may have an NDCG@10 so much below the newest challenger's, as a share."""
POLICY = Policy()
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, eq=False)
class Made:
    """A model with the weights of its night."""

    model: Model
    weights: Weights
    night: int
    """The night that made it, from 0."""


@dataclass(frozen=True, eq=False)
class _Night:
    log: InteractionLog
    holdout: Holdout
    lesson: Lesson
    taste: Scorer
    """The challenger, folded in for the holdout."""
    seed: int


@dataclass(frozen=True)
class Look:
    """A night of a shop, measured on the fortnight after it."""

    shop: str
    night: int
    customers: int
    """Judged customers."""
    verdict: str
    served: float
    """NDCG@10 of what is served."""
    newest: float
    """NDCG@10 of the lists with the night's challenger."""
    age: int
    """Nights since the champion's own; -1: there is no champion."""


@dataclass(eq=False)
class Shop:
    """A shop through its nights."""

    name: str
    log: InteractionLog
    last: datetime
    """Its last night."""
    champion: Made | None = None
    previous: Made | None = None
    gains: list[tuple[int, Evidence]] = field(default_factory=list)
    """Night, and the gain of its challenger over the champion."""
    trial: list[tuple[int, Evidence]] = field(default_factory=list)
    """Night, and the gain of the previous model over the champion."""
    tastes: list[tuple[int, Likeness]] = field(default_factory=list)
    """Night, and what taste brought there, before the first model."""

    def night(self, number: int, fleet: Sequence[Shop]) -> Look | None:
        """Run a night; None when nothing was bought after it, or nothing can be trained."""
        at = self.last - (NIGHTS - 1 - number) * WEEK
        now, since = known_at(self.log, at), at - AHEAD
        offers = resolve_offers("auto", now, before=since)
        holdout = _holdout(now, since, offers)
        truth = _holdout(known_at(self.log, at + AHEAD), at + _TICK, "both")
        if len(holdout.customers) < POLICY.minimum_holdout_customers or not len(truth.customers):
            return None
        seed = zlib.crc32(f"{self.name} {at.isoformat()}".encode())
        try:
            model = trainer_of(POLICY.recipe, offers).train(now, before=since, seed=seed)
        except TenantError:
            return None
        lesson = Lesson.of(now, since)
        taste = model.fold_in(now, before=since)
        newest = Made(model, lesson.learn(taste).weights, number)
        verdict = self._judge(number, _Night(now, holdout, lesson, taste, seed), fleet)
        self._act(verdict, newest)
        lists = _Lists(now, truth, on_sale(self.log, at))
        without = lesson.learn(None).weights
        return Look(
            shop=self.name,
            night=number,
            customers=len(holdout.customers),
            verdict=verdict.kind,
            served=lists.ndcg(self.champion, without),
            newest=lists.ndcg(newest, without),
            age=number - self.champion.night if self.champion else -1,
        )

    def _judge(self, number: int, tonight: _Night, fleet: Sequence[Shop]) -> Verdict:
        holdout = tonight.holdout
        scores: dict[str, Score | None] = {
            "challenger": score(holdout, tonight.taste),
            "popularity": score_popularity(holdout),
        }
        for name, made in (("champion", self.champion), ("previous", self.previous)):
            if made is not None:
                factors = made.model.fold_in(
                    tonight.log, before=holdout.start, wanted=holdout.customers
                )
                scores[name] = score(holdout, factors)
        champion = self.champion
        watched = None
        if champion and self.previous and len(self.trial) < POLICY.probation_nights:
            watched = Probation(1, len(self.trial) + 1, _before(number, self.trial))
        elif "previous" in scores:
            del scores["previous"]
        verdict = judge(
            holdout,
            scores,
            POLICY,
            seed=tonight.seed,
            earlier=_before(number, self.gains),
            champion_days=None if champion is None else 7.0 * (number - champion.night),
            probation=watched,
            served=None if champion else score_served(tonight.lesson, tonight.taste, holdout),
            taste=self._evidence(number, fleet),
        )
        self._remember(number, verdict)
        return verdict

    def _evidence(self, number: int, fleet: Sequence[Shop]) -> TasteEvidence:
        own = [
            Evidence(7.0 * (number - night), found.gain, found.standard_error)
            for night, found in self.tastes
        ]
        others = [each.tastes[-1][1] for each in fleet if each is not self and each.tastes]
        return TasteEvidence(own, others)

    def _remember(self, number: int, verdict: Verdict) -> None:
        numbers = verdict.numbers
        for kept, gain in ((self.gains, numbers.gain), (self.trial, numbers.probation)):
            if gain and gain.value is not None and gain.standard_error and not verdict.first:
                kept.append((number, Evidence(0, gain.value, gain.standard_error)))
        found = numbers.taste
        if found and found.customers and found.value is not None and found.standard_error:
            likeness = Likeness(found.customers, found.value, found.standard_error)
            self.tastes.append((number, likeness))

    def _act(self, verdict: Verdict, newest: Made) -> None:
        if verdict.kind == "promote":
            self.previous, self.champion = self.champion, newest
        elif verdict.kind == "rollback":
            self.previous, self.champion = None, self.previous
        if verdict.kind in ("promote", "rollback"):
            self.gains, self.trial = [], []


def _before(number: int, kept: Sequence[tuple[int, Evidence]]) -> list[Evidence]:
    return [Evidence(7.0 * (number - night), one.gain, one.standard_error) for night, one in kept]


@dataclass(frozen=True, eq=False)
class _Lists:
    now: InteractionLog
    truth: Holdout
    allowed: NDArray[np.bool_]

    def ndcg(self, made: Made | None, without: Weights) -> float:
        """Mean NDCG@10 of the lists with a model's taste, or without one."""
        ranked = blend(
            Signals.of(self.now, self.now.as_of),
            made.model.fold_in(self.now, wanted=self.truth.customers) if made else None,
            made.weights if made else without,
            allowed=self.allowed,
            list_length=POLICY.recipe.list_length,
            offers="both",
            wanted=self.truth.customers,
        )
        return float(list_ndcg(self.truth, ranked).mean())


def _holdout(log: InteractionLog, start: datetime, offers: Offers) -> Holdout:
    return Holdout.between(
        log.matrix(POLICY.recipe.signal, before=start),
        log.matrix("binary", since=start),
        start=start,
        offers=offers,
    )


def replay(every: int) -> Iterator[Look]:
    """All nights of all shops that are large enough, night by night."""
    fleets: list[list[Shop]] = []
    for last, logs in shops_until(ENDS):
        first = last - (NIGHTS - 1) * WEEK
        fleets.append(
            [
                Shop(name, log, last)
                for name, log in logs
                if max(_customers(log, at) for at in (first, last)) >= LEAST
            ][::every]
        )
    for number in range(NIGHTS):
        for fleet in fleets:
            for shop in fleet:
                if (look := shop.night(number, fleet)) is not None:
                    yield look
        print(f"night {number + 1} of {NIGHTS}", flush=True)


def _customers(log: InteractionLog, at: datetime) -> int:
    return len(_holdout(known_at(log, at), at - AHEAD, "both").customers)


def table(found: Sequence[Look]) -> tuple[list[str], list[Demand]]:
    """What is served by size, and the demands on it."""
    lines = [
        "| judged customers | shops | nights | served | newest always | below | promoted | age |",
        "|---|---|---|---|---|---|---|---|",
    ]
    asked: list[Demand] = []
    for low, high in SIZES:
        some = [look for look in found if low <= look.customers < high]
        if not some:
            continue
        name = f"{low} to {high - 1}" if high < SIZES[-1][1] else f"{low} and more"
        served = float(np.mean([look.served for look in some]))
        newest = float(np.mean([look.newest for look in some]))
        promoted = np.mean([look.verdict == "promote" for look in some])
        age = np.mean([look.age for look in some])
        shops = len({look.shop for look in some})
        below = 1 - served / newest
        lines.append(
            f"| {name} | {shops} | {len(some)} | {served:.4f} | {newest:.4f} | {below:+.1%} | "
            f"{promoted:.0%} | {age:.1f} |"
        )
        asked.append(at_most(f"{name}: below the newest", 100 * below, 100 * MOST_BELOW, "%"))
    return lines, asked


def main() -> int:
    """Replay every shop; returns 0 if every demand is met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.served.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--every", type=int, default=1, help="use every so manieth shop")
    chosen = parser.parse_args()
    found = list(replay(chosen.every))
    lines, asked = table(found)
    print(*lines, sep="\n")
    if chosen.every == 1:
        write_tables(PAGE, {"replay": lines})
    return conclude(asked)


if __name__ == "__main__":
    raise SystemExit(main())
