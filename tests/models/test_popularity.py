from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from recfleet.kinds import Offers
from recfleet.models import (
    SOURCES,
    InteractionLog,
    Scorer,
    merge,
    popular_products,
    popularity_scorer,
    rank,
)
from tests.models._logs import taste_log
from tests.models.contract import ScorerContract


class TestPopularity(ScorerContract):
    least_ndcg = 0.14

    def scorer(self, log: InteractionLog, before: datetime | None = None) -> Scorer:
        return popularity_scorer(log.matrix("binary", before=before))


@pytest.mark.parametrize("offers", ["new", "again", "both"])
@pytest.mark.parametrize("seed", range(5))
def test_the_short_way_to_popular_products_is_the_ranking_of_their_scorer(
    seed: int, offers: Offers
) -> None:
    bought = taste_log(seed, lines=400).matrix("binary")
    scorer = popularity_scorer(bought)
    share = scorer.products[:, 0]
    offered = np.flatnonzero(share > 0)
    offered = offered[np.argsort(-share[offered], kind="stable")]
    everybody = np.arange(bought.shape[0])

    theirs = bought[:, offered].sorted_indices()
    made = popular_products(
        everybody, theirs, offered, share[offered], list_length=6, offers=offers
    )
    short = merge([made])
    plain = rank(
        scorer,
        bought,
        allowed=np.ones(len(share), dtype=bool),
        list_length=6,
        offers=offers,
        source="popular",
    )

    assert short.customers.tolist() == plain.customers.tolist()
    assert short.starts.tolist() == plain.starts.tolist()
    assert short.products.tolist() == plain.products.tolist()
    assert short.scores.tolist() == plain.scores.tolist()
    assert short.kinds.tolist() == plain.kinds.tolist()
    assert set(short.sources.tolist()) == {SOURCES.index("popular")}
    assert short.sources.tolist() == plain.sources.tolist()
