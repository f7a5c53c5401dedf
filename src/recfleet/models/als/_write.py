"""A model as files: plain arrays and JSON with checksums, never a pickle."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recfleet.models.als._arrays import AlsArrays

FORMAT = 1
HEAD = "model.json"
ARRAYS = (
    "product_factors.npy",
    "customer_factors.npy",
    "product_ids.json",
    "customer_ids.json",
)


def dump_model(model: AlsArrays) -> dict[str, bytes]:
    """The files of a model: name -> content.

    ``product_factors.npy`` and ``customer_factors.npy`` (float32), ``product_ids.json`` and
    ``customer_ids.json`` (lists of text, a row each), and ``model.json`` with the recipe, the
    offered kinds, the parent if there is one, and the SHA-256 of every other file. Equal models
    have equal files.
    """
    files = array_files(model)
    head = {
        "format": FORMAT,
        "recipe": model.recipe.model_dump(mode="json"),
        "penalty": model.penalty,
        "train_end": model.train_end.isoformat(),
        "seed": model.seed,
        "offers": model.offers,
        "sha256": checksums(files),
    }
    if (parent := model.parent) is not None:
        head["parent"] = {"train_end": parent.train_end.isoformat(), "digest": parent.digest}
    return {HEAD: json.dumps(head, indent=2).encode(), **files}


def array_files(model: AlsArrays) -> dict[str, bytes]:
    """The files with a model's arrays: name -> content."""
    return {
        "product_factors.npy": _array_bytes(model.product_factors),
        "customer_factors.npy": _array_bytes(model.customer_factors),
        "product_ids.json": json.dumps(model.product_ids.tolist()).encode(),
        "customer_ids.json": json.dumps(model.customer_ids.tolist()).encode(),
    }


def checksums(files: Mapping[str, bytes]) -> dict[str, str]:
    """Name -> SHA-256, in hexadecimal."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def digest_of_arrays(sha256: Mapping[str, str]) -> str:
    """One SHA-256 over the checksums of the files with arrays, in hexadecimal."""
    listing = "\n".join(f"{name} {sha256[name]}" for name in ARRAYS)
    return hashlib.sha256(listing.encode()).hexdigest()


def _array_bytes(array: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()
