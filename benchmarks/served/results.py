"""What each line was worth for each tenant and time, kept to draw tables from."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks.served.case import Case
from benchmarks.served.lines import LINES, SERVED, Given
from benchmarks.served.measure import WHAT, score


@dataclass(frozen=True)
class Result:
    """One line's lists for one tenant at one time."""

    group: str
    tenant: str
    at: str
    line: str
    what: str
    """All purchases, or those of products new to the customer."""
    known: int
    """Customers with a purchase up to the time."""
    judged: int
    """Customers with a truth."""
    ndcg: float
    recall: float
    error: float
    """Standard error of the NDCG less the first line's, over the tenant's customers."""


def results(case: Case, given: Given) -> list[Result]:
    """Every line's results for a case."""
    lists = {name: line(case, given) for name, line in LINES.items()}
    found: list[Result] = []
    for what in WHAT:
        first = score(case, lists[SERVED], what)
        if not len(first.ndcg):
            continue
        for name, ranked in lists.items():
            one = score(case, ranked, what)
            spread = float(np.std(one.ndcg - first.ndcg, ddof=1)) if len(one.ndcg) > 1 else 0.0
            found.append(
                Result(
                    group=case.shop.group,
                    tenant=case.shop.tenant,
                    at=f"{case.shop.at:%Y-%m-%d}",
                    line=name,
                    what=what,
                    known=case.known,
                    judged=len(one.ndcg),
                    ndcg=round(float(one.ndcg.mean()), 6),
                    recall=round(float(one.recall.mean()), 6),
                    error=round(spread / np.sqrt(len(one.ndcg)), 6),
                )
            )
    return found


def mean(some: Sequence[Result]) -> float:
    """Mean NDCG over tenants and times."""
    return float(np.mean([one.ndcg for one in some])) if some else float("nan")


def error(some: Sequence[Result]) -> float:
    """Standard error of the mean difference from the first line, from each tenant's own."""
    return float(np.sqrt(np.sum(np.square([one.error for one in some])))) / max(1, len(some))


def write(path: Path, found: Iterable[Result]) -> None:
    """Write results as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(one) for one in found)


def read(path: Path) -> list[Result]:
    """Read the results of ``write``."""
    kinds = {"known": int, "judged": int, "ndcg": float, "recall": float, "error": float}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Result(**{name: kinds.get(name, str)(value) for name, value in row.items()})
            for row in csv.DictReader(file)
        ]
