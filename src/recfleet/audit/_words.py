"""An entry of the audit in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from recfleet.audit._read import OnRecord

_METRICS = {"rmse": ("RMSE", 4), "ndcg_at_10": ("NDCG@10", 3), "recall_at_10": ("recall@10", 3)}
OF_BACKFILL = "__as-of-"
"""In the name of a backfill's night, between its Airflow run and the night's time."""
_WHO_FIRST = ("challenger", "champion", "previous", "popularity")


def what_changed(entry: OnRecord) -> str:
    """What an entry changed, from what to what; such as ``promotion: version 2 → 3``."""
    if entry.to_version is not None or entry.from_version is not None:
        former = f"version {entry.from_version} → " if entry.from_version is not None else ""
        new = entry.to_version if entry.to_version is not None else "none"
        return f"{entry.kind}: {former or 'version '}{new}"
    if told := facts_in_words(entry.kind, entry.facts):
        return f"{entry.kind}: {told}"
    return entry.kind


def facts_in_words(kind: str, facts: Mapping[str, Any], *, longest: int | None = None) -> str:
    """What an entry changed that is no version; empty: nothing.

    Args:
        kind: the entry's.
        facts: the entry's.
        longest: of a list that is longer only its length is told; by default all of it is.
    """
    if changes := facts.get("changes"):
        return ", ".join(_changed(key, change, longest) for key, change in changes.items())
    if kind == "backfill":
        first, last = (_day(facts[end]) for end in ("from", "to"))
        return first + (f" to {last}" if last != first else "")
    if kind == "repair" and "mode" in facts:
        return f"mode {facts['mode']}"
    if "from" in facts and "to" in facts:
        return f"{_short(facts['from'], longest)} → {_short(facts['to'], longest)}"
    return ""


def _changed(key: str, change: Mapping[str, Any], longest: int | None) -> str:
    """One field of a policy: from what to what, and whose it is now where that is news."""
    former, new = (_short(change[side], longest) for side in ("from", "to"))
    is_other = change["from"] != change["to"]
    told = f"{key} {former} → {new}" if is_other else f"{key} {new}"
    if "own" not in change:
        return told
    if not change["own"]:
        return f"{told}, the fleet's again"
    return told if is_other else f"{told}, its own now"


def numbers_in_words(entry: OnRecord) -> list[str]:
    """The judge's numbers of all contenders, a line for each metric; none where nobody judged."""
    contenders = entry.numbers.get("contenders") or {}
    intervals = entry.numbers.get("intervals") or {}
    names = sorted(contenders, key=_place)
    lines = []
    for metric, (label, digits) in _METRICS.items():
        told = [
            f"{name} {_number(value, intervals.get(name, {}).get(metric), digits)}"
            for name in names
            if (value := contenders[name].get(metric)) is not None
        ]
        if told:
            lines.append(f"{label}: {', '.join(told)}")
    if lines and isinstance(confidence := entry.numbers.get("confidence"), float) and intervals:
        lines[0] += f"  (bounds at {confidence * 100:.4g}% each)"
    return lines


def where_it_came_from(entry: OnRecord) -> list[str]:
    """What a new champion was made from: data, recipe, code, run; a line each."""
    facts = entry.facts
    lines = []
    if training := facts.get("training"):
        lines.append(f"trained on {span_in_words(training)}")
    if holdout := facts.get("holdout"):
        judged = (entry.numbers.get("holdout") or {}).get("customers")
        by = "" if judged is None else f"{judged} customers of "
        lines.append(f"judged by {by}{span_in_words(holdout)}")
    if recipe := facts.get("recipe"):
        lines.append("recipe " + ", ".join(f"{name} {value}" for name, value in recipe.items()))
    is_backfill = entry.kind == "backfill"  # Its run is Airflow's, and of no model.
    made = {
        "code": facts.get("code_version"),
        "Airflow run": airflow_run(facts.get("run_id" if is_backfill else "airflow_run") or ""),
        "MLflow run": None if is_backfill else facts.get("run_id"),
    }
    told = [f"{name} {value}" for name, value in made.items() if value]
    if told:
        lines.append(", ".join(told))
    return lines


def airflow_run(night_run: str) -> str:
    """The run in Airflow that a night is of; of a backfill, several nights are."""
    return night_run.partition(OF_BACKFILL)[0]


def _place(name: str) -> tuple[int, str]:
    return (_WHO_FIRST.index(name) if name in _WHO_FIRST else len(_WHO_FIRST), name)


def _number(value: float, bounds: Mapping[str, Any] | None, digits: int) -> str:
    text = f"{value:.{digits}f}"
    if not bounds or bounds.get("low") is None or bounds.get("high") is None:
        return text
    return f"{text} ({bounds['low']:.{digits}f} to {bounds['high']:.{digits}f})"


def span_in_words(span: Mapping[str, Any]) -> str:
    """A stretch of a tenant's interactions: its lines, times and fingerprint."""
    return (
        f"{span['lines']:,} lines from {_time(span['from'])} to {_time(span['to'])} "
        f"(fingerprint {span['fingerprint']})"
    )


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"


def _day(text: str) -> str:
    """A time without its zone, and without the clock at midnight."""
    return _time(text).removesuffix(" 00:00")


def _short(value: object, longest: int | None) -> str:
    if isinstance(value, list) and longest is not None and len(value) > longest:
        return f"a list of {len(value)}"
    if value is None or value == []:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
