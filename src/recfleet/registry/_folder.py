"""A model's folder: its arrays, and the file that tells MLflow how to load and describe them."""

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
    {{"name": "history", "type": "array", "items": {{"type": "string"}}, "required": false}},
    {{"name": "times", "type": "array", "items": {{"type": "string"}}, "required": false}}]'
  outputs: '[
    {{"name": "customer_id", "type": "string", "required": false}},
    {{"name": "products", "type": "array", "items": {{"type": "string"}}, "required": true}},
    {{"name": "scores", "type": "array", "items": {{"type": "double"}}, "required": true}},
    {{"name": "source", "type": "string", "required": true}}]'
  params: '[{{"name": "n", "type": "long", "default": {list_length}, "shape": null}}]'
"""


def model_folder(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a registered model, in the order of writing.

    Args:
        files: the model's, name -> bytes.

    Returns:
        These files and ``MLmodel``; ``model.json``, with the others' checksums, comes last. Equal
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

    recfleet writes it itself, so that making a model does not need MLflow's import. It names no
    requirements: MLflow would spend seconds in a separate process to find them.

    Args:
        list_length: products in a list when the caller of ``predict`` does not say.
    """
    return _TEXT.format(python_version=platform.python_version(), list_length=list_length)
