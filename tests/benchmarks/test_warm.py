"""The benchmark of warm starts, in its short form."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.warm.__main__ import MOST_RMSE, demands, findings, losses
from benchmarks.warm.chain import run
from benchmarks.warm.shops import synthetic


def test_losses_are_shares_by_which_warm_fits_are_worse() -> None:
    rmse, ndcg = losses(np.array([0.04, 0.01, 0.15, 0.2]))
    assert rmse == pytest.approx(100)
    assert ndcg == pytest.approx(25)


def test_sixty_nights_of_a_small_tenant_are_as_good_as_cold_fits() -> None:
    found = findings(run([next(synthetic(1600))], every=30))
    assert found["rmse"] <= MOST_RMSE
    assert found["anew"] in (3, 4), "the first night, and two or three turns in sixty days"
    assert found["warm_ms"] < found["cold_ms"]
    [rmse] = demands({"small": found})
    assert rmse.name == "small: loss of RMSE"
