"""Demands on a benchmark's numbers, and whether the numbers meet them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Demand:
    """A demand on one number, and the measured value."""

    name: str
    asked: str
    found: str
    met: bool
    """True also if there was nothing to measure; ``found`` then says so."""


def at_most(name: str, measured: float, limit: float, unit: str = "") -> Demand:
    """Demand a number at or below the limit; NaN misses it."""
    return Demand(name, f"at most {_shown(limit, unit)}", _shown(measured, unit), measured <= limit)


def at_least(name: str, measured: float, limit: float, unit: str = "") -> Demand:
    """Demand a number at or above the limit; NaN misses it."""
    return Demand(
        name, f"at least {_shown(limit, unit)}", _shown(measured, unit), measured >= limit
    )


def none_of(name: str, found: Sequence[object]) -> Demand:
    """Demand that nothing of a kind was found."""
    return Demand(name, "none", ", ".join(map(str, found)) or "none", not found)


def demand_table(demands: Iterable[Demand]) -> Iterator[str]:
    """The demands as a Markdown table, line by line."""
    yield "| | demanded | found | |"
    yield "|---|---|---|---|"
    for one in demands:
        yield f"| {one.name} | {one.asked} | {one.found} | {'met' if one.met else '**missed**'} |"


def conclude(demands: Iterable[Demand]) -> int:
    """Print the demands; returns the benchmark's exit code, 1 if one of them is missed.

    Raises:
        ValueError: there are no demands, so the benchmark would always succeed.
    """
    known = list(demands)
    if not known:
        raise ValueError("no demand was checked")
    print("", *demand_table(known), sep="\n", flush=True)
    return 0 if all(one.met for one in known) else 1


def _shown(value: float, unit: str) -> str:
    return f"{value:,.4g}{f' {unit}' if unit else ''}"
