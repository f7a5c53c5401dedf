"""What a tenant may ask to be done differently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recfleet.tenants import Policy

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
        (["x", " "], "an empty text names nobody"),
        (["x" * 256], "longer than 255 characters"),
        (["a\x00b"], "NUL"),
        ([True], "valid string"),
        ([None], "valid string"),
    ],
)
def test_what_is_no_list_of_names(names: object, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Policy.model_validate({"excluded_products": names})


def test_the_new_fields_have_bounds() -> None:
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate({"probation_nights": -1, "approval": "sometimes"})
    assert {detail["loc"][0] for detail in caught.value.errors()} == {
        "probation_nights",
        "approval",
    }
