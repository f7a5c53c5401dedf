"""Tables of the results, and the demands on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.demands import Demand, at_least
from benchmarks.served.lines import ALL_TIME, LATELY, LINES, SERVED
from benchmarks.served.measure import WHAT
from benchmarks.served.results import Result, error, mean
from benchmarks.served.shops import GROUPS

REACH = {
    (GROUPS[0], "all"): 0.355,
    (GROUPS[0], "new"): 0.118,
    (GROUPS[1], "all"): 0.335,
    (GROUPS[1], "new"): 0.097,
    (GROUPS[2], "all"): 0.347,
}
"""Mean NDCG@10 that the first line is to reach."""
ABOVE_POPULARITY = 1.05
"""In Complete Journey: new products against the better popularity."""
SIZES = ((10, 50), (50, 150), (150, 300), (300, 10_000))
"""Known customers: from, and below."""


def pick(found: Sequence[Result], group: str, line: str, what: str) -> list[Result]:
    """The results of one cell of the table."""
    return [one for one in found if (one.group, one.line, one.what) == (group, line, what)]


def demands(found: Sequence[Result]) -> list[Demand]:
    """The demands on the first line."""
    asked = [
        at_least(f"{group}, {what}", mean(pick(found, group, SERVED, what)), least)
        for (group, what), least in REACH.items()
    ]
    journey = GROUPS[2]
    others = {
        line: mean(pick(found, journey, line, "all")) for line in LINES if "blend" not in line
    }
    best = max((line for line in others if "the first" not in line), key=lambda line: others[line])
    all_of_it = mean(pick(found, journey, SERVED, "all"))
    asked.append(at_least(f"{journey}, all, beside {best}", all_of_it, others[best]))
    new = mean(pick(found, journey, SERVED, "new"))
    popular = max(mean(pick(found, journey, line, "new")) for line in (ALL_TIME, LATELY))
    asked.append(at_least(f"{journey}, new", new, ABOVE_POPULARITY * popular))
    for low, high in SIZES:
        own, better, tenants = _of_size(found, low, high)
        if tenants:
            name = f"{journey}, new, {low} to {high - 1} known customers"
            asked.append(at_least(name, own, better))
    return asked


def _of_size(found: Sequence[Result], low: int, high: int) -> tuple[float, float, int]:
    """The first line, the better popularity, and the number of stores and times."""
    some = [one for one in found if low <= one.known < high]
    own = pick(some, GROUPS[2], SERVED, "new")
    popular = [mean(pick(some, GROUPS[2], line, "new")) for line in (ALL_TIME, LATELY)]
    return mean(own), max(popular), len(own)


def served(found: Sequence[Result]) -> Iterator[str]:
    """NDCG@10 of every line, with the standard error of its difference from the first."""
    yield from _head("NDCG@10", [f"{group}, {what}" for group in GROUPS for what in WHAT])
    yield from _rows(found, mean, with_error=True)


def recalls(found: Sequence[Result]) -> Iterator[str]:
    """Recall@20 of every line."""
    yield from _head("recall@20", [f"{group}, {what}" for group in GROUPS for what in WHAT])
    yield from _rows(
        found,
        lambda some: sum(one.recall for one in some) / max(1, len(some)),
        with_error=False,
    )


def _rows(
    found: Sequence[Result], number: Callable[[Sequence[Result]], float], *, with_error: bool
) -> Iterator[str]:
    for line in LINES:
        cells = []
        for group in GROUPS:
            for what in WHAT:
                some = pick(found, group, line, what)
                cell = f"{number(some):.4f}" if some else "–"
                if some and with_error and line != SERVED:
                    cell += f" ± {error(some):.4f}"
                cells.append(cell)
        yield f"| {line} | {' | '.join(cells)} |"


def sizes(found: Sequence[Result]) -> Iterator[str]:
    """Complete Journey by the number of known customers: new products beside popularity."""
    yield from _head(
        "known customers", ["stores and times", "all", "new", "better popularity, new"]
    )
    for low, high in SIZES:
        own, better, tenants = _of_size(found, low, high)
        some = [one for one in found if low <= one.known < high]
        every = mean(pick(some, GROUPS[2], SERVED, "all"))
        if tenants:
            yield f"| {low} to {high - 1} | {tenants} | {every:.4f} | {own:.4f} | {better:.4f} |"


def _head(first: str, columns: Sequence[str]) -> Iterator[str]:
    yield f"| {first} | {' | '.join(columns)} |"
    yield f"|{'---|' * (len(columns) + 1)}"


TABLES = {"served": served, "recall": recalls, "sizes": sizes}
