from __future__ import annotations

import json

import numpy as np
import pytest

from recfleet.errors import TenantError
from recfleet.models.als import dump_model, load_model
from recfleet.recipe import Recipe
from tests.models.als._worlds import START, fitted, purchases


def test_a_model_comes_back_as_it_was() -> None:
    model = fitted(purchases(30, 20), Recipe(factors=7, alpha=2.5))
    model.product_ids[0] = 'quote " newline \n ünï \u2028 ' + "x" * 5000
    back = load_model(dump_model(model))
    assert back.recipe == model.recipe
    assert back.train_end == START
    assert back.seed == model.seed
    assert back.penalty == model.penalty
    assert back.product_ids.tolist() == model.product_ids.tolist()
    assert back.customer_ids.tolist() == model.customer_ids.tolist()
    assert back.product_factors.dtype == np.float32
    assert np.array_equal(back.product_factors, model.product_factors)
    assert np.array_equal(back.customer_factors, model.customer_factors)


@pytest.mark.parametrize(("repeat", "offers"), [(True, "both"), (False, "new")])
def test_a_model_of_an_older_release_serves_as_it_was_made(repeat: bool, offers: str) -> None:
    files = dump_model(fitted(purchases(30, 20)))
    head = json.loads(files["model.json"])
    del head["offers"]
    head["recipe"]["repeat_purchases"] = repeat
    back = load_model({**files, "model.json": json.dumps(head).encode()})
    assert back.offers == offers
    assert back.recipe == fitted(purchases(30, 20)).recipe


def test_equal_models_have_equal_files() -> None:
    matrix = purchases(30, 20)
    assert dump_model(fitted(matrix)) == dump_model(fitted(matrix))


def test_no_file_is_a_pickle() -> None:
    for name, content in dump_model(fitted(purchases(30, 20))).items():
        assert name.endswith((".npy", ".json"))
        if name.endswith(".json"):
            json.loads(content)
        else:
            assert b"|O" not in content[:128]


@pytest.mark.parametrize(
    "name",
    ["product_factors.npy", "customer_factors.npy", "product_ids.json", "customer_ids.json"],
)
def test_a_changed_byte_and_a_missing_file_are_found(name: str) -> None:
    files = dump_model(fitted(purchases(30, 20)))
    broken = bytearray(files[name])
    broken[-1] ^= 1
    with pytest.raises(TenantError, match=f"{name} was changed since it was written"):
        load_model({**files, name: bytes(broken)})
    with pytest.raises(TenantError, match=f"{name} is missing"):
        load_model({key: value for key, value in files.items() if key != name})


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"format": 1}', "cannot be read"),
        (b'{"format": 99, "sha256": {}}', "format 99"),
        (b'{"format": 1, "sha256": {}}', "was changed since it was written"),
    ],
)
def test_a_head_that_makes_no_sense_is_said_to(head: bytes, text: str) -> None:
    with pytest.raises(TenantError, match=text):
        load_model({**dump_model(fitted(purchases(30, 20))), "model.json": head})


def test_a_head_without_the_rest_cannot_be_read() -> None:
    files = dump_model(fitted(purchases(30, 20)))
    head = json.loads(files["model.json"])
    del head["train_end"]
    with pytest.raises(TenantError, match="cannot be read"):
        load_model({**files, "model.json": json.dumps(head).encode()})


def test_no_head() -> None:
    with pytest.raises(TenantError, match=r"model\.json is missing"):
        load_model({})
