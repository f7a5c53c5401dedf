"""A tenant's first model: what its taste brings, and what follows from it."""

from __future__ import annotations

import numpy as np
import pytest

from recfleet.judging import Evidence, Likeness, ServedNdcg, TasteEvidence, judge
from recfleet.judging._first import DOUBT, SPREAD, first_look
from recfleet.statistics import Estimate
from recfleet.tenants import Policy
from tests.judging.test_verdict import holdout, scored

CUSTOMERS = 200
GOOD = {"challenger": scored(0.20), "champion": None, "popularity": scored(0.25)}


def _served(gain: float, noise: float = 0.0) -> ServedNdcg:
    swing = noise * np.linspace(-1, 1, CUSTOMERS)
    return ServedNdcg(np.full(CUSTOMERS, 0.3 + gain) + swing, np.full(CUSTOMERS, 0.3))


def test_taste_that_helps_is_served() -> None:
    verdict = judge(holdout(), GOOD, Policy(), seed=1, served=_served(0.02, noise=0.1))
    assert verdict.kind == "promote"
    assert verdict.numbers.taste is not None
    assert verdict.numbers.taste.served_with == pytest.approx(0.32)
    assert verdict.reason.startswith(
        "With the challenger's taste, the lists' NDCG@10 is 0.0200 higher than without (standard "
        "error 0.0041); for the fleet's tenants of this size it is usually 0.0000 higher, so 0.0171"
    )


def test_taste_that_hurts_is_not_served() -> None:
    verdict = judge(holdout(), GOOD, Policy(), seed=1, served=_served(-0.02, noise=0.1))
    assert (verdict.kind, verdict.first) == ("reject", True)
    assert verdict.reason.endswith("is expected; the tenant is served without a model.")


def test_a_model_with_a_larger_error_than_popularity_is_not_served() -> None:
    scores = GOOD | {"challenger": scored(0.26)}
    verdict = judge(holdout(), scores, Policy(), seed=1, served=_served(0.02))
    assert verdict.kind == "reject"
    assert "But its error (RMSE) is 1.98% higher than popularity's, and" in verdict.reason


def test_few_customers_are_outweighed_by_what_is_usual() -> None:
    few = Estimate(-0.004, 0.02, 20)
    usual = [Likeness(25, 0.02, 0.005)] * 40
    alone = first_look(few, TasteEvidence(), holdout_days=14)
    among = first_look(few, TasteEvidence(others=usual), holdout_days=14)
    assert alone.expected < 0 < among.expected < among.usual < 0.02
    larger = [Likeness(51, 0.02, 0.005)] * 40
    assert first_look(few, TasteEvidence(others=larger), holdout_days=14) == alone


def test_the_expectation_is_that_of_normal_distributions() -> None:
    own, other = Estimate(0.02, 0.01, 50), Likeness(50, -0.01, 0.02)
    mean = -0.01 / (0.02**2 + SPREAD**2) / (1 / (0.02**2 + SPREAD**2) + DOUBT**-2)
    look = first_look(own, TasteEvidence(others=[other]), holdout_days=14)
    assert look.usual == pytest.approx(mean)
    assert look.expected == pytest.approx((0.02 / 0.01**2 + mean / SPREAD**2) / 2e4)


def test_earlier_fortnights_of_the_tenant_count() -> None:
    tonight = Estimate(-0.002, 0.01, 30)
    earlier = [Evidence(14, 0.02, 0.01), Evidence(28, 0.015, 0.01)]
    look = first_look(tonight, TasteEvidence(earlier=earlier), holdout_days=14)
    assert look.own.value == pytest.approx(0.011)
    assert look.own.standard_error == pytest.approx(0.01 / 3**0.5)
    assert look.expected > 0
