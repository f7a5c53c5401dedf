"""What is asked of the numbers that a benchmark measures, and whether they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Demand:
    """One number that was asked for, and what was measured."""

    name: str
    asked: str
    found: str
    met: bool
    """Also when there was nothing to measure it on; ``found`` then says so."""


def at_most(name: str, measured: float, limit: float, unit: str = "") -> Demand:
    """The demand that a number is the limit or below; a NaN never is."""
    return Demand(name, f"at most {_shown(limit, unit)}", _shown(measured, unit), measured <= limit)


def at_least(name: str, measured: float, limit: float, unit: str = "") -> Demand:
    """The demand that a number is the limit or above; a NaN never is."""
    return Demand(
        name, f"at least {_shown(limit, unit)}", _shown(measured, unit), measured >= limit
    )


def none_of(name: str, found: Sequence[object]) -> Demand:
    """The demand that there is nothing of a kind."""
    return Demand(name, "none", ", ".join(map(str, found)) or "none", not found)


def demand_table(demands: Iterable[Demand]) -> Iterator[str]:
    """The demands as a Markdown table, line by line."""
    yield "| | demanded | found | |"
    yield "|---|---|---|---|"
    for one in demands:
        yield f"| {one.name} | {one.asked} | {one.found} | {'met' if one.met else '**missed**'} |"


def conclude(demands: Iterable[Demand]) -> int:
    """Print the demands; returns the benchmark's exit code, 1 where one of them is missed.

    Raises:
        ValueError: there is none, so the benchmark would always succeed.
    """
    known = list(demands)
    if not known:
        raise ValueError("no demand was checked")
    print("", *demand_table(known), sep="\n", flush=True)
    return 0 if all(one.met for one in known) else 1


def _shown(value: float, unit: str) -> str:
    return f"{value:,.4g}{f' {unit}' if unit else ''}"
