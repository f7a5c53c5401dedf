"""What a tenant may set differently."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from recfleet.models.als import fit
from recfleet.recipe import LARGEST_ALPHA, Recipe
from recfleet.tenants import Policy
from recfleet.tenants.fields import policy_fields, problems
from recfleet.tenants.policy import AS_GOOD_AS_EVER

NAMES = st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8))


@given(NAMES, st.randoms())
def test_equal_sets_of_names_are_equal_policies(names: list[str], random: object) -> None:
    mixed = [*names, *names[:2]]
    random.shuffle(mixed)  # type: ignore[attr-defined]

    one, other = (Policy(excluded_products=tuple(many)) for many in (names, mixed))

    assert one.model_dump_json() == other.model_dump_json()
    assert set(one.excluded_products) == set(names)


def test_ids_that_are_numbers_are_text() -> None:
    assert Policy.model_validate({"excluded_customers": [17850, "12"]}).excluded_customers == (
        "12",
        "17850",
    )


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("22423", "valid tuple"),
        (["x", " "], "an empty text is no name"),
        (["x" * 256], "longer than 255 characters"),
        (["a\x00b"], "NUL"),
        ([True], "valid string"),
        ([None], "valid string"),
    ],
)
def test_what_is_no_list_of_names(names: object, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Policy.model_validate({"excluded_products": names})


def test_every_number_has_an_upper_bound() -> None:
    numbers = {
        key: field.bounds for key, field in policy_fields().items() if "number" in field.bounds
    }
    assert numbers
    assert [key for key, bounds in numbers.items() if not re.search("up to|below", bounds)] == []

    too_much = {"inactive_after_days": 10**10, "minimum_customers": 10**20, "cooldown_days": 1e300}
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate({**too_much, "recipe": {"alpha": 1e300}})
    told = problems(caught.value)
    assert {sentence.partition(":")[0] for sentence in told} == {*too_much, "recipe.alpha"}
    assert all("input should be less than or equal to" in sentence for sentence in told)


def test_the_largest_numbers_can_be_computed_with() -> None:
    """Days are counted with dates; alpha is used in single precision, in a fit without a
    penalty."""
    start = datetime(2011, 12, 10, tzinfo=UTC)
    assert start - timedelta(days=AS_GOOD_AS_EVER) > datetime(1900, 1, 1, tzinfo=UTC)
    bought = np.random.default_rng(0).poisson(1, (60, 40)).astype(np.float32) * 1000
    recipe = Recipe(alpha=LARGEST_ALPHA, regularization=0)
    ids = np.array([f"{number:02}" for number in range(60)], dtype=object)

    model = fit(csr_matrix(bought), ids, ids[:40], recipe, train_end=start, seed=0)

    assert np.isfinite(model.product_factors).all()


def test_the_new_fields_have_bounds() -> None:
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate({"probation_nights": -1, "approval": "sometimes"})
    assert {detail["loc"][0] for detail in caught.value.errors()} == {
        "probation_nights",
        "approval",
    }
