from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.errors import TenantError
from recfleet.kinds import KINDS, Offers, kinds_of
from recfleet.models import (
    SOURCES,
    Factors,
    Finding,
    InteractionLog,
    Learned,
    Learning,
    Lesson,
    Line,
    Ranked,
    Signals,
    Weights,
    blend,
    findings,
    fit_weights,
    pool,
    samples,
    shipped_priors,
    shipped_weights,
)
from recfleet.models.blend._features import again_features, new_features
from recfleet.models.blend._fit import mean_line, posterior
from recfleet.models.blend._pool import SHIPPED_SHARE
from recfleet.models.blend._samples import _candidates
from recfleet.models.blend._weights import LINES
from tests.models._logs import AS_OF
from tests.models._repeats import LATE, log_of, odd_logs, repeat_log


def taste_for(log: InteractionLog, seed: int = 0) -> Factors:
    """Tastes by chance; a customer and a product are unknown to it."""
    rng = np.random.default_rng(seed)
    customers, products = len(log.customer_ids), len(log.product_ids)
    known_customers, known_products = np.ones(customers, dtype=bool), np.ones(products, dtype=bool)
    known_customers[:1], known_products[1:2] = False, False
    return Factors(
        customers=rng.random((customers, 3)).astype(np.float32),
        products=rng.normal(0.1, 0.3, (products, 3)).astype(np.float32),
        known_customers=known_customers,
        known_products=known_products,
    )


def lists_of(ranked: Ranked) -> dict[int, list[tuple[int, str, str]]]:
    places = zip(ranked.products, ranked.kinds, ranked.sources, strict=True)
    named = [(int(product), KINDS[kind], SOURCES[source]) for product, kind, source in places]
    return {
        int(customer): named[first:last]
        for customer, first, last in zip(
            ranked.customers, ranked.starts[:-1], ranked.starts[1:], strict=True
        )
    }


def twin(
    signals: Signals, taste: Factors | None, allowed: NDArray[np.bool_], length: int, offers: Offers
) -> dict[int, list[tuple[int, str, str]]]:
    """Every customer's list, scored pair by pair and sorted."""
    purchases, weights = signals.purchases, shipped_weights()
    pairs = list(zip(purchases.pair_customer, purchases.pair_product, strict=True))
    owned, lists = {pair: place for place, pair in enumerate(pairs)}, {}
    for customer in sorted({int(customer) for customer, _ in pairs}):
        tasted = taste is not None and bool(taste.known_customers[customer])
        scored: dict[str, list[tuple[float, int, str, str]]] = {"new": [], "again": []}
        for product in np.flatnonzero(allowed & signals.bought):
            liking = None
            if taste is not None and tasted:
                liked = taste.customers[customer] @ taste.products[product]
                liking = np.array([liked * taste.known_products[product]], np.float32)
            kind = "again" if (customer, product) in owned else "new"
            if (customer, product) in owned:
                place = np.array([owned[customer, product]])
                features = again_features(signals, place, liking)
            else:
                features = new_features(signals, np.array([product]), liking)
            line = weights.again if kind == "again" else weights.new
            if not tasted:
                line = getattr(weights, f"{kind}_without_taste")
            odds = sum(
                coefficient * (float(features[name][0]) - mean) / scale
                for name, mean, scale, coefficient in zip(
                    line.features, line.means, line.scales, line.coefficients, strict=True
                )
            )
            parts = {name: float(part[0]) for name, part in line.parts(features).items()}
            source = max(parts, key=lambda name: parts[name])
            scored[kind].append((-odds - line.intercept, int(product), kind, source))
        best = [place for kind in kinds_of(offers) for place in sorted(scored[kind])[:length]]
        lists[customer] = [(product, kind, source) for _, product, kind, source in sorted(best)]
    return lists


def owned_of(signals: Signals) -> NDArray[np.bool_]:
    """(C, P) whether a customer keeps a product."""
    owned = np.zeros((signals.purchases.customers, signals.purchases.products), dtype=bool)
    owned[signals.purchases.pair_customer, signals.purchases.pair_product] = True
    return owned


