"""The table as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.served.findings import pick
from benchmarks.served.lines import LINES
from benchmarks.served.measure import WHAT
from benchmarks.served.results import Result, mean
from benchmarks.served.shops import GROUPS


def draw(found: Sequence[Result], path: Path) -> None:
    """Draw the mean NDCG@10 of every line: a column of panels per group, all above new."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "recfleet"
    names = list(LINES)
    figure = Figure(figsize=(11, 7), layout="constrained")
    panels = figure.subplots(len(WHAT), len(GROUPS), sharey=True, squeeze=False)
    for row, what in enumerate(WHAT):
        for column, group in enumerate(GROUPS):
            panel = panels[row][column]
            values = [mean(pick(found, group, name, what)) for name in names]
            colours = ["tab:blue" if "blend" in name else "tab:grey" for name in names]
            panel.barh(range(len(names)), values, color=colours)
            panel.set_yticks(range(len(names)), names, fontsize=7)
            panel.set_title(f"{group}: {what}", fontsize=9)
            panel.grid(axis="x", alpha=0.3)
    panels[0][0].invert_yaxis()
    figure.supxlabel("NDCG@10, mean over tenants and times", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
