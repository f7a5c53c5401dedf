"""The curves as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.judging.findings import GAINS, curve, typical_customers
from benchmarks.judging.look import Look

_LEAST = 4
"""A class of true gains is drawn only if it has at least this many nights."""


def draw(looks: Sequence[Look], path: Path) -> None:
    """Draw the share promoted by true gain, a panel per size: one night, and a week's nights."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "recfleet"
    sizes = sorted({look.size for look in looks if look.trial == "decline"})
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    panels = figure.subplots(2, -(-len(sizes) // 2), sharex=True, sharey=True, squeeze=False)
    middles = 100 * (np.array(GAINS[:-1]) + np.array(GAINS[1:])) / 2
    middles[0] = 0.0
    for panel, size in zip(panels.ravel(), sizes, strict=False):
        points = curve(looks, size)
        drawn = [place for place, point in enumerate(points) if point.nights >= _LEAST]
        shares = [100 * points[place].alone for place in drawn]
        panel.plot(middles[drawn], shares, "o--", label="by one night alone", markersize=4)
        drawn = [place for place, point in enumerate(points) if point.daily >= _LEAST]
        shares = [100 * points[place].together for place in drawn]
        panel.plot(middles[drawn], shares, "o-", label="with the nights before", markersize=4)
        panel.axvline(3, color="grey", linewidth=0.8)
        panel.set_title(f"{typical_customers(looks, size):.0f} holdout customers", fontsize=10)
        panel.grid(alpha=0.3)
    panels[0][0].legend(fontsize=8)
    figure.supxlabel("true gain of the challenger's RMSE, %", fontsize=10)
    figure.supylabel("nights on which it is promoted, %", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
