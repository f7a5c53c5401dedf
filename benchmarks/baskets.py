"""Whether baskets are answered better by the blend than by taste alone: real baskets, one left out.

``make bench-baskets RETAIL=PATH`` trains models of three shops in UCI Online Retail at four times.
Of each basket of the fortnight after it, a product is hidden, and the others are *products in*. The
customer is not named. Products are ranked by taste, as the HTTP service has it, and by the blend
that makes nights' lists of what is new; by popularity alone beside. Customers whose baskets are
judged may have bought before, as a shop's do.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from benchmarks._home import machine
from benchmarks.served.shops import AHEAD, RETAIL_COUNTRIES, RETAIL_TIMES, log_of
from recfleet.models import InteractionLog, microseconds, trainer_of
from recfleet.models.blend import Signals, shipped_weights
from recfleet.models.blend._features import new_features
from recfleet.recipe import Recipe
from tests.online_retail import OnlineRetail, online_retail_path

LENGTH, MOST_BASKETS = 10, 400


def main() -> int:
    """Measure and print; nothing is demanded."""
    print(machine(), flush=True)
    lines = OnlineRetail.read(online_retail_path()).lines
    every: dict[str, list[float]] = defaultdict(list)
    print("| shop | baskets | taste | blend | popularity |\n|---|---|---|---|---|")
    for country in RETAIL_COUNTRIES:
        found: dict[str, list[float]] = defaultdict(list)
        for at in RETAIL_TIMES:
            log = log_of(country, lines[lines["country"] == country], at + AHEAD)
            for name, gains in _gains(log, at).items():
                found[name] += gains
        for name, gains in found.items():
            every[name] += gains
        _row(country, found)
    _row("together", every)
    difference = np.array(every["blend"]) - np.array(every["taste"])
    error = difference.std() / len(difference) ** 0.5
    print(f"blend less taste: {difference.mean():+.4f}, paired standard error {error:.4f}")
    return 0


def _row(name: str, found: dict[str, list[float]]) -> None:
    values = " | ".join(f"{np.mean(found[way]):.4f}" for way in ("taste", "blend", "popularity"))
    print(f"| {name} | {len(found['taste']):,} | {values} |", flush=True)


def _gains(log: InteractionLog, at: datetime) -> dict[str, list[float]]:
    """NDCG@10 of each basket by each way of ranking; one product is right."""
    basket = trainer_of(Recipe(), "new").train(log, before=at, seed=1).basket()
    number = {product: place for place, product in enumerate(log.product_ids.tolist())}
    here = np.array([number[product] for product in basket.product_ids], dtype=np.intp)
    place = {int(product): row for row, product in enumerate(here)}
    signals, line = Signals.of(log, at), shipped_weights().line("new", taste=True)
    popular = signals.trend.popular[here].astype(np.float32)
    found: dict[str, list[float]] = defaultdict(list)
    for products, hidden in _baskets(log, at, place):
        ones = np.ones(len(products))
        taste = basket.scores(products, ones, ones)
        features = new_features(signals, here, taste, line.features)
        ways = {"taste": taste, "blend": line.log_odds(features), "popularity": popular}
        for name, scores in ways.items():
            found[name].append(_gain(scores, products, hidden))
    return found


def _baskets(
    log: InteractionLog, at: datetime, place: dict[int, int]
) -> Iterator[tuple[NDArray[np.intp], int]]:
    """What stays and what is hidden, in the model's numbers, of some baskets after a time."""
    after = (log.occurred_at > microseconds(at)) & (log.quantity > 0) & (log.amount > 0)
    days = log.occurred_at // 86_400_000_000
    baskets: dict[tuple[int, int], dict[int, None]] = defaultdict(dict)
    for line in np.flatnonzero(after):
        product = place.get(int(log.product[line]))
        if product is not None:
            baskets[int(log.customer[line]), int(days[line])].setdefault(product)
    draw = np.random.default_rng(3)
    whole = [list(products) for products in baskets.values() if len(products) > 1]
    draw.shuffle(whole)
    for products in whole[:MOST_BASKETS]:
        hidden = products.pop(int(draw.integers(len(products))))
        yield np.array(products, dtype=np.intp), hidden


def _gain(scores: NDArray[np.float32], products: NDArray[np.intp], hidden: int) -> float:
    shown = scores.astype(np.float64)
    shown[products] = -np.inf
    better = int((shown > shown[hidden]).sum())
    return float(1 / np.log2(better + 2)) if better < LENGTH else 0.0


if __name__ == "__main__":
    sys.exit(main())
