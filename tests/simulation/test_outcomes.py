"""Customers answer by the stated rules, and the truth about what lists bring is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recfleet.simulation import Behaviour, Outcomes, Way, simulate_outcomes, world_of
from recfleet.simulation._crowd import NOTHING, Crowd
from recfleet.simulation._memory import Memory
from recfleet.synthetic import Market, traits

WORLD = world_of(300, seed=3, staples=0.25)
SILENT = Way("nothing", "nothing")
POPULAR = Way("popular", "popular")
GOOD = Way("good", "personal", noise=0.0)
BAD = Way("bad", "personal", noise=4.0)
PUSHED = Way("pushed", "personal", pushes=True)


def tried(*ways: Way, days: int = 21, seed: int | None = None, **rules: Any) -> Outcomes:
    return simulate_outcomes(WORLD, 0, ways, days=days, behaviour=Behaviour(**rules), seed=seed)


def brought(way: Way, days: int = 21, **rules: Any) -> float:
    """What a way of serving brings, as a share of what would be bought without."""
    found = tried(way, days=days, **rules)
    return float(found.incremental[0] / found.revenue_without.sum())


@pytest.fixture(scope="module")
def found() -> Outcomes:
    return tried(SILENT, POPULAR, GOOD, BAD, PUSHED)


def test_without_lists_nothing_changes(found: Outcomes) -> None:
    np.testing.assert_array_equal(found.revenue[0], found.revenue_without)
    assert not found.accepts[0].any()
    assert not found.attributed[0].any()


def test_who_asks_for_a_list_does_not_depend_on_what_it_holds(found: Outcomes) -> None:
    for way in (1, 2, 3):
        np.testing.assert_array_equal(found.pulled[way], found.pulled[0])
    assert found.pulled[0].any(axis=1).mean() > 0.4
    assert not found.pushed[:4].any()
    assert found.pushed[4].any(axis=0).sum() == 3  # campaigns in 21 days


def test_better_lists_bring_more_and_pushing_them_more_still(found: Outcomes) -> None:
    nothing, _, good, bad, pushed = found.incremental
    assert nothing == 0
    assert 0 < bad < good < pushed


def test_what_is_attributed_is_far_more_than_what_is_brought(found: Outcomes) -> None:
    attributed = found.attributed[2].sum()
    assert attributed > 2 * found.incremental[2]


def test_equal_seeds_give_equal_days_however_many_are_asked_for(found: Outcomes) -> None:
    again = tried(PUSHED, days=10)
    customers = again.revenue.shape[1]  # later ones come in later weeks
    np.testing.assert_array_equal(again.revenue[0], found.revenue[4][:customers, :10])
    np.testing.assert_array_equal(again.accepts[0], found.accepts[4][:customers, :10])
    other = tried(PUSHED, days=10, seed=1)
    assert (other.accepts != again.accepts).any()
    np.testing.assert_array_equal(other.revenue_without, again.revenue_without)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ({"saturation": 1.0}, {"saturation": 0.2}),
        ({"position": 0.0}, {"position": 2.0}),
        ({"depth": 0.95}, {"depth": 0.3}),
        ({"instead_of_same": 0.0}, {"instead_of_same": 1.0}),
        ({"instead_of_category": 0.0}, {"instead_of_category": 0.6}),
    ],
)
def test_each_rule_changes_what_good_lists_bring(
    more: dict[str, float], less: dict[str, float]
) -> None:
    assert brought(GOOD, days=21, **more) > brought(GOOD, days=21, **less)


def test_writing_every_day_drives_customers_away() -> None:
    weekly, daily = (brought(PUSHED, days=42, push_every=days) for days in (7, 1))
    assert weekly > 0
    assert daily < weekly / 2
    assert brought(PUSHED, days=42, push_every=1, tolerance=1e6) > weekly


def test_clicks_say_little_about_what_is_brought() -> None:
    """The list that is liked far more is hardly clicked more, unless taste alone is clicked."""

    def clicks(share: float) -> float:
        found = tried(GOOD, BAD, buys=0.0, clicks_by_taste=share)
        good, bad = found.accepts.sum(axis=(1, 2))
        return float(good / bad)

    assert clicks(0.0) < 1.25
    assert clicks(1.0) > clicks(0.0)


def test_a_staple_fits_as_much_as_it_is_due_and_seasons_change_what_fits() -> None:
    crowd = Crowd(Market(WORLD, traits(WORLD, 0), 52), Behaviour(), 1)
    products, intervals, _ = crowd.market.staples
    customer = int(np.flatnonzero(crowd.present(7 * 26) & crowd.present(7 * 40))[0])
    on_sale = crowd.on_sale(7 * 26) & crowd.on_sale(7 * 40)
    staple = next(place for place in range(4) if on_sale[products[customer, place]])
    listed = np.array([[products[customer, staple], NOTHING]])

    days = np.arange(7 * 26, 7 * 26 + int(intervals[customer, staple]) + 1)
    fits = np.array([crowd.fit(int(day), np.array([customer]), listed)[0] for day in days])
    due = crowd.market.due(np.full(len(days), customer), days)[:, staple]
    assert (fits[:, 0] >= due).all()
    assert fits[:, 0].max() > 0.9
    assert not fits[:, 1].any()

    everybody = np.flatnonzero(crowd.present(7 * 26))
    shop = np.tile(np.flatnonzero(on_sale), (len(everybody), 1))
    winter, spring = (crowd.fit(7 * week, everybody, shop).mean(axis=0) for week in (26, 40))
    assert np.abs(np.log(winter / spring)).max() > 0.5
    assert winter.mean() == pytest.approx(spring.mean(), rel=0.2)


def test_purchases_from_lists_take_the_place_of_others_as_a_loop_says() -> None:
    crowd = Crowd(Market(WORLD, traits(WORLD, 0), 27), Behaviour(), 1)
    rules, generator = crowd.behaviour, np.random.default_rng(0)
    bought = [
        (int(day), int(who), int(what))
        for day, who, what in generator.integers([170, 0, 0], [182, 5, 20], (60, 3))
    ]
    nothing = np.empty(0, np.int64)
    memory = Memory(nothing, nothing, nothing, *np.array(bought).T)
    customer, product = generator.integers(0, 7, 200), generator.integers(0, 25, 200)

    found = memory.left_out(crowd, 181, customer, product)

    for chance, who, what in zip(found, customer, product, strict=True):
        stays = 1.0
        for day, buyer, had in bought:
            left = 1 - (181 - day) / rules.instead_days
            if buyer == who and had == what:
                stays *= 1 - rules.instead_of_same * left
            if buyer == who and crowd.category[had] == crowd.category[what]:
                stays *= 1 - rules.instead_of_category * left
        assert chance == pytest.approx(1 - stays)
