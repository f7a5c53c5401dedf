"""The kept numbers as Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Kept = dict[str, Any]


def show(home: Path, what: str | None) -> None:
    """Print one benchmark's numbers, or those of all benchmarks that have run."""
    for name, write in SECTIONS.items():
        path = home / f"{name}.json"
        if path.exists() and what in (None, name):
            kept = json.loads(path.read_text())
            print(f"\n`python -m benchmarks.fleet {name}`, {kept['machine']}, {kept['at'][:10]}\n")
            for line in write(kept):
                print(line)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]


def _night(kept: Kept) -> list[str]:
    rows = []
    for name in ("first", "following"):
        night, bare = kept[name]["night"], kept[name]["bare_seconds"]
        rows.append(
            [
                name,
                f"{night['tenants']:,}",
                f"{kept[name]['trained']:,}",
                f"{night['seconds']:.0f} s",
                f"{bare:.0f} s",
                f"{night['seconds'] / bare:.2f}",
                f"{night['cpu_seconds']:.0f} s",
                f"{night['peak_mb']:.0f} MB",
                night["task_instances"],
                f"{night['xcom_bytes'] / 1000:.1f} KB",
            ]
        )
    head = ["night", "tenants", "trained", "takes", "bare limit", "times the bare limit",
            "processor", "largest task", "task instances", "XCom"]  # fmt: skip
    outcomes = [
        f"{name}: " + ", ".join(f"{n:,} {o}" for o, n in kept[name]["night"]["outcomes"].items())
        for name in ("first", "following")
    ]
    return [*_table(head, rows), "", *outcomes, "", *_each(kept), "", *_where(kept)]


def _where(kept: Kept) -> list[str]:
    """Where the time goes, in milliseconds per tenant."""
    first, following = (kept[name]["night"]["milliseconds"] for name in ("first", "following"))
    rows = [
        [part, f"{first.get(part, 0):.2f}", f"{following.get(part, 0):.2f}"]
        for part in sorted(first.keys() | following.keys())
    ]
    rows.append(["all", f"{sum(first.values()):.2f}", f"{sum(following.values()):.2f}"])
    return _table(["part, in milliseconds a tenant", "first", "following"], rows)


def _each(kept: Kept) -> list[str]:
    """One task per tenant, compared with the following night."""
    rows, costs = [], []
    for title, night in (
        ("one mapped task per tenant", kept["one_task_each"]),
        ("recfleet, the following night", kept["following"]["night"]),
    ):
        costs.append(night["seconds"] / night["tenants"])
        each = f"{1000 * costs[-1]:,.0f} ms"
        rows.append([title, f"{night['tenants']:,}", f"{night['seconds']:.0f} s", each])
    return [
        *_table(["way", "tenants", "takes", "a tenant"], rows),
        "",
        f"{costs[0] / costs[1]:.0f} times faster a tenant.",
    ]


def _growth(kept: Kept) -> list[str]:
    rows = [
        [
            size,
            f"{night['seconds']:.0f} s",
            f"{1000 * night['seconds'] / night['tenants']:.1f} ms",
            f"{night['peak_mb']:.0f} MB",
            f"{night['peak_server_mb']:.0f} MB",
            night["task_instances"],
            f"{night['xcom_bytes'] / 1000:.1f} KB",
        ]
        for size, night in kept["nights"].items()
    ]
    head = ["tenants", "takes", "a tenant", "largest task", "largest service process",
            "task instances", "XCom"]  # fmt: skip
    return _table(head, rows)


def _large(kept: Kept) -> list[str]:
    giant, night = kept["giant"], kept["night"]
    rows = [
        [
            stage["stage"],
            stage["shard"],
            stage["tenants"],
            f"{stage['seconds']:.1f} s",
            f"{stage['peak_mb']:.0f} MB",
        ]
        for stage in kept["stages"]
    ]
    return [
        f"{giant['interactions']:,} interactions, {giant['customers']:,} customers, "
        f"{giant['products']:,} products, among {night['tenants'] - 1} small tenants: "
        f"{night['seconds']:.0f} s; {kept['ledger']['outcome']}.",
        "",
        *_table(["task", "shard", "tenants", "takes", "peak memory"], rows),
    ]


SECTIONS: dict[str, Callable[[Kept], list[str]]] = {
    "night": _night,
    "growth": _growth,
    "large": _large,
}
