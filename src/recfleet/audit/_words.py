"""An entry of the audit in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from recfleet.audit._facts import (
    AnalystFacts,
    AnswerFacts,
    BackfillFacts,
    ChampionFacts,
    DeletionFacts,
    ExperimentFacts,
    Facts,
    FeedFacts,
    FieldChange,
    ForgettingFacts,
    KeyFacts,
    LoadFacts,
    MadeFrom,
    ModeFacts,
    PolicyFacts,
    RepairFacts,
    Span,
)
from recfleet.audit._read import OnRecord
from recfleet.contents import digest_of
from recfleet.judging import Bounds

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
    if told := facts_in_words(entry.facts):
        return f"{entry.kind}: {told}"
    return entry.kind


def facts_in_words(facts: Facts, *, longest: int | None = None) -> str:
    """What an entry changed besides a version; empty: nothing.

    Args:
        facts: the entry's.
        longest: a longer list is replaced by its length; by default no list is.
    """
    match facts:
        case PolicyFacts(changes=changes) if changes:
            return ", ".join(_changed(key, change, longest) for key, change in changes.items())
        case BackfillFacts(first=first, last=last) if first and last:
            return _day(first) + (f" to {_day(last)}" if _day(last) != _day(first) else "")
        case (
            DeletionFacts()
            | ForgettingFacts()
            | AnalystFacts()
            | KeyFacts()
            | LoadFacts()
            | FeedFacts()
            | ExperimentFacts()
        ):
            return _gone_or_come(facts)
        case RepairFacts():
            return _repaired(facts, longest)
        case ModeFacts(former=former, new=new) if {"former", "new"} <= facts.model_fields_set:
            return f"{_short(former, longest)} → {_short(new, longest)}"
    return ""


def _of_experiment(facts: ExperimentFacts) -> str:
    told = f"{facts.change} {facts.experiment_id}"
    if facts.arms:
        told += f", {' against '.join(facts.arms)}"
    if facts.kpi:
        told += f", by {facts.kpi}"
    if facts.shares:
        parts = ", ".join(f"{arm} {share:.1%}" for arm, share in facts.shares.items())
        told += f"; of {facts.share:.0%} of the customers {parts}" if facts.share else f"; {parts}"
    return f"{told}, {facts.winner} wins" if facts.winner else told


def _gone_or_come(
    facts: DeletionFacts
    | ForgettingFacts
    | AnalystFacts
    | KeyFacts
    | LoadFacts
    | FeedFacts
    | ExperimentFacts,
) -> str:
    if isinstance(facts, ExperimentFacts):
        return _of_experiment(facts)
    if isinstance(facts, FeedFacts):
        return f"{facts.change} {facts.feed}" + (f" to {facts.to}" if facts.to else "")
    if isinstance(facts, AnalystFacts):
        return f"{facts.change} {facts.login}"
    if isinstance(facts, KeyFacts):
        scopes = f" for {', '.join(facts.scopes)}" if facts.scopes else ""
        instead = f" in the place of {facts.replaces}" if facts.replaces else ""
        return f"{facts.change} {facts.key_id} ({facts.name}){scopes}{instead}"
    rows = ", ".join(f"{count:,} {what}" for what, count in (facts.rows or {}).items() if count)
    if isinstance(facts, LoadFacts):
        return f"load {facts.ingest_id} of {facts.source}: {rows or 'no rows'}"
    return rows


def _repaired(facts: RepairFacts, longest: int | None) -> str:
    """What the story goes on from, besides a version."""
    if facts.mode:
        return f"mode {facts.mode}"
    if facts.policy is None:
        return ""
    own = ", ".join(f"{key} {_short(value, longest)}" for key, value in facts.policy.items())
    return f"policy {own or 'as the fleet'}"


def _changed(key: str, change: FieldChange, longest: int | None) -> str:
    """One field of a policy: old and new value, and whose value it is now if that has changed."""
    former, new = _short(change.former, longest), _short(change.new, longest)
    is_other = change.former != change.new
    told = f"{key} {former} → {new}" if is_other else f"{key} {new}"
    if change.own is None:
        return told
    if not change.own:
        return f"{told}, the fleet's again"
    return told if is_other else f"{told}, its own now"


def numbers_in_words(entry: OnRecord) -> list[str]:
    """The judge's numbers of all contenders, a line for each metric; empty: nobody was judged."""
    numbers = entry.numbers
    names = sorted(numbers.contenders, key=_place)
    lines = []
    for metric, (label, digits) in _METRICS.items():
        told = [
            f"{name} {_number(value, numbers.intervals.get(name, {}).get(metric), digits)}"
            for name in names
            if (value := getattr(numbers.contenders[name], metric)) is not None
        ]
        if told:
            lines.append(f"{label}: {', '.join(told)}")
    if lines and isinstance(confidence := numbers.confidence, float) and numbers.intervals:
        lines[0] += f"  (bounds at {confidence * 100:.4g}% each)"
    return lines