@pytest.mark.parametrize("offers", ["new", "again", "both"])
@pytest.mark.parametrize("model", [True, False])
def test_lists_are_those_of_their_twin(offers: Offers, model: bool) -> None:
    log = repeat_log(7, customers=15, products=14)
    signals, taste = Signals.of(log, AS_OF), taste_for(log) if model else None
    allowed = np.arange(14) % 5 != 0

    ranked = blend(signals, taste, shipped_weights(), allowed=allowed, list_length=4, offers=offers)

    assert lists_of(ranked) == twin(signals, taste, allowed, 4, offers)
    assert ((ranked.scores > 0) & (ranked.scores < 1)).all()


@pytest.mark.parametrize("odd", odd_logs())
@pytest.mark.parametrize("model", [True, False])
def test_lists_of_odd_tenants(odd: str, model: bool) -> None:
    log = odd_logs()[odd]
    signals, taste = Signals.of(log, AS_OF), taste_for(log) if model else None
    allowed = np.ones(len(log.product_ids), dtype=bool)

    ranked = blend(signals, taste, shipped_weights(), allowed=allowed, list_length=5, offers="both")

    bought = log.matrix("binary")
    assert np.isfinite(ranked.scores).all()
    for customer, products, scores in ranked.each():
        assert len(set(products.tolist())) == len(products)
        assert (np.diff(scores) <= 0).all()
        again = ranked.kinds[np.isin(ranked.products, products)]
        assert len(again) >= len(products)
        own = set(bought[customer].indices.tolist())
        kinds = ranked.kinds[ranked.starts[np.searchsorted(ranked.customers, customer)] :]
        assert [product in own for product in products] == [
            bool(kind) for kind in kinds[: len(products)]
        ]


@pytest.mark.parametrize("odd", odd_logs())
def test_odd_tenants_teach_the_fleet_finite_numbers(odd: str) -> None:
    lesson = Lesson.of(odd_logs()[odd], LATE)

    learned = [lesson.learn(taste) for taste in (taste_for(odd_logs()[odd]), None)]
    fleet = pool([one for each in learned for one in findings(each)], shipped_priors())

    # A line checks that its numbers are finite.
    assert [Weights.from_json(one.to_json()) for one in fleet] == list(fleet)
    changed = max(abs(slope) for name in LINES for slope in getattr(fleet[0], name).slopes.tolist())
    assert changed < 100


def test_everybodys_staple_is_in_no_list_once_it_is_discontinued() -> None:
    every_week = [[float(day), customer, 0, 1] for day in range(0, 60, 7) for customer in range(5)]
    others = [[61.0 + product, product % 5, product, 1] for product in range(1, 9)]
    log = log_of(np.array([*every_week, *others]), 5, 9)
    signals, weights = Signals.of(log, AS_OF), shipped_weights()
    still_sold = np.arange(9) != 0

    served = blend(signals, None, weights, allowed=still_sold, list_length=9, offers="both")
    before = blend(signals, None, weights, allowed=still_sold | True, list_length=9, offers="both")

    assert 0 in before.products
    assert set(served.products.tolist()) == set(range(1, 9))


def later_of(log: InteractionLog, since: datetime) -> csr_matrix:
    return log.matrix("binary", since=since)


def test_samples_are_of_buyers_and_say_what_they_bought() -> None:
    log = repeat_log(2)
    signals, taste = Signals.of(log, LATE), taste_for(log)
    later = later_of(log, LATE)
    allowed = np.ones(len(log.product_ids), dtype=bool)

    found = samples(signals, taste, later, allowed=allowed, width=100)

    met = np.isin(np.arange(len(log.customer_ids)), signals.customers) & taste.known_customers
    buyers = np.flatnonzero(met & (np.diff(later.indptr) > 0))
    owned = owned_of(signals)[buyers]
    bought = later[buyers].toarray() > 0
    assert found.customers == len(buyers)
    assert found.labels["again"].sum() == (bought & owned).sum()
    assert len(found.labels["again"]) == owned.sum()
    sold = signals.bought
    assert found.labels["new"].sum() == (bought & ~owned)[:, sold].sum()
    assert len(found.labels["new"]) == (~owned[:, sold]).sum()


