"""The tables' JSON, as older versions wrote it, is the same after reading and writing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from recfleet.audit import read_facts
from recfleet.judging import Numbers
from recfleet.record import (
    ChallengerFacts,
    Follow,
    Intent,
    NightNumbers,
    Promote,
    RollBack,
    Trained,
    intent_json,
    numbers_against,
    read_intent,
)
from recfleet.stored import Stored

SCORE = {"rmse": 0.4472, "ndcg_at_10": 0.3, "recall_at_10": 0.15, "skill": None}
BOUNDS = {"low": -0.01, "high": 1e-05}
ESTIMATE = {"value": 0.012, "standard_error": 0.004, "low": None, "high": 2.0}
GAIN = {"over": "champion", **ESTIMATE, "ndcg_at_10": ESTIMATE, "recall_at_10": ESTIMATE}
POOLED = {"nights": 7, "confidence": 0.95, **ESTIMATE}
HOLDOUT = {
    "start": "2024-03-01T00:00:00+00:00",
    "customers": 200,
    "candidates": 2,
    "truths": 200,
    "left_out": {"customers_without_history": 0},
}
UNJUDGED: dict[str, Any] = {
    "confidence": 0.995,
    "minimum_gain": 0.005,
    "holdout": HOLDOUT,
    "contenders": {"popularity": SCORE},
    "intervals": {"popularity": {"rmse": BOUNDS}},
}
JUDGED = {
    **UNJUDGED,
    "contenders": {"challenger": SCORE, "champion": SCORE, "popularity": SCORE},
    "gain": GAIN,
}
ON_PROBATION = {
    **JUDGED,
    "pooled": POOLED,
    "probation": {**GAIN, "version": 4, "night": 2, "nights": 7, "pooled": POOLED},
}
TROUBLE = {**JUDGED, "probation": {"trouble": "the previous model cannot be compared: it is gone"}}
OF_THE_FIRST_RELEASE = {
    "holdout": {"start": "2024-03-01T00:00:00+00:00", "customers": 20},
    "contenders": {"challenger": {"rmse": 0, "skill": 0.1}, "popularity": {"rmse": 1}},
    "what no release knows any more": [1, {"a": None}],
}
SPAN = {
    "from": "2023-01-01T08:00:01.000250+00:00",
    "to": "2024-03-01T00:00:00+01:00",
    "lines": 12,
    "fingerprint": "ab12",
}
MADE = {
    "fingerprint": "cd34",
    "customers": 40,
    "products": 50,
    "pairs": 600,
    "seed": 7,
    "training": SPAN,
    "holdout": SPAN,
    "recipe": {"factors": 16, "signal": "log", "alpha": 4.0, "repeat_purchases": False},
    "code_version": "0.1.0",
    "airflow_run": "scheduled__2024",
}
WHERE = {"run_id": "r1", "model_uri": "als-a/r1", "train_end": "2024-03-01T00:00:00+00:00"}


@pytest.mark.parametrize("numbers", [{}, UNJUDGED, JUDGED, ON_PROBATION, TROUBLE])
@pytest.mark.parametrize("against", [None, 3])
def test_numbers(numbers: dict[str, Any], against: int | None) -> None:
    old = {**numbers, "against": against}

    assert _same(NightNumbers.model_validate(old), old)
    assert _same(Numbers.model_validate(old), old)
    assert _same(Numbers.model_validate(numbers), numbers)
    assert _same(numbers_against(Numbers.model_validate(numbers), against), old)


def test_numbers_of_an_older_release() -> None:
    assert _same(NightNumbers.model_validate(OF_THE_FIRST_RELEASE), OF_THE_FIRST_RELEASE)


def test_numbers_without_a_gain() -> None:
    assert _same(Numbers.model_validate(JUDGED).without_gain(), {**JUDGED}, without="gain")


@pytest.mark.parametrize("known", [MADE, {}, {"training": SPAN}])
def test_challenger(known: dict[str, Any]) -> None:
    trained = {**known, "train_end": WHERE["train_end"]}

    assert _same(ChallengerFacts.model_validate({**known, **WHERE}), {**known, **WHERE})
    logged = Trained.model_validate(trained).logged("r1", "als-a/r1", {"model.json": "2 9f86"})
    assert _same(logged, {**known, **WHERE, "contents": {"model.json": "2 9f86"}})
    assert logged.as_champion().contents == {"model.json": "2 9f86"}
    champion = ChallengerFacts.model_validate({**known, **WHERE}).as_champion()
    assert champion.train_end == datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("first model", {}),
        ("first model", {**MADE, **WHERE}),
        ("promotion", {**MADE, **WHERE, "release_id": 4, "approval_id": 2}),
        ("rollback", {"holdout": SPAN, **WHERE}),
        ("awaiting approval", {**MADE, **WHERE, "change": "promotion", "held_by": "brake"}),
        ("awaiting approval", {"change": "rollback", "held_by": "policy", "run_id": "r1"}),
        ("approved", {"approval_id": 2, "change": "rollback", "held_by": "brake", "run_id": "r"}),
        ("mode", {"from": "off", "to": "on", "shows": "nothing was live"}),
        ("mode", {"from": "on", "to": "frozen"}),
        ("policy", {"changes": {"recipe.factors": {"from": 16, "to": 32, "own": True}}}),
        ("policy", {"changes": {"a": {"from": None, "to": []}}, "policy": {"minimum_gain": 0.005}}),
        (
            "backfill",
            {
                "from": "2024-03-01T00:00:00+00:00",
                "to": "2024-03-08T00:00:00+00:00",
                "step": 7,
                "promote": False,
                "force": True,
                "nights": 2,
                "run_id": "manual__1",
            },
        ),
        ("repair", {"check": "lists"}),
        ("repair", {"check": "audit", "champion": None}),
        ("repair", {"check": "modes", "mode": "frozen"}),
        ("a kind to come", {"what": {"it": "says"}}),
    ],
)
def test_facts(kind: str, facts: dict[str, Any]) -> None:
    assert _same(read_facts(kind, facts), facts)


@pytest.mark.parametrize(
    ("stored", "intent"),
    [
        ({"promote": "r1", "from_version": None}, Promote(run_id="r1", from_version=None)),
        ({"promote": "r1", "from_version": 2}, Promote(run_id="r1", from_version=2)),
        ({"rollback": 1, "from_version": 2}, RollBack(version=1, from_version=2)),
        (
            {"follow": {"3": {"verdict": "promote", "decided_by": "mara"}}},
            Follow(marks={3: {"verdict": "promote", "decided_by": "mara"}}),
        ),
    ],
)
def test_intent(stored: dict[str, Any], intent: Intent) -> None:
    assert read_intent(stored) == intent
    assert json.loads(intent_json(intent)) == stored


@pytest.mark.parametrize("stored", [{}, {"promote": "r1", "rollback": 1, "from_version": 2}])
def test_what_is_no_intent(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_intent(stored)


def _same(made: Stored, expected: dict[str, Any], *, without: str = "") -> bool:
    """Whether it is the same JSON, in any order; whole numbers must stay whole."""
    wanted = {key: value for key, value in expected.items() if key != without}
    return json.dumps(made.plain(), sort_keys=True) == json.dumps(wanted, sort_keys=True)
