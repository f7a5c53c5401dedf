"""A model that is served with habit and trend ranks a history as the nightly lists do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from recfleet.errors import BadInputError, TenantError
from recfleet.models import (
    TREND,
    WEIGHTS,
    InteractionLog,
    Lesson,
    Signals,
    blend,
    read_trend,
    read_weights,
    trainer_of,
    write_trend,
)
from recfleet.recipe import Recipe
from recfleet.registry.pyfunc import Recommender

AS_OF = datetime(2026, 3, 30, tzinfo=UTC)
SINCE = AS_OF - timedelta(days=14)
DAY = 86_400_000_000
RECIPE = Recipe(factors=8, iterations=3, list_length=6)


@pytest.fixture(scope="module")
def shop() -> InteractionLog:
    """Thirty customers who buy twenty products, some of them again, over 80 days."""
    generator = np.random.default_rng(0)
    lines = 900
    days = np.sort(generator.integers(0, 80 * DAY, lines))
    product = (generator.integers(0, 8, lines) + 4 * generator.integers(0, 4, lines)) % 20
    return InteractionLog(
        tenant_id="shop",
        as_of=AS_OF,
        customer_ids=np.array([f"c{i:02}" for i in range(30)], dtype=object),
        product_ids=np.array([f"p{i:02}" for i in range(20)], dtype=object),
        customer=generator.integers(0, 30, lines).astype(np.int32),
        product=product.astype(np.int32),
        occurred_at=int(AS_OF.timestamp()) * 1_000_000 - 80 * DAY + days,
        quantity=np.ones(lines),
        amount=np.ones(lines),
    )


@pytest.fixture(scope="module")
def files(shop: InteractionLog) -> dict[str, bytes]:
    model = trainer_of(RECIPE, "both").train(shop, before=SINCE, seed=1)
    weights = Lesson.of(shop, SINCE).learn(model.fold_in(shop, before=SINCE)).weights
    products = np.searchsorted(shop.product_ids, model.product_ids)
    trend = write_trend(Signals.of(shop, AS_OF).trend, products)
    return model.files() | {WEIGHTS: weights.to_json().encode(), TREND: trend}


@pytest.fixture(scope="module")
def recommender(files: dict[str, bytes]) -> Recommender:
    from recfleet.models import read_model

    return Recommender(read_model(files), read_weights(files), read_trend(files))


def _histories(shop: InteractionLog) -> pd.DataFrame:
    rows = [shop.customer == customer for customer in range(len(shop.customer_ids))]
    times = [datetime.fromtimestamp(time / 1e6, UTC).isoformat() for time in shop.occurred_at]
    return pd.DataFrame(
        {
            "history": [shop.product_ids[shop.product[row]].tolist() for row in rows],
            "times": [[times[line] for line in np.flatnonzero(row)] for row in rows],
        }
    )


def test_a_history_with_times_is_ranked_as_the_nightly_list(
    shop: InteractionLog, recommender: Recommender, files: dict[str, bytes]
) -> None:
    model, weights = recommender.model, read_weights(files)
    assert weights is not None
    expected = blend(
        Signals.of(shop, AS_OF),
        model.fold_in(shop),
        weights,
        allowed=np.ones(20, dtype=bool),
        list_length=6,
        offers="both",
    )
    found = recommender.predict(_histories(shop), {"n": 6})
    assert found["source"].tolist() == ["history"] * 30
    alike = sum(
        products == shop.product_ids[places[:6]].tolist()
        for products, (_, places, _) in zip(found["products"], expected.each(), strict=True)
    )
    assert alike >= 29  # Scores that are equal but for rounding may change places.


def test_when_something_was_bought_matters(recommender: Recommender) -> None:
    history = {"history": [["p00", "p01"]] * 2}
    lately, long_ago = "2026-03-29T12:00:00", "2026-01-20T12:00:00"
    found = recommender.predict(
        pd.DataFrame({**history, "times": [[lately, long_ago], [long_ago, lately]]}), {"n": 20}
    )
    of = [
        dict(zip(products, scores, strict=True))
        for products, scores in zip(found["products"], found["scores"], strict=True)
    ]
    assert of[0]["p00"] != of[1]["p00"]
    assert recommender.predict(pd.DataFrame(history))["source"].tolist() == ["history"] * 2


@pytest.mark.parametrize(
    ("times", "sentence"),
    [(["2026-03-01"], "2 products in its history, but 1 times"), (["x", "y"], "write times as")],
)
def test_times_that_cannot_be_used(
    recommender: Recommender, times: list[str], sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence):
        recommender.predict(pd.DataFrame({"history": [["p00", "p01"]], "times": [times]}))


def test_a_damaged_trend_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(TenantError, match="cannot be read"):
        read_trend({TREND: files[TREND][:40]})
    other = files[TREND].replace(b"'popular'", b"'populer'")
    with pytest.raises(TenantError, match="train again"):
        read_trend({TREND: other})