def test_samples_without_some_customers_are_those_of_the_others() -> None:
    log = repeat_log(2)
    lesson, taste = Lesson.of(log, LATE), taste_for(log)
    left_out = np.arange(len(log.customer_ids)) % 2 == 0
    later = lesson.later.multiply(~left_out[:, None]).tocsr()
    later.eliminate_zeros()

    found = lesson.samples(taste, left_out)

    expected = samples(lesson.signals, taste, later, allowed=lesson.signals.bought)
    assert found.customers == expected.customers > 0
    for kind in KINDS:
        assert np.array_equal(found.values[kind], expected.values[kind])
        assert np.array_equal(found.labels[kind], expected.labels[kind])
    assert lesson.samples(None).taste is False
    assert lesson.samples(taste).customers > found.customers


def test_samples_without_a_buyer_are_none() -> None:
    log = repeat_log(2)
    nobody = later_of(log, AS_OF + timedelta(days=1))
    allowed = np.ones(len(log.product_ids), dtype=bool)

    found = samples(Signals.of(log, LATE), None, nobody, allowed=allowed)

    assert [len(labels) for labels in found.labels.values()] == [0, 0]
    assert fit_weights([found], shipped_weights()) == shipped_weights()


def some_line(features: int) -> Line:
    zeros = (0.0,) * features
    names = ("popular", "rising", "age")[:features]
    return Line(names, means=zeros, scales=(1.0,) * features, coefficients=zeros, intercept=0.0)


def test_a_prior_of_zeros_is_the_logistic_regression_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 3)).astype(np.float32)
    labels = rng.random(400) < 1 / (1 + np.exp(-values @ [1.0, -2.0, 0.3] - 0.5))
    # A column of tens makes a tenth of the intercept a coefficient, held with a hundredth of C.
    tens = np.concatenate([values, np.full((400, 1), 10, np.float32)], axis=1)
    expected = LogisticRegression(C=1 / 7, fit_intercept=False, tol=1e-8).fit(tens, labels)

    line, _ = posterior(values, labels, some_line(3), strength=7.0)

    assert [*line.coefficients, line.intercept / 10] == pytest.approx(
        expected.coef_[0].tolist(), abs=1e-3
    )


def test_own_weights_lie_between_the_prior_and_what_the_samples_say() -> None:
    log = repeat_log(2)
    allowed = np.ones(len(log.product_ids), dtype=bool)
    some = [samples(Signals.of(log, LATE), None, later_of(log, LATE), allowed=allowed)]
    prior = shipped_weights()

    def distance(weights: Weights) -> float:
        one, other = weights.again_without_taste, prior.again_without_taste
        return float(np.linalg.norm(np.subtract(one.coefficients, other.coefficients)))

    assert fit_weights([], prior) == prior
    held = [distance(fit_weights(some, prior, strength)) for strength in (1e9, 1e3, 1e1)]
    assert held[0] == pytest.approx(0, abs=1e-4)
    assert held[0] < held[1] < held[2]
    own = fit_weights(some, prior)
    assert (own.new, own.again) == (prior.new, prior.again)  # no sample had taste
    assert fit_weights(some, prior) == own


def test_a_tenant_begins_at_the_prior_that_makes_its_samples_likeliest() -> None:
    log = repeat_log(2)
    allowed = np.ones(len(log.product_ids), dtype=bool)
    some = [samples(Signals.of(log, LATE), None, later_of(log, LATE), allowed=allowed)]
    prior = shipped_weights()
    line = prior.again_without_taste
    opposite = replace(line, coefficients=tuple(-number for number in line.coefficients))
    wrong = replace(prior, again_without_taste=opposite)

    own = fit_weights(some, prior)

    assert fit_weights(some, [wrong, prior]) == own
    assert fit_weights([], [wrong, prior]) == wrong


def learned(line: Line, began: int = 0) -> Learning:
    return Learning(replace(shipped_priors()[began], again=line), {"again": Learned(began, 25)})


def test_the_fleets_weights_are_the_mean_of_those_that_began_at_one_prior() -> None:
    steady, changing = shipped_priors()
    moved = replace(steady.again, intercept=steady.again.intercept + 4)
    tenants = [learned(moved), learned(steady.again), learned(changing.again, began=1)]

    fleet = pool([one for tenant in tenants for one in findings(tenant)], shipped_priors())

    share = 5 / (SHIPPED_SHARE + 5 * 2)
    assert fleet[0].again.intercept == pytest.approx(steady.again.intercept + 4 * share, abs=1e-5)
    assert fleet[0].again.coefficients == pytest.approx(steady.again.coefficients, abs=1e-5)
    assert fleet[1].again.coefficients == pytest.approx(changing.again.coefficients, abs=1e-5)
    assert (fleet[0].new, fleet[1].new) == (steady.new, changing.new)  # nobody learned them


