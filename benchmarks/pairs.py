"""How fast the lists of pairs are made, how good they are, and the way of a book beside it.

``make bench-pairs RETAIL=PATH`` trains a model of the United Kingdom's shop in UCI Online Retail
without a quarter of its customers, and makes the lists of all pairs of its 1,000 most popular
products. The book's way searches customers with vectors like the pair's in an index of ``annoy``
and counts what these bought; it is timed on the pairs that are judged. Each customer who was held
out is judged by the two of those products that were bought first, and by everything else that was
bought. The exit code is 1 when a number is missed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks._home import machine
from benchmarks.demands import Demand, at_least, at_most, conclude
from benchmarks.served.shops import log_of
from recfleet.models import InteractionLog, Model, trainer_of
from recfleet.recipe import Recipe
from recfleet.releases import PAIR_LENGTH, make_pairs
from tests.online_retail import OnlineRetail, online_retail_path

MOST_SECONDS, LEAST_TIMES, SEEDS = 30.0, 10.0, 1_000
NEIGHBOURS, TREES = 50, 10
_UNTIL = datetime(2011, 12, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Case:
    """A customer who was held out."""

    pair: tuple[str, str]
    """What the customer bought first."""
    bought: frozenset[str]
    """What else."""


def main() -> int:
    """Measure, and return the exit code."""
    print(machine(), flush=True)
    lines = OnlineRetail.read(online_retail_path()).lines
    log = log_of("uk", lines[lines["country"] == "United Kingdom"], _UNTIL)
    held = np.random.default_rng(5).random(len(log.customer_ids)) < 0.25
    known = _part(log, ~held[log.customer])
    model = trainer_of(Recipe(), "new").train(known, before=_UNTIL, seed=1)
    everything = np.ones(len(known.product_ids), dtype=bool)
    began = time.process_time()
    pairs = make_pairs(model, known, everything, SEEDS)
    seconds = time.process_time() - began
    assert pairs is not None
    count = SEEDS * (SEEDS - 1) // 2
    print(f"{count:,} lists of {PAIR_LENGTH} in {seconds:.1f} s of a core", flush=True)
    cases = _cases(log, held, pairs.seeds)
    ours = [_ndcg(pairs.list_of(*case.pair), case) for case in cases]
    answer = _book(model, known)
    began = time.process_time()
    theirs = [_ndcg(answer(case.pair), case) for case in cases]
    book = (time.process_time() - began) / len(cases) * count
    print(f"the book's way would take {book:,.0f} s", flush=True)
    return conclude(_demands(seconds, book, np.array(ours), np.array(theirs)))


def _demands(
    seconds: float, book: float, ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> list[Demand]:
    error = float((ours - theirs).std() / len(ours) ** 0.5)
    print(
        f"NDCG@10 of {len(ours):,} customers: {ours.mean():.4f}, the book's {theirs.mean():.4f}, "
        f"paired standard error {error:.4f}",
        flush=True,
    )
    return [
        at_most("seconds of a core for all pairs of 1,000 products", seconds, MOST_SECONDS, "s"),
        at_least("times as fast as the book's way", book / seconds, LEAST_TIMES),
        at_least("NDCG@10, over the book's", float(ours.mean() / theirs.mean()), 1.0),
    ]


def _part(log: InteractionLog, keep: NDArray[np.bool_]) -> InteractionLog:
    columns = ("customer", "product", "occurred_at", "quantity", "amount")
    return replace(log, **{name: getattr(log, name)[keep] for name in columns})


def _cases(log: InteractionLog, held: NDArray[np.bool_], seeds: Any) -> list[Case]:
    paired = set(seeds)
    bought: dict[int, dict[str, None]] = {}
    is_purchase = (log.quantity > 0) & (log.amount > 0) & held[log.customer]
    for line in np.flatnonzero(is_purchase):  # lines are in the order of time
        theirs = bought.setdefault(log.customer[line], {})
        theirs.setdefault(str(log.product_ids[log.product[line]]))
    cases = []
    for theirs in bought.values():
        first = [product for product in theirs if product in paired][:2]
        rest = frozenset(theirs) - set(first)
        if len(first) == 2 and rest:
            cases.append(Case((first[0], first[1]), rest))
    return cases


def _ndcg(products: list[str], case: Case) -> float:
    discount = 1 / np.log2(np.arange(2, PAIR_LENGTH + 2))
    hits = np.array([product in case.bought for product in products], dtype=float)
    ideal = discount[: min(PAIR_LENGTH, len(case.bought))].sum()
    return float(hits @ discount[: len(hits)] / ideal)


def _book(model: Model, log: InteractionLog) -> Callable[[tuple[str, str]], list[str]]:
    """Customers like the pair, by annoy, and the products that most of them bought."""
    from annoy import AnnoyIndex

    arrays: Any = model
    index = AnnoyIndex(arrays.customer_factors.shape[1], "angular")
    for place, vector in enumerate(arrays.customer_factors):
        index.add_item(place, vector.tolist())
    index.set_seed(1)
    index.build(TREES, n_jobs=1)
    row = {customer: place for place, customer in enumerate(log.customer_ids.tolist())}
    column = {product: place for place, product in enumerate(log.product_ids.tolist())}
    bought: csr_matrix = csr_matrix(log.matrix("binary"))[
        [row[customer] for customer in model.customer_ids]
    ]
    number = {product: place for place, product in enumerate(model.product_ids.tolist())}
    wide = arrays.product_factors.astype(np.float64)

    def answer(pair: tuple[str, str]) -> list[str]:
        vector = wide[[number[product] for product in pair]].mean(axis=0)
        near = index.get_nns_by_vector(vector.tolist(), NEIGHBOURS)
        count = np.asarray(bought[near].sum(axis=0)).ravel()
        count[[column[product] for product in pair]] = -1
        best = np.argsort(-count, kind="stable")[:PAIR_LENGTH]
        return [str(product) for product in log.product_ids[best]]

    return answer


if __name__ == "__main__":
    sys.exit(main())
