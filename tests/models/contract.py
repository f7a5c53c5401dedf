"""The suite that every family of models and every scorer passes.

A family's test module derives a class from ``ScorerContract``, or from ``ModelContract`` if it
writes models, and only says how to make one. Each class states the quality that the family reaches
on a tenant of known tastes, so that a fault in it cannot hide.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from recfleet.errors import TenantError
from recfleet.judging import Holdout, score
from recfleet.kinds import Offers, kinds_of
from recfleet.models import (
    InteractionLog,
    Model,
    Parent,
    Scorer,
    Trainer,
    rank,
    read_digest,
    read_model,
)
from recfleet.recipe import Recipe
from tests.models._logs import AS_OF, FIRST, taste_log

BEFORE = AS_OF - timedelta(days=14)
RECIPE = Recipe(factors=8)


def table_of(scorer: Scorer, customers: int, products: int) -> NDArray[np.float32]:
    """Every score, in one table."""
    table = np.full((customers, products), np.nan, dtype=np.float32)
    for rows, part in scorer.tables(np.arange(customers), np.arange(products)):
        table[rows] = part
    return table


class PlainScorer(Scorer):
    """A scorer with a table, and with the contract's default methods, one row at a time."""

    def __init__(self, table: NDArray[np.float32], like: Scorer) -> None:
        self.table = table
        self.known_customers, self.known_products = like.known_customers, like.known_products

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.table).all())

    def tables(
        self, customers: NDArray[np.intp], products: NDArray[np.intp]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        for row, customer in enumerate(customers):
            yield slice(row, row + 1), self.table[[customer]][:, products]


class ScorerContract(ABC):
    """What judging and releases rely on."""

    least_ndcg: ClassVar[float]
    """NDCG@10 of products new to the customer, on the last fortnight of 300 customers."""

    @abstractmethod
    def scorer(self, log: InteractionLog, before: datetime | None = None) -> Scorer:
        """The scorer from purchases before that time; by default from the whole log."""

    def test_customers_and_products_are_the_logs(self) -> None:
        log = taste_log()
        scorer = self.scorer(log)
        assert scorer.known_customers.shape == (60,)
        assert scorer.known_products.shape == (40,)
        assert scorer.is_finite
        assert np.isfinite(table_of(scorer, 60, 40)).all()

    def test_what_was_only_returned_is_no_product_to_recommend(self) -> None:
        assert not self.scorer(taste_log()).known_products[-1]

    def test_nothing_of_that_time_or_later_is_seen(self) -> None:
        log = taste_log()
        later = log.occurred_at >= int(BEFORE.timestamp()) * 1_000_000
        changed = replace(log, product=np.where(later, 39 - log.product, log.product))
        seen, unseen = self.scorer(log, BEFORE), self.scorer(changed, BEFORE)
        assert np.array_equal(table_of(seen, 60, 40), table_of(unseen, 60, 40))
        assert np.array_equal(seen.known_products, unseen.known_products)

    def test_the_same_log_gives_the_same_scores(self) -> None:
        once, again = self.scorer(taste_log()), self.scorer(taste_log())
        assert np.array_equal(table_of(once, 60, 40), table_of(again, 60, 40))

    def test_its_short_ways_are_the_plain_ones(self) -> None:
        scorer = self.scorer(taste_log())
        plain = PlainScorer(table_of(scorer, 60, 40), scorer)
        rng = np.random.default_rng(1)
        customers, products = rng.permutation(60)[:17], rng.permutation(40)[:23]
        assert scorer.sums(customers, products) == pytest.approx(
            plain.sums(customers, products), rel=1e-4, abs=1e-5
        )
        pairs = rng.integers(0, 60, 200), rng.integers(0, 40, 200)
        assert scorer.of_pairs(*pairs) == pytest.approx(plain.of_pairs(*pairs), rel=1e-4, abs=1e-6)

    def test_the_judge_finds_in_it_what_it_finds_in_its_table(self) -> None:
        log = taste_log()
        holdout = _holdout(log)
        scorer = self.scorer(log, BEFORE)
        plain = PlainScorer(table_of(scorer, 60, 40), scorer)
        short, plainly = score(holdout, scorer), score(holdout, plain)
        assert short.squared_error == pytest.approx(plainly.squared_error, rel=1e-4, abs=1e-6)
        assert np.array_equal(short.ndcg, plainly.ndcg)

    @pytest.mark.parametrize("offers", ["new", "both"])
    def test_lists_are_its_best_scores(self, *, offers: Offers) -> None:
        log = taste_log()
        scorer, bought = self.scorer(log), log.matrix("binary")
        allowed = np.arange(40) % 5 > 0
        table, owned = table_of(scorer, 60, 40), bought.toarray() > 0
        ranked = rank(scorer, bought, allowed=allowed, list_length=7, offers=offers)
        assert ranked.customers.tolist() == np.flatnonzero(scorer.known_customers).tolist()
        for customer, products, scores in ranked.each():
            known = allowed & scorer.known_products
            wanted: list[np.intp] = []
            for kind in kinds_of(offers):
                free = known & (owned[customer] if kind == "again" else ~owned[customer])
                wanted += sorted(np.flatnonzero(free), key=lambda p: (-table[customer, p], p))[:7]
            assert products.tolist() == sorted(wanted, key=lambda p: (-table[customer, p], p))
            assert scores.tolist() == table[customer, products].tolist()

    def test_it_is_as_good_as_it_says(self) -> None:
        log = taste_log(customers=300, products=120, lines=3_000)
        found = score(_holdout(log), self.scorer(log, BEFORE))
        assert found.ndcg_at_10 > self.least_ndcg

    def test_a_tenant_of_one_customer_and_one_product_is_no_trouble(self) -> None:
        log = taste_log(customers=2, products=5, lines=3)
        assert self.scorer(log).is_finite


class ModelContract(ScorerContract):
    """What the night relies on as well: training, writing, and reading again."""

    @abstractmethod
    def trainer(self, recipe: Recipe) -> Trainer:
        """The family's trainer."""

    def model(self, log: InteractionLog, before: datetime = BEFORE, seed: int = 1) -> Model:
        return self.trainer(RECIPE).train(log, before=before, seed=seed)

    def scorer(self, log: InteractionLog, before: datetime | None = None) -> Scorer:
        return self.model(log, before=before or AS_OF).fold_in(log, before=before)

    def test_it_says_what_made_it(self) -> None:
        model = self.model(taste_log())
        assert (model.recipe, model.train_end, model.seed) == (RECIPE, BEFORE, 1)
        assert set(model.customer_ids) <= set(taste_log().customer_ids)
        assert set(model.product_ids) <= set(taste_log().product_ids)

    def test_equal_models_have_equal_files(self) -> None:
        log = taste_log()
        assert self.model(log).files() == self.model(taste_log()).files()
        assert self.model(log).files() != self.model(log, seed=2).files()

    def test_a_fit_goes_on_from_an_earlier_one(self) -> None:
        log = taste_log()
        parent = self.model(log, before=FIRST + timedelta(days=20))
        cold = self.model(log)
        trainer = self.trainer(RECIPE)
        assert trainer.why_not_from(parent, log, before=BEFORE) is None
        warm = trainer.train(log, before=BEFORE, seed=1, parent=parent)
        read = read_model(parent.files())
        assert trainer.train(log, before=BEFORE, seed=2, parent=read).digest == warm.digest
        assert warm.parent == Parent(parent.train_end, parent.digest)
        assert cold.parent is None
        assert warm.digest not in (parent.digest, cold.digest)
        assert read_model(warm.files()).parent == warm.parent
        assert read_digest(warm.files()) == read_model(warm.files()).digest == warm.digest
        assert warm.customer_ids.tolist() == cold.customer_ids.tolist()
        assert warm.product_ids.tolist() == cold.product_ids.tolist()
        other = self.trainer(Recipe(factors=8, alpha=3.0))
        assert other.why_not_from(parent, log, before=BEFORE)

    def test_it_is_read_as_it_was_written(self) -> None:
        log = taste_log()
        model = self.model(log)
        again = read_model(model.files())
        assert again.files() == model.files()
        once, twice = model.fold_in(log), again.fold_in(log)
        assert np.array_equal(table_of(once, 60, 40), table_of(twice, 60, 40))

    def test_it_is_written_for_which_lists_it_was_made(self) -> None:
        model = self.model(taste_log())
        assert read_model(model.files()).offers == model.offers

    def test_a_file_that_is_gone_or_changed_is_noticed(self) -> None:
        files = self.model(taste_log()).files()
        for name in files:
            with pytest.raises(TenantError):
                read_model({key: content for key, content in files.items() if key != name})
            with pytest.raises(TenantError):
                read_model({**files, name: files[name][:-1]})

    def test_nothing_to_train_on_is_the_tenants_trouble(self) -> None:
        with pytest.raises(TenantError):
            self.model(taste_log(), before=FIRST)

    def test_customers_and_products_that_came_later_are_folded_in(self) -> None:
        model = self.model(taste_log().part(before=FIRST + timedelta(days=20)))
        log = taste_log()
        scorer = model.fold_in(log)
        bought = log.matrix("binary")
        assert np.array_equal(scorer.known_customers, np.diff(bought.indptr) > 0)
        assert scorer.known_products[np.unique(bought.indices)].all()

    def test_only_wanted_customers_need_be_known(self) -> None:
        log = taste_log()
        model, wanted = self.model(log), np.array([3, 11])
        some = table_of(model.fold_in(log, wanted=wanted), 60, 40)[wanted]
        assert some == pytest.approx(table_of(model.fold_in(log), 60, 40)[wanted], abs=1e-5)

    def test_the_parts_of_a_score_add_up_to_it(self) -> None:
        model = self.model(taste_log().part(before=FIRST + timedelta(days=20)))
        log = taste_log()
        table, owned = table_of(model.fold_in(log), 60, 40), log.matrix("binary").toarray() > 0
        for customer in (3, 11, 40):
            bought, parts = model.because(log, customer, np.arange(40))
            assert bought.tolist() == np.flatnonzero(owned[customer]).tolist()
            assert parts.sum(axis=1) == pytest.approx(table[customer], abs=1e-4)

    def test_a_basket_scores_as_folding_in_does(self) -> None:
        log = taste_log()
        model = self.model(log)
        basket = model.basket()
        number = {product: place for place, product in enumerate(basket.product_ids)}
        bought = np.array([log.product_ids[p] in number for p in log.product])
        for customer in (3, 11):
            own = replace(
                log,
                customer=log.customer[mine := bought & (log.customer == customer)],
                product=log.product[mine],
                occurred_at=log.occurred_at[mine],
                quantity=log.quantity[mine],
                amount=log.amount[mine],
            )
            products = np.flatnonzero(own.matrix("binary").toarray()[customer])
            lines, net = (
                np.array([number_of(own, customer, int(product)) for product in products]).T
                if len(products)
                else (np.zeros(0), np.zeros(0))
            )
            places = np.array([number[log.product_ids[p]] for p in products], np.intp)
            table = table_of(model.fold_in(own), 60, 40)[customer]
            wanted = [table[list(log.product_ids).index(p)] for p in basket.product_ids]
            assert basket.scores(places, lines, net) == pytest.approx(wanted, abs=1e-4)
            parts = basket.because(places, lines, net, np.arange(len(wanted)))
            assert parts.sum(axis=1) == pytest.approx(wanted, abs=1e-4)
        assert basket.likeness(2).argmax() == 2
        assert basket.size > 0

    def test_lists_of_pairs_are_those_of_baskets_of_two(self) -> None:
        basket = self.model(taste_log()).basket()
        seeds, allowed = np.array([7, 2, 0, 5]), np.array([0, 1, 2, 3, 5, 6, 8])

        found, scores = basket.pair_lists(seeds, allowed, 4)

        pairs = [(one, other) for place, one in enumerate(seeds) for other in seeds[place + 1 :]]
        assert found.shape == scores.shape == (len(pairs), 4)
        for pair, products, given in zip(pairs, found, scores, strict=True):
            plain = basket.scores(np.array(pair), np.ones(2), np.ones(2))
            left = [product for product in allowed if product not in pair]
            best = sorted(left, key=lambda product: -plain[product])[:4]
            assert given == pytest.approx(plain[best], abs=1e-4)
            assert plain[products] == pytest.approx(plain[best], abs=1e-4)

    def test_it_remembers_whom_it_was_fitted_to(self) -> None:
        model = self.model(taste_log())
        asked = np.array([model.customer_ids[4], "nobody", model.customer_ids[0]], dtype=object)
        recalled = model.recall(asked)
        assert recalled.known_customers.tolist() == [True, False, True]
        assert recalled.known_products.shape == model.product_ids.shape
        assert recalled.is_finite


def number_of(log: InteractionLog, customer: int, product: int) -> tuple[float, float]:
    """Purchase lines of a pair, and its net quantity."""
    pair = (log.customer == customer) & (log.product == product)
    return float((pair & (log.quantity > 0) & (log.amount > 0)).sum()), float(
        log.quantity[pair & ((log.quantity < 0) | (log.amount > 0))].sum()
    )


def _holdout(log: InteractionLog) -> Holdout:
    return Holdout.of(log, as_of=AS_OF, holdout_days=14, offers="new", signal=RECIPE.signal)
