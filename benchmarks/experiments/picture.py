"""The curves as a picture: false calls by day, calls by planned time, regret by night."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments.findings import Found
from benchmarks.experiments.trials import GRID, LATE, LOOKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(found: Found, path: Path) -> None:
    """Draw the three panels; a shaded band is where 95% of such samples lie."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "recfleet"
    figure = Figure(figsize=(12, 4), layout="constrained")
    false, effects, bandit = figure.subplots(1, 3)
    _draw_false(false, found)
    _draw_effects(effects, found)
    _draw_bandit(bandit, found)
    for panel in (false, effects, bandit):
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def _draw_false(panel: Axes, found: Found) -> None:
    days = np.arange(1, LOOKS + 1)
    rows = [row for row in found["false"] if row.share == 0.5 and row.customers >= 2_000]
    for place, row in enumerate(rows):
        label = {0: "a plain test every day"}.get(place)
        _band(panel, days, row.plain, experiments=row.experiments, colour="tab:red", label=label)
    for place, row in enumerate(rows):
        label = {0: "recfleet's bounds"}.get(place)
        _band(panel, days, row.called, experiments=row.experiments, colour="tab:blue", label=label)
    panel.axhline(5, color="grey", linewidth=0.8)
    panel.set_title("No effect: experiments ever called, %", fontsize=10)
    panel.set_xlabel("daily looks", fontsize=9)


def _draw_effects(panel: Axes, found: Found) -> None:
    colours = [f"C{number}" for number in range(10)]
    for row, colour in zip(found["effects"], colours, strict=False):
        label = f"{row.source}, {row.effect:.0%}, {row.planned:,.0f} planned"
        _band(panel, GRID, row.curve, experiments=row.experiments, colour=colour, label=label)
    panel.axhline(80, color="grey", linewidth=0.8)
    panel.axvline(LATE, color="grey", linewidth=0.8)
    panel.set_title("True effect: experiments called, %", fontsize=10)
    panel.set_xlabel("time, in planned times", fontsize=9)


def _draw_bandit(panel: Axes, found: Found) -> None:
    rows = [row for row in found["bandit"] if row.delay == 1 and row.kpi == "accepts"]
    row = min(rows, key=lambda one: abs(one.customers - 4_000))
    nights = np.arange(1, len(row.curves[0]) + 1)
    for name, curve in zip(
        ("recfleet's bandit", "one that never forgets", "an equal split"), row.curves, strict=True
    ):
        panel.plot(nights, curve, label=name)
    error = 1.96 * row.beside_split_error * row.curves[2][-1]
    panel.errorbar(nights[-1], row.curves[0][-1], yerr=error, color="C0", capsize=3)
    panel.set_title(f"Regret, {row.customers:,} customers a night", fontsize=10)
    panel.set_xlabel("nights", fontsize=9)


def _band(
    panel: Axes,
    at: np.ndarray[tuple[int], np.dtype[np.float64 | np.int64]],
    shares: list[float],
    *,
    experiments: int,
    colour: str,
    label: str | None,
) -> None:
    share = np.array(shares)
    error = 196 * np.sqrt(share * (1 - share) / experiments)
    panel.plot(at, 100 * share, color=colour, label=label, linewidth=1.2)
    panel.fill_between(at, 100 * share - error, 100 * share + error, color=colour, alpha=0.15)
