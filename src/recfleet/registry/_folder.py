"""A model's folder: its arrays, and the file by which MLflow loads and describes them."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping

from recfleet.errors import TenantError

MLMODEL = "MLmodel"
HEAD = "model.json"

_TEXT = """\
flavors:
  python_function:
    loader_module: recfleet.registry.pyfunc
    python_version: {python_version}
signature:
  inputs: '[
    {{"name": "customer_id", "type": "string", "required": false}},
    {{"name": "history", "type": "array", "items": {{"type": "string"}}, "required": false}}]'
  outputs: '[
    {{"name": "customer_id", "type": "string", "required": false}},
    {{"name": "products", "type": "array", "items": {{"type": "string"}}, "required": true}},
    {{"name": "scores", "type": "array", "items": {{"type": "double"}}, "required": true}},
    {{"name": "source", "type": "string", "required": true}}]'
  params: '[{{"name": "n", "type": "long", "default": {list_length}, "shape": null}}]'
"""


def model_folder(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a registered model, in the order they are to be written.

    Args:
        files: the model's, name -> bytes.

    Returns:
        These and ``MLmodel``, with ``model.json``, which has the others' checksums, last. Equal
        files give equal folders.

    Raises:
        TenantError: there is no ``model.json`` among them.
    """
    if HEAD not in files:
        raise TenantError(f"The model's file {HEAD} is missing: train the model again.")
    list_length = json.loads(files[HEAD])["recipe"]["list_length"]
    arrays = {name: content for name, content in files.items() if name not in {HEAD, MLMODEL}}
    return {MLMODEL: mlmodel_text(list_length).encode(), **arrays, HEAD: files[HEAD]}


def mlmodel_text(list_length: int) -> str:
    """The text of ``MLmodel``.

    Written here and not by MLflow, so that a model can be made where MLflow is not imported; it
    names no requirements, which MLflow would find out in a process of its own for seconds.

    Args:
        list_length: products in a list when the caller of ``predict`` does not say.
    """
    return _TEXT.format(python_version=platform.python_version(), list_length=list_length)
