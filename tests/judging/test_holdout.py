from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from recfleet.errors import TenantError
from recfleet.judging import Holdout, check_no_leak
from recfleet.kinds import Offers
from recfleet.models.log import InteractionLog, microseconds
from tests.judging._twins import holdout_of

AS_OF = datetime(2024, 3, 15, tzinfo=UTC)
START = datetime(2024, 3, 1, tzinfo=UTC)
BEFORE = START - timedelta(microseconds=1)


def log_of(*lines: tuple[str, str, datetime, float]) -> InteractionLog:
    """customer, product, time, quantity."""
    ordered = sorted(lines, key=lambda line: line[2])
    customers, customer = np.unique([line[0] for line in ordered], return_inverse=True)
    products, product = np.unique([line[1] for line in ordered], return_inverse=True)
    return InteractionLog(
        tenant_id="t",
        as_of=AS_OF,
        customer_ids=customers.astype(object),
        product_ids=products.astype(object),
        customer=customer.astype(np.int32),
        product=product.astype(np.int32),
        occurred_at=np.array([microseconds(line[2]) for line in ordered]),
        quantity=np.array([line[3] for line in ordered]),
        amount=np.array([line[3] for line in ordered]),
    )


def of(log: InteractionLog, *, offers: Offers = "new") -> Holdout:
    return Holdout.of(log, as_of=AS_OF, holdout_days=14, offers=offers, signal="log_lines")


def test_the_holdout_begins_at_its_start_and_ends_with_as_of() -> None:
    holdout = of(
        log_of(
            ("ann", "tea", BEFORE, 1),
            ("ann", "cup", START, 1),
            ("bob", "cup", BEFORE, 1),
            ("bob", "tea", AS_OF, 1),
            ("bob", "pot", AS_OF, 1),
        )
    )
    assert holdout.start == START
    assert holdout.history.toarray() == pytest.approx(np.log(2) * np.array([[0, 0, 1], [1, 0, 0]]))
    assert holdout.truth.toarray().tolist() == [[True, False, False], [False, False, True]]
    assert holdout.candidates.tolist() == [0, 2]
    assert holdout.left_out["products_first_sold_in_holdout"] == 1


def test_lines_after_as_of_are_not_looked_at() -> None:
    late = AS_OF + timedelta(microseconds=1)
    log = log_of(("ann", "tea", BEFORE, 1), ("bob", "cup", BEFORE, 1), ("ann", "cup", late, 1))
    assert of(log).truth.nnz == 0


def test_repeats_are_truth_only_where_they_may_be_recommended() -> None:
    log = log_of(
        ("ann", "tea", BEFORE, 1),
        ("ann", "tea", START, 1),
        ("ann", "cup", START, 1),
        ("bob", "cup", BEFORE, 1),
    )
    assert of(log).truth.toarray().tolist() == [[True, False], [False, False]]
    assert of(log, offers="both").truth.toarray().tolist() == [[True, True], [False, False]]
    assert of(log, offers="again").truth.toarray().tolist() == [[False, True], [False, False]]


def test_what_was_returned_in_the_holdout_is_no_truth() -> None:
    log = log_of(
        ("ann", "tea", BEFORE, 1),
        ("bob", "cup", BEFORE, 1),
        ("ann", "cup", START, 2),
        ("ann", "cup", AS_OF, -2),
    )
    assert of(log).truth.nnz == 0


def test_who_is_judged_and_who_is_left_out() -> None:
    holdout = holdout_of(
        history=[[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0], [1, 0, 0]],
        future=[[0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]],
    )
    # 1 bought the same again; 2 is new; 3 bought a product that is new; 4 bought nothing.
    assert holdout.customers.tolist() == [0]
    assert holdout.left_out == {
        "customers_without_history": 1,
        "customers_with_nothing_to_predict": 2,
        "products_first_sold_in_holdout": 1,
    }


def test_no_line_in_the_holdout() -> None:
    holdout = of(log_of(("ann", "tea", BEFORE, 1)))
    assert len(holdout.customers) == 0
    assert holdout.truth.shape == (1, 1)


def test_a_model_that_saw_the_holdout_is_refused() -> None:
    check_no_leak(START, START)
    with pytest.raises(TenantError, match=r"2024-03-01 00:00.* not judged"):
        check_no_leak(START + timedelta(microseconds=1), START)
