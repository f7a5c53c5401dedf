"""The curve of an experiment: its looks, night by night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recfleet.experiments._looks import KeptLook

_WIDTH = 41
"""Characters of a line of the curve, the zero among them."""
_MOST_LINES = 30


@dataclass(frozen=True)
class Point:
    """One night of a curve: an arm less the control, with its bounds."""

    as_of: datetime
    phase: int
    value: float
    low: float
    high: float


def points_of(looks: Sequence[KeptLook], arm: str, kpi: str) -> list[Point]:
    """The nights that have bounds for an arm and a KPI, the earliest first."""
    points = []
    for one in looks:
        found = one.look.differences.get(arm, {}).get(kpi)
        if found and found.value is not None and found.low is not None and found.high is not None:
            points.append(Point(one.look.as_of, one.phase, found.value, found.low, found.high))
    return points


def draw(points: Sequence[Point]) -> list[str]:
    """A curve for a terminal, a line for each night: bounds as dashes, the value as an o.

    ``|`` is zero: a line whose dashes leave it out is sure. Of long curves the last nights are
    drawn.
    """
    shown = points[-_MOST_LINES:]
    if not shown:
        return []
    low = min(0.0, *(point.low for point in shown))
    high = max(0.0, *(point.high for point in shown))
    span = high - low or 1.0

    def place(value: float) -> int:
        return round((value - low) / span * (_WIDTH - 1))

    lines = []
    for point in shown:
        line = [" "] * _WIDTH
        line[place(point.low) : place(point.high) + 1] = "-" * (
            place(point.high) - place(point.low) + 1
        )
        line[place(0.0)] = "|"
        line[place(point.value)] = "o"
        lines.append(
            f"{point.as_of:%Y-%m-%d}  {''.join(line)}  {point.value:+,.2f} "
            f"({point.low:+,.2f} to {point.high:+,.2f})"
        )
    return lines
