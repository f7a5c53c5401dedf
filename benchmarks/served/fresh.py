"""Whether arrays fitted up to now would serve better: ``python -m benchmarks.served.fresh``.

A champion serves with arrays that were fitted before its holdout, and folds in what came later.
Instead it could serve with arrays that one sweep more has fitted to everything up to the time of
the lists. Both are measured on the fortnight after that time, in blended lists, for a model of that
night and for one that is four weeks older. Writes the table of docs/warm.md.

    python -m benchmarks.served.fresh            # every eighth store
    python -m benchmarks.served.fresh --every 1  # every store, printed
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.marks import write_tables
from benchmarks.served.case import Case, case_of, known_at, trained
from benchmarks.served.measure import WHAT, score
from benchmarks.served.shops import AHEAD, GROUPS, shops
from recfleet.models import Lesson, Model, Samples, blend, fit_weights, shipped_priors, trainer_of
from recfleet.models.als import AlsModel
from recfleet.recipe import Recipe
from recfleet.statistics import mean_estimate

PAGE = Path(__file__).resolve().parents[2] / "docs/warm.md"
EVERY = 8
OLDER = timedelta(days=28)
WAYS = (
    "tonight's, a sweep more",
    "tonight's, cold up to now",
    "older, a sweep more when it was made",
    "older, a sweep more tonight",
)
_TICK = timedelta(microseconds=1)
_LENGTH = 20

Key = tuple[str, str, str]


def measure(every: int) -> dict[Key, list[NDArray[np.float64]]]:
    """Group, kind of purchases and way -> (n, 2) NDCG@10 folded in only, and by that way."""
    found: dict[Key, list[NDArray[np.float64]]] = defaultdict(list)
    for number, shop in enumerate(shops(every), start=1):
        case = case_of(shop)
        if case is None or case.taste is None:
            continue
        for (what, way), pair in _of_case(case):
            found[shop.group, what, way].append(pair)
        if number % 20 == 0:
            print(f"{number} tenants and times", flush=True)
    return found


def _of_case(case: Case) -> Iterator[tuple[tuple[str, str], NDArray[np.float64]]]:
    log, end = case.shop.log, case.shop.at + _TICK
    before = case.shop.at - AHEAD
    tonight, older = trained(log, before), trained(log, before - OLDER)
    cold = trained(log, end)
    if tonight is None or older is None or cold is None:
        return
    trainer = trainer_of(Recipe(), "both")

    def swept(model: Model, until: timedelta = timedelta()) -> Model:
        assert isinstance(model, AlsModel)
        parent = replace(model, train_end=end - until)  # so that it is one sweep
        return trainer.train(log, before=end - until, seed=1, parent=parent)

    then = Lesson.of(known_at(log, case.shop.at), before).samples(older.fold_in(log, before=before))
    ways = {
        WAYS[0]: (tonight, swept(tonight), case.past),
        WAYS[1]: (tonight, cold, case.past),
        WAYS[2]: (older, swept(older, OLDER), then),
        WAYS[3]: (older, swept(older), then),
    }
    for way, (folded, other, past) in ways.items():
        once, again = (_ndcg(case, model, past) for model in (folded, other))
        for what in WHAT:
            yield (what, way), np.column_stack([once[what], again[what]])


def _ndcg(case: Case, model: Model, past: Samples) -> dict[str, NDArray[np.float64]]:
    """Kind of purchases -> NDCG@10 of each judged customer, in lists with the model's taste."""
    ranked = blend(
        case.signals,
        model.fold_in(case.shop.log, before=case.shop.at + _TICK),
        fit_weights([past], shipped_priors()),
        allowed=case.allowed,
        list_length=_LENGTH,
        offers="both",
    )
    return {what: score(case, ranked, what).ndcg for what in WHAT}


def table(found: dict[Key, list[NDArray[np.float64]]]) -> Iterator[str]:
    """The page's table, line by line."""
    yield "| group | purchases | customers | way | folded in only | gain | standard error |"
    yield "|---|---|---|---|---|---|---|"
    for group in GROUPS:
        for what in WHAT:
            for way in WAYS:
                if not (some := found.get((group, what, way))):
                    continue
                pairs = np.concatenate(some)
                gain = mean_estimate(pairs[:, 1] - pairs[:, 0])
                base = pairs[:, 0].mean()
                yield (
                    f"| {group} | {what} | {len(pairs):,} | {way} | {base:.4f} | "
                    f"{gain.value / base:+.1%} | {gain.standard_error / base:.1%} |"
                )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page's table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.served.fresh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--every", type=int, default=EVERY, help="use every so manieth store")
    chosen = parser.parse_args(arguments)
    lines = list(table(measure(chosen.every)))
    print(*lines, sep="\n")
    if chosen.every == EVERY:
        write_tables(PAGE, {"fresh": lines})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