def test_without_a_finding_the_fleets_weights_are_the_shipped_ones() -> None:
    unknown = Finding("again", 0, 9, 0.0, {"a feature of another version": 1.0})
    none_such = Finding("again", 7, 9, 0.0, {"often": 1.0})
    assert pool([], shipped_priors()) == shipped_priors()
    assert pool([unknown, none_such], shipped_priors()) == shipped_priors()


def test_many_tenants_outvote_the_shipped_weights() -> None:
    steady = shipped_priors()[0]
    opposite = replace(
        steady.again, coefficients=tuple(-number for number in steady.again.coefficients)
    )
    fleet = pool(findings(learned(opposite)) * 990, shipped_priors())
    assert fleet[0].again.coefficients == pytest.approx(opposite.coefficients, rel=0.03)


def test_the_mean_of_lines_with_other_features_is_that_of_their_odds() -> None:
    few = Line(("popular", "age"), (1.0, 2.0), (2.0, 3.0), (0.5, -0.5), -1.0)
    every = [*(prior.new for prior in shipped_priors()), few]

    mean = mean_line(every, [1, 2, 3])

    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=20).astype(np.float32) for name in mean.features}
    odds = np.array([line.log_odds(features) for line in every])
    assert mean.log_odds(features) == pytest.approx(np.average(odds, 0, [1, 2, 3]), abs=1e-3)


@pytest.mark.parametrize("width", [1, 3, 100])
def test_candidates_are_the_best_that_a_customer_lacks(width: int) -> None:
    rng = np.random.default_rng(width)
    owned = rng.random((9, 14)) < 0.4
    features = {"popular": rng.integers(0, 5, 14) * 1.0, "taste root": rng.random((9, 14))}

    chosen = _candidates(features, owned, width)

    for row, own in enumerate(owned):
        new = np.flatnonzero(~own).tolist()
        best = {
            product
            for values in (features["popular"], features["taste root"][row])
            for product in sorted(new, key=lambda product: (-values[product], product))[:width]
        }
        assert set(np.flatnonzero(chosen[row]).tolist()) == best


def test_weights_are_written_and_read() -> None:
    weights = shipped_weights()

    assert Weights.from_json(weights.to_json()) == weights


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 1, "new": 3}', shipped_weights().to_json().replace("often", "x")],
)
def test_other_texts_are_no_weights(text: str) -> None:
    with pytest.raises(TenantError, match="weights of the signals"):
        Weights.from_json(text)


def test_weights_of_another_version_are_refused() -> None:
    text = shipped_weights().to_json().replace('"version": 1', '"version": 2')

    with pytest.raises(TenantError, match="version 2, but this version of recfleet has version 1"):
        Weights.from_json(text)


def test_lists_find_staples_and_what_everybody_begins_to_buy() -> None:
    """A floor of quality: by chance, one in six of ten products would be bought."""
    log = repeat_log(11)
    signals, later = Signals.of(log, LATE), later_of(log, LATE)
    allowed = np.ones(len(log.product_ids), dtype=bool)

    ranked = blend(signals, None, shipped_weights(), allowed=allowed, list_length=10, offers="both")

    first = ranked.products[ranked.starts[:-1]]
    buys = np.diff(later.indptr)[ranked.customers] > 0
    hit = np.asarray(later[ranked.customers, first]).ravel() > 0
    assert hit[buys].mean() > 0.6

    changing = shipped_priors()[1]
    ranked = blend(signals, None, changing, allowed=allowed, list_length=10, offers="both")

    new = ranked.kinds == KINDS.index("new")
    owner = np.repeat(ranked.customers, ranked.lengths)
    best_new = {
        int(customer): int(ranked.products[new & (owner == customer)][0])
        for customer in ranked.customers
    }
    newest = len(log.product_ids) - 1
    without = [c for c in best_new if not owned_of(signals)[c, newest]]
    assert np.mean([best_new[customer] == newest for customer in without]) > 0.8
