"""Ways of serving whose lists need no database: nothing, what is popular, and what is liked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recfleet.simulation._crowd import NOTHING, Crowd, Floats, Ints
from recfleet.simulation._reaction import Served

_PAIRS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Way:
    """A way of serving a tenant's customers."""

    name: str
    lists: Literal["nothing", "popular", "personal"]
    """popular: that week's products by popularity; personal: by what each customer likes."""
    noise: float = 1.0
    """Of personal lists: standard deviation of the error in the logarithm of how much a customer
    likes each topic. With 0 the lists are perfect."""
    pushes: bool = False
    """Whether customers are written to as well, with the same lists."""
    length: int = 10
    """Places of a list."""


def serve(crowd: Crowd, day: int, way: Way) -> Served:
    """What everybody gets on a day; lists are made anew each week."""
    if way.lists == "personal":
        lists = _personal(crowd, day, way)
    elif way.lists == "popular":
        lists = _popular(crowd, day, way)
    else:
        lists = np.full((crowd.customers, way.length), NOTHING)
    addressed = crowd.present(day) if way.pushes else np.zeros(crowd.customers, bool)
    return Served(pull=lists, push=lists, addressed=addressed)


def _popular(crowd: Crowd, day: int, way: Way) -> Ints:
    best = _best(crowd.shelves(day).mean(axis=0)[None, :], way.length)
    return np.repeat(best, crowd.customers, axis=0)


def _personal(crowd: Crowd, day: int, way: Way) -> Ints:
    on_sale, present = np.flatnonzero(crowd.on_sale(day)), np.flatnonzero(crowd.present(day))
    shelves, tastes = crowd.shelves(day)[:, on_sale], crowd.tastes(day)
    lists = np.full((crowd.customers, way.length), NOTHING)
    for customers in np.array_split(present, len(present) * len(on_sale) // _PAIRS_AT_ONCE + 1):
        error = crowd.draws.normal("error", customers[:, None], np.arange(tastes.shape[1]))
        best = _best((tastes[customers] * np.exp(way.noise * error)) @ shelves, way.length)
        lists[customers] = np.where(best == NOTHING, NOTHING, on_sale[best])
    return lists


def _best(scores: Floats, length: int) -> Ints:
    """(n, length) positions of the best in each row, the best first; only what is above 0."""
    width = min(length, scores.shape[1])
    best = np.argpartition(-scores, width - 1, axis=1)[:, :width]
    of_best = np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-of_best, axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    found = np.where(np.take_along_axis(of_best, order, axis=1) > 0, best, NOTHING)
    return np.pad(found, ((0, 0), (0, length - width)), constant_values=NOTHING)