def where_it_came_from(entry: OnRecord) -> list[str]:
    """What a new champion was made from: data, recipe, code, run; one line each."""
    facts = entry.facts
    if isinstance(facts, MadeFrom):
        return [*_data(entry, facts), *_runs(facts), *_files(facts)]
    match facts:
        case BackfillFacts(run_id=run_id) if run_id:
            return [f"Airflow run {airflow_run(run_id)}"]
        case AnswerFacts(run_id=run_id) if run_id:
            return [f"MLflow run {run_id}"]
        case RepairFacts(contents=contents) if contents:
            return [f"files first seen, digest {digest_of(contents)}"]
    return []


def _data(entry: OnRecord, facts: MadeFrom) -> Iterator[str]:
    if facts.training:
        yield f"trained on {span_in_words(facts.training)}"
    if facts.holdout:
        judged = entry.numbers.holdout.customers if entry.numbers.holdout else None
        by = "" if judged is None else f"{judged} customers of "
        yield f"judged by {by}{span_in_words(facts.holdout)}"
    if facts.recipe:
        yield "recipe " + ", ".join(f"{name} {value}" for name, value in facts.recipe.items())


def _runs(facts: MadeFrom) -> Iterator[str]:
    made = {
        "code": facts.code_version,
        "Airflow run": airflow_run(facts.airflow_run or ""),
        "MLflow run": facts.run_id if isinstance(facts, ChampionFacts) else None,
    }
    if told := [f"{name} {value}" for name, value in made.items() if value]:
        yield ", ".join(told)


def _files(facts: MadeFrom) -> Iterator[str]:
    if isinstance(facts, ChampionFacts) and facts.contents:
        seen = " first seen," if facts.first_seen else ","
        yield f"files{seen} digest {digest_of(facts.contents)}"


def airflow_run(night_run: str) -> str:
    """The Airflow run of a night; several nights of a backfill share one."""
    return night_run.partition(OF_BACKFILL)[0]


def _place(name: str) -> tuple[int, str]:
    return (_WHO_FIRST.index(name) if name in _WHO_FIRST else len(_WHO_FIRST), name)


def _number(value: float, bounds: Bounds | None, digits: int) -> str:
    text = f"{value:.{digits}f}"
    if not bounds or bounds.low is None or bounds.high is None:
        return text
    return f"{text} ({bounds.low:.{digits}f} to {bounds.high:.{digits}f})"


def span_in_words(span: Span) -> str:
    """A stretch of a tenant's interactions: its lines, times and fingerprint."""
    return (
        f"{span.lines:,} lines from {_time(span.begin)} to {_time(span.end)} "
        f"(fingerprint {span.fingerprint})"
    )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _day(moment: datetime) -> str:
    """A time without its zone, and without the clock at midnight."""
    return _time(moment).removesuffix(" 00:00")


def _short(value: object, longest: int | None) -> str:
    if isinstance(value, list) and longest is not None and len(value) > longest:
        return f"a list of {len(value)}"
    if value is None or value == []:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
