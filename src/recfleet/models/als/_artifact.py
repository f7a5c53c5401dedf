"""A model as files: plain arrays and JSON with checksums, never a pickle."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from recfleet.errors import TenantError
from recfleet.models.als._model import AlsModel
from recfleet.models.recipe import Recipe

FORMAT = 1
_HEAD = "model.json"
_ARRAYS = (
    "product_factors.npy",
    "customer_factors.npy",
    "product_ids.json",
    "customer_ids.json",
)


def dump_model(model: AlsModel) -> dict[str, bytes]:
    """The files of a model: name -> content.

    ``product_factors.npy`` and ``customer_factors.npy`` (float32), ``product_ids.json`` and
    ``customer_ids.json`` (lists of text, a row each), and ``model.json`` with the recipe and the
    SHA-256 of every other file. Equal models have equal files.
    """
    files = {
        "product_factors.npy": _array_bytes(model.product_factors),
        "customer_factors.npy": _array_bytes(model.customer_factors),
        "product_ids.json": json.dumps(model.product_ids.tolist()).encode(),
        "customer_ids.json": json.dumps(model.customer_ids.tolist()).encode(),
    }
    head = {
        "format": FORMAT,
        "recipe": model.recipe.model_dump(mode="json"),
        "penalty": model.penalty,
        "train_end": model.train_end.isoformat(),
        "seed": model.seed,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return {_HEAD: json.dumps(head, indent=2).encode(), **files}


def load_model(files: Mapping[str, bytes]) -> AlsModel:
    """The model of these files.

    Raises:
        TenantError: a file is missing, or is not what was written.
    """
    head = _read_head(files)
    for name in _ARRAYS:
        if name not in files:
            raise TenantError(f"The model's file {name} is missing: restore it, or train again.")
        if hashlib.sha256(files[name]).hexdigest() != head["sha256"].get(name):
            raise TenantError(
                f"The model's file {name} is not what was written (its checksum differs): "
                "restore it, or train again."
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
        )
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise TenantError(f"The model's files cannot be read: {error}") from error


def _read_head(files: Mapping[str, bytes]) -> dict[str, Any]:
    if _HEAD not in files:
        raise TenantError(f"The model's file {_HEAD} is missing: restore it, or train again.")
    try:
        head: dict[str, Any] = json.loads(files[_HEAD])
        version = head["format"]
        head["sha256"].items()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TenantError(f"The model's file {_HEAD} cannot be read: {error}") from error
    if version != FORMAT:
        raise TenantError(
            f"The model was written in format {version}, and this version of recfleet reads format "
            f"{FORMAT}: train again, or use the version that wrote it."
        )
    return head


def _array_bytes(array: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()


def _array(content: bytes) -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def _ids(content: bytes) -> NDArray[np.object_]:
    ids = json.loads(content)
    array = np.empty(len(ids), dtype=object)
    array[:] = ids
    return array
