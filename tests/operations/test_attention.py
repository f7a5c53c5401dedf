"""Why a tenant needs a person, in words; the pages' tests check the rules themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest

from recfleet.operations import ATTENTION, URGENT_OUTCOMES, Standing
from recfleet.record import Outcome

SHOP = Standing(
    tenant_id="shop",
    name="Shop",
    mode="on",
    outcome="kept",
    reason="the gain is too small",
    skill=-0.0123,
    release_id=7,
    live_as_of=datetime(2025, 12, 1, tzinfo=UTC),
    served_by="model",
    model_version=1,
    customers=40,
    waiting_version=2,
    waits_until=datetime(2025, 12, 3, 6, 30, tzinfo=UTC),
    attention=None,
)
SENTENCES = {
    "failed": "the gain is too small",
    "awaiting-approval": "Version 2 waits for a person until 2025-12-03 06:30 UTC, then it is "
    "rejected. The gain is too small",
    "worse-than-popularity": "The served model's error (RMSE) is 1.23% above that of popular "
    "products.",
    "old-lists": "The live lists are of 2025-12-01; the last night that tried to renew them ended "
    "as kept: the gain is too small",
    "nothing-live": "No lists are live: the gain is too small",
}


@pytest.mark.parametrize("key", SENTENCES)
def test_each_reason_is_a_sentence(key: str) -> None:
    attention = next(it for it in ATTENTION if it.key == key)
    assert replace(SHOP, attention=attention).attention_reason == SENTENCES[key]


def test_without_a_reason_there_is_no_sentence() -> None:
    assert SHOP.attention_reason is None


def test_where_nothing_was_said_the_sentence_says_that() -> None:
    nothing_live = next(it for it in ATTENTION if it.key == "nothing-live")
    silent = replace(SHOP, reason=None, attention=nothing_live)
    assert silent.attention_reason == "No lists are live: nothing has been published yet"


def test_keys_are_told_apart_and_outcomes_are_those_of_nights() -> None:
    assert len({it.key for it in ATTENTION}) == len(ATTENTION)
    assert URGENT_OUTCOMES[:2] == ("failed", "quarantined")
    assert set(URGENT_OUTCOMES) <= set(get_args(Outcome))
