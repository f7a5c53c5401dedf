"""The charts' data: plain lists, which the page hands to the chart library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recfleet.database import Row

if TYPE_CHECKING:
    from recfleet.experiments import Point

Chart = dict[str, Any]

_MARKS = {
    "first model": ("first model v{}", "good"),
    "promotion": ("promoted v{}", "good"),
    "rollback": ("rolled back to v{}", "bad"),
}
_MODES = {
    ("on", "frozen"): "frozen",
    ("frozen", "on"): "thawed",
    ("off", "on"): "switched on",
    ("off", "frozen"): "switched on, frozen",
}


def _chart(x: Sequence[float], unit: str, series: Mapping[str, tuple[str, Sequence[Any]]]) -> Chart:
    return {
        "has_values": any(value is not None for _, values in series.values() for value in values),
        "x": list(x),
        "unit": unit,
        "series": [
            {"label": label, "colour": colour, "values": list(values)}
            for label, (colour, values) in series.items()
        ],
        "marks": [],
    }


def fleet_charts(nights: Sequence[Row]) -> dict[str, Chart]:
    """How the fleet did over the nights; a value is null if the night did not record it."""
    x = [night["as_of"].timestamp() for night in nights]

    def outcomes(name: str) -> list[int]:
        return [(night["outcomes"] or {}).get(name, 0) for night in nights]

    def mode(name: str) -> list[float | None]:
        modes = [night["modes"] or {} for night in nights]
        return [known.get(name, 0) / sum(known.values()) if known else None for known in modes]

    def skill(name: str) -> list[float | None]:
        return [(night["skill"] or {}).get(name) for night in nights]

    return {
        "better": _chart(
            x, "share", {"share that beats popularity": ("good", skill("share_better"))}
        ),
        "gain": _chart(x, "percent", {"median gain over popularity": ("accent", skill("median"))}),
        "outcomes": _chart(
            x,
            "number",
            {
                "promoted": ("good", outcomes("promoted")),
                "first model": ("cold", outcomes("first model")),
                "quarantined": ("warn", outcomes("quarantined")),
                "failed": ("bad", outcomes("failed")),
                "rolled back": ("accent", outcomes("rolled back")),
            },
        ),
        "modes": _chart(
            x, "share", {"frozen": ("cold", mode("frozen")), "off": ("muted", mode("off"))}
        ),
    }


def tenant_charts(
    nights: Sequence[Row], history: Sequence[Row], volume: Sequence[Row]
) -> dict[str, Chart]:
    """A tenant's contenders over its nights, with what was done to it, and its data.

    Args:
        nights: newest first.
        history: the tenant's entries in the audit.
        volume: a row for each week, earliest first.
    """
    judged = _judged(nights)
    x = [night["as_of"].timestamp() for night in judged]

    def contenders(metric: str) -> Chart:
        return _chart(
            x,
            "number3",
            {
                "champion": ("good", [night[f"{metric}_champion"] for night in judged]),
                "challenger": ("accent", [night[f"{metric}_challenger"] for night in judged]),
                "popularity": ("muted", [night[f"{metric}_popularity"] for night in judged]),
            },
        )

    charts = {"rmse": contenders("rmse"), "ndcg": contenders("ndcg")}
    marks = [mark for entry in reversed(history) if (mark := _mark(entry)) is not None]
    for chart in charts.values():
        # The page's history has what was done before the first of these nights.
        chart["marks"] = [mark for mark in marks if x and mark["x"] >= x[0]]
    charts["volume"] = _chart(
        [row["until"].timestamp() for row in volume],
        "number",
        {
            "purchase lines": ("accent", [row["lines"] for row in volume]),
            "customers": ("muted", [row["customers"] for row in volume]),
        },
    )
    return charts


def difference_chart(points: Sequence[Point]) -> Chart:
    """An arm less the control, night by night, with bounds and the line of no difference."""
    return _chart(
        [point.as_of.timestamp() for point in points],
        "number",
        {
            "difference": ("accent", [point.value for point in points]),
            "at most": ("cold", [point.high for point in points]),
            "at least": ("cold", [point.low for point in points]),
            "no difference": ("muted", [0] * len(points)),
        },
    )


def _judged(nights: Sequence[Row]) -> list[Row]:
    """The nights with a judgment, by as-of; of several with one as-of, the newest.

    Trials are left out, because the chart shows what happened, not what might have.
    """
    found = {
        night["as_of"]: night
        for night in sorted(nights, key=lambda night: night["night_id"])
        if night["rmse_popularity"] is not None and not night["is_trial"]
    }
    return [found[as_of] for as_of in sorted(found)]


def _mark(entry: Row) -> dict[str, Any] | None:
    """An entry of the audit as a line in the chart, on the same time axis as the nights.

    If there is no room for all names, changes of champion keep theirs.
    """
    is_champion = entry["kind"] in _MARKS
    if is_champion:
        label, colour = _MARKS[entry["kind"]]
        label = label.format(entry["to_version"])
    elif entry["kind"] == "mode":
        mode = entry["facts"].new or "mode"
        label = _MODES.get((entry["facts"].former, mode), f"switched {mode}")
        colour = "cold"
    else:
        return None
    return {
        "x": entry["at"].timestamp(),
        "label": label,
        "colour": colour,
        "is_champion": is_champion,
    }
