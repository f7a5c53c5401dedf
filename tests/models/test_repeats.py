"""Whether customers buy again, found in made purchases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from recfleet.kinds import Wish
from recfleet.models import InteractionLog, resolve_offers
from recfleet.models.repeats import buy_again
from tests.models._logs import ids

DAY = timedelta(days=1)
BEGIN = datetime(1970, 1, 1, tzinfo=UTC) + 28 * 700 * DAY
"""A block of 28 days begins."""
YEAR = BEGIN + 364 * DAY


def log_of(lines: Sequence[tuple[int, int, int]]) -> InteractionLog:
    """A log of (customer, product, day)."""
    rows = np.array(sorted(lines, key=lambda line: line[2]), np.int64).reshape(-1, 3)
    start = int(BEGIN.timestamp()) * 1_000_000
    return InteractionLog(
        tenant_id="acme",
        as_of=YEAR + 365 * DAY,
        customer_ids=ids("c", int(rows[:, 0].max(initial=0)) + 1),
        product_ids=ids("p", int(rows[:, 1].max(initial=0)) + 1),
        customer=rows[:, 0].astype(np.int32),
        product=rows[:, 1].astype(np.int32),
        occurred_at=start + rows[:, 2] * 86_400_000_000,
        quantity=np.ones(len(rows)),
        amount=np.ones(len(rows)),
    )


def weekly(
    customers: int, share: float, *, first: int = 0, last: int = 364, seed: int = 1
) -> list[tuple[int, int, int]]:
    """Every customer buys five products a week; so many of them are what they had bought first."""
    rng = np.random.default_rng(seed)
    lines = [(customer, customer, first) for customer in range(customers)]
    for day in range(first + 7, last, 7):
        for customer in range(customers):
            for place in range(5):
                other = 1000 + (day * 5 + place) * customers + customer
                own = place == 0 and rng.random() < share * 5
                lines.append((customer, customer if own else other, day))
    return lines


@pytest.mark.parametrize(("share", "answer"), [(0.0, False), (0.02, False), (0.1, True)])
@pytest.mark.parametrize("customers", [8, 60])
def test_customers_buy_again_or_hardly_ever(customers: int, share: float, answer: bool) -> None:
    assert buy_again(log_of(weekly(customers, share)), before=YEAR) == answer


def test_too_few_customers_prove_nothing() -> None:
    assert not buy_again(log_of(weekly(4, 0.2)), before=YEAR)


def test_one_large_customer_counts_as_one() -> None:
    many = weekly(20, 0.0)
    many += [(0, product, day) for day in range(364) for product in range(50, 60)]
    assert not buy_again(log_of(many), before=YEAR)


def test_a_first_purchase_had_no_chance_to_be_a_repeat() -> None:
    """Once a day counts once, and a customer's first day does not count."""
    first_days = [(customer, place % 2, 0) for customer in range(30) for place in range(6)]
    assert not buy_again(log_of(first_days), before=YEAR)
    second = [(customer, 0, 40) for customer in range(30)]
    assert buy_again(log_of([*first_days, *second]), before=YEAR)


def test_between_the_two_shares_everything_stays() -> None:
    """At 4% the answer is what it was: no after less, yes after more."""
    between = weekly(200, 0.04, first=364, last=728)
    after = YEAR + 364 * DAY
    assert not buy_again(log_of([*weekly(200, 0.01), *between]), before=after)
    assert buy_again(log_of([*weekly(200, 0.1), *between]), before=after)
    ended = weekly(200, 0.0, first=364, last=728)
    assert not buy_again(log_of([*weekly(200, 0.1), *ended]), before=after)


def test_the_answer_changes_at_the_end_of_a_block_only() -> None:
    log = log_of([*weekly(30, 0.0), *weekly(30, 0.2, first=364, last=600)])
    answers = [buy_again(log, before=YEAR + days * DAY) for days in range(200)]
    [change] = [day for day in range(1, 200) if answers[day] != answers[day - 1]]
    assert change % 28 == 0


def test_nothing_later_is_seen() -> None:
    both = [*weekly(30, 0.0), *weekly(30, 0.2, first=364, last=600)]
    log = log_of(both)
    for days in (0, 56, 112, 196):
        before = YEAR + days * DAY
        known = log_of([line for line in both if line[2] < 364 + days])
        assert buy_again(log, before=before) == buy_again(known, before=before)


@pytest.mark.parametrize(
    "lines", [[], [(0, 0, 0)], [(0, 0, 0)] * 50, [(0, product, 3) for product in range(40)]]
)
def test_tenants_of_nothing_of_one_line_or_one_day(lines: list[tuple[int, int, int]]) -> None:
    assert resolve_offers("auto", log_of(lines), before=YEAR) == "new"


@pytest.mark.parametrize("wish", ["new", "again", "both"])
def test_what_the_policy_says_is_not_asked(wish: Wish) -> None:
    assert resolve_offers(wish, log_of([]), before=YEAR) == wish
