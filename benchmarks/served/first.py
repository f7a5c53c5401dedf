"""What the rule for first models costs: ``python -m benchmarks.served.first``.

Each tenant of the served benchmark is judged as if it had no model, by its own fortnight and the
one before, and by the other tenants of the same fleet and time. Then its lists with the model's
taste and without are measured on the fortnight that comes after. Writes the table of
docs/judging.md. Exits with 1 when a demand is not met.

    python -m benchmarks.served.first            # every store
    python -m benchmarks.served.first --every 8  # every eighth store only, printed
"""

from __future__ import annotations

import argparse
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.demands import Demand, at_least, conclude
from benchmarks.marks import write_tables
from benchmarks.served.case import known_at, on_sale
from benchmarks.served.shops import AHEAD, Shop, shops
from recfleet.errors import TenantError
from recfleet.judging import (
    Evidence,
    Holdout,
    Likeness,
    TasteEvidence,
    score,
    score_popularity,
    score_served,
)
from recfleet.judging._first import first_look
from recfleet.judging._taste import list_ndcg
from recfleet.models import (
    InteractionLog,
    Lesson,
    Model,
    Ranked,
    Signals,
    blend,
    trainer_of,
)
from recfleet.recipe import Recipe
from recfleet.statistics import Estimate

PAGE = Path(__file__).resolve().parents[2] / "docs/judging.md"
SIZES = ((2, 20), (20, 50), (50, 150), (150, 100_000))
"""Judged customers: from, and below."""
_TICK = timedelta(microseconds=1)
_RECIPE = Recipe()


@dataclass(frozen=True)
class Tried:
    """A tenant at one time, judged and then measured."""

    fleet: str
    own: Estimate
    """Gain of taste on the fortnight before the time."""
    earlier: tuple[Evidence, ...]
    skill: float
    """Share by which the model's RMSE is below popularity's."""
    with_taste: float
    """NDCG@10 on the fortnight after the time."""
    without: float


def tries(every: int) -> Iterator[Tried]:
    """Every tenant and time with a model and something bought after it."""
    for number, shop in enumerate(shops(every), start=1):
        if (tried := _try(shop)) is not None:
            yield tried
        if number % 50 == 0:
            print(f"{number} tenants and times", flush=True)


def _try(shop: Shop) -> Tried | None:
    now, before = known_at(shop.log, shop.at), known_at(shop.log, shop.at - AHEAD - _TICK)
    judged = _judge(now)
    truth = Holdout.between(
        now.matrix("binary"),
        shop.log.matrix("binary", since=shop.at + _TICK),
        start=shop.at + _TICK,
        offers="both",
    )
    if judged is None or not len(truth.customers):
        return None
    own, skill, model = judged
    past = _judge(before)
    earlier = () if past is None else (Evidence(14, past[0].value, past[0].standard_error),)
    served = [
        float(list_ndcg(truth, _lists(now, some, on_sale(shop.log, shop.at))).mean())
        for some in (model, None)
    ]
    return Tried(f"{shop.group} {shop.at:%F}", own, earlier, skill, *served)


def _judge(log: InteractionLog) -> tuple[Estimate, float, Model] | None:
    """The gain of taste on a log's last fortnight, the skill, and the model."""
    since = log.as_of - AHEAD
    seed = zlib.crc32(f"{log.tenant_id} {log.as_of}".encode())
    try:
        model = trainer_of(_RECIPE, "both").train(log, before=since, seed=seed)
    except TenantError:
        return None
    holdout = Holdout.of(
        log, as_of=log.as_of, holdout_days=AHEAD.days, offers="both", signal=_RECIPE.signal
    )
    if len(holdout.customers) < SIZES[0][0]:
        return None
    taste = model.fold_in(log, before=since, wanted=holdout.customers)
    skill = 1 - score(holdout, taste).rmse / score_popularity(holdout).rmse
    return score_served(Lesson.of(log, since), taste, holdout).gain, skill, model


def _lists(log: InteractionLog, model: Model | None, allowed: NDArray[np.bool_]) -> Ranked:
    since = log.as_of - AHEAD
    past = None if model is None else model.fold_in(log, before=since)
    return blend(
        Signals.of(log, log.as_of),
        None if model is None else model.fold_in(log),
        Lesson.of(log, since).learn(past).weights,
        allowed=allowed,
        list_length=_RECIPE.list_length,
        offers="both",
    )


Rule = Callable[[Tried, Sequence[Tried]], bool]
RULES: dict[str, Rule] = {
    "always the model": lambda _, __: True,
    "never": lambda _, __: False,
    "better on the last fortnight": lambda one, _: one.own.value >= 0,
    "the rule in force": lambda one, fleet: _expected(one, fleet) >= 0 and one.skill >= 0,
}


def _expected(one: Tried, fleet: Sequence[Tried]) -> float:
    others = [
        Likeness(each.own.customers, each.own.value, each.own.standard_error)
        for each in fleet
        if each is not one
    ]
    evidence = TasteEvidence(one.earlier, others)
    return first_look(one.own, evidence, holdout_days=AHEAD.days).expected


def table(found: Sequence[Tried]) -> tuple[list[str], list[Demand]]:
    """The table of rules by size, and the demands on the rule in force."""
    lines = ["| judged customers | tenants and times | without | " + " | ".join(RULES) + " |"]
    lines.append("|---" * (3 + len(RULES)) + "|")
    asked: list[Demand] = []
    for low, high in SIZES:
        some = [one for one in found if low <= one.own.customers < high]
        if not some:
            continue
        gains = {
            name: np.mean([_gain(one, rule, found) for one in some]) for name, rule in RULES.items()
        }
        size = f"{low} to {high - 1}" if high < SIZES[-1][1] else f"{low} and more"
        without = np.mean([one.without for one in some])
        cells = " | ".join(f"{gain:+.4f}" for gain in gains.values())
        lines.append(f"| {size} | {len(some)} | {without:.4f} | {cells} |")
        if low >= 20:
            least = float(gains["always the model"]) - 0.003
            asked.append(at_least(f"{size}: gain", float(gains["the rule in force"]), least))
    return lines, asked


def _gain(one: Tried, rule: Rule, found: Sequence[Tried]) -> float:
    fleet = [each for each in found if each.fleet == one.fleet]
    return one.with_taste - one.without if rule(one, fleet) else 0.0


def main() -> int:
    """Try every tenant; returns 0 if every demand is met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.served.first",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--every", type=int, default=1, help="use every so manieth store")
    chosen = parser.parse_args()
    lines, asked = table(list(tries(chosen.every)))
    print(*lines, sep="\n")
    if chosen.every == 1:
        write_tables(PAGE, {"first": lines})
    return conclude(asked)


if __name__ == "__main__":
    raise SystemExit(main())
