"""A model read from its files."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from recfleet.errors import TenantError
from recfleet.kinds import KINDS, Offers
from recfleet.models.als._model import AlsModel
from recfleet.models.als._write import ARRAYS, FORMAT, HEAD, digest_of_arrays
from recfleet.models.contract import Parent
from recfleet.recipe import FORMER, Recipe


def load_model(files: Mapping[str, bytes]) -> AlsModel:
    """The model of these files.

    Raises:
        TenantError: a file is missing, or is not what was written.
    """
    head = _read_head(files)
    for name in ARRAYS:
        if name not in files:
            raise TenantError(f"The model's file {name} is missing: restore it, or train again.")
        if hashlib.sha256(files[name]).hexdigest() != head["sha256"].get(name):
            raise TenantError(
                f"The model's file {name} was changed since it was written (its checksum "
                "differs): restore it, or train again."
            )
    try:
        return AlsModel(
            recipe=Recipe.model_validate(head["recipe"]),
            product_ids=_ids(files["product_ids.json"]),
            product_factors=_array(files["product_factors.npy"]),
            customer_ids=_ids(files["customer_ids.json"]),
            customer_factors=_array(files["customer_factors.npy"]),
            penalty=float(head["penalty"]),
            train_end=datetime.fromisoformat(head["train_end"]),
            seed=head["seed"],
            offers=_offers(head),
            parent=_parent(head),
            written=digest_of_arrays(head["sha256"]),
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise TenantError(f"The model's files cannot be read: {error}") from error


def check_format(files: Mapping[str, bytes]) -> None:
    """Check that this version of recfleet reads the files; quick, because no array is read.

    Raises:
        TenantError: ``model.json`` is missing, cannot be read, or is of another format.
    """
    _read_head(files)


def _read_head(files: Mapping[str, bytes]) -> dict[str, Any]:
    if HEAD not in files:
        raise TenantError(f"The model's file {HEAD} is missing: restore it, or train again.")
    try:
        head: dict[str, Any] = json.loads(files[HEAD])
        version = head["format"]
        head["sha256"].items()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TenantError(f"The model's file {HEAD} cannot be read: {error}") from error
    if version != FORMAT:
        raise TenantError(
            f"The model was written in format {version}, but this version of recfleet reads "
            f"format {FORMAT}: train again, or use the version of recfleet that wrote it."
        )
    return head


def read_digest(files: Mapping[str, bytes]) -> str:
    """The digest of the model that was written as these files, by the checksums in ``model.json``.

    Raises:
        TenantError: ``model.json`` is missing, cannot be read, or is of another format.
    """
    return digest_of_arrays(_read_head(files)["sha256"])


def _parent(head: Mapping[str, Any]) -> Parent | None:
    named = head.get("parent")
    if named is None:
        return None
    return Parent(datetime.fromisoformat(named["train_end"]), str(named["digest"]))


def _offers(head: Mapping[str, Any]) -> Offers:
    """The kinds of the model's lists; in models of older releases, the recipe says it."""
    former: Offers = "both" if head["recipe"].get(FORMER) else "new"
    named = head.get("offers", former)
    if named not in (*KINDS, "both"):
        raise ValueError(f"lists cannot offer {named!r}")
    return cast("Offers", named)


def _array(content: bytes) -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def _ids(content: bytes) -> NDArray[np.object_]:
    ids = json.loads(content)
    array = np.empty(len(ids), dtype=object)
    array[:] = ids
    return array
