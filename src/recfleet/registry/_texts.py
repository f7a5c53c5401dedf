"""Texts for people in MLflow: notes, tags and numbers, cut to the room in its tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from recfleet.registry._run_rows import Challenger

_LONGEST = 5000
"""Most characters that the narrowest of MLflow's columns for prose can hold."""
_NOTE = "mlflow.note.content"
"""The tag that MLflow shows, as Markdown, as the description of a run or an experiment."""


def experiment_tags(tenant_id: str) -> dict[str, str]:
    """Tags of a tenant's experiment."""
    return {
        "tenant": tenant_id,
        _NOTE: (
            "Every challenger of this tenant, one run a night. The promoted ones are versions of "
            "the registered model of the same name."
        ),
    }


def model_note(tenant_id: str) -> dict[str, Any]:
    """Description and tags of a tenant's registered model."""
    return {
        "description": (
            f"What to offer next to each customer of `{tenant_id}`.\n\n`champion` is the version "
            "in force, `previous` the one before it. A version is a challenger that was "
            "promoted, waited for approval, or was tried by a backfill; its tag `verdict` says "
            "which. Every challenger is a run of the experiment of the same name."
        ),
        "tags": {"tenant": tenant_id},
    }


def run_tags(
    challenger: Challenger, night: str, as_of: datetime, *, name: str, user: str
) -> dict[str, str]:
    """Tags of a challenger's run, including its name and description on MLflow's pages."""
    return {
        "mlflow.runName": name,
        "mlflow.user": user,
        "tenant": challenger.tenant_id,
        "night": night,
        "as_of": as_of.isoformat(),
        "train_end": challenger.train_end.isoformat(),
        **texts({_NOTE: challenger.description or None}),
        **texts(challenger.tags),
    }


def numbers(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Metrics in MLflow's form; None and NaN are left out."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if value is not None and not math.isnan(value)
    }


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """Values as text for people; None is left out."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value:.6g}" if isinstance(value, float) else cut(str(value))


def begun_with(told: str, text: str) -> str:
    """The text with a sentence about the result before it; the sentence is added only once."""
    if text.startswith(told):
        return text
    return cut(f"{told} {text[:1].upper()}{text[1:]}".rstrip())


def cut(text: str) -> str:
    """The text, cut to the room that there is."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
