"""The one place that chooses a tenant's family of models."""

from __future__ import annotations

from collections.abc import Mapping

from recfleet.kinds import Offers
from recfleet.models.als import AlsTrainer
from recfleet.models.als import check_format as check_als
from recfleet.models.als import load_library as load_als
from recfleet.models.als import load_model as read_als
from recfleet.models.als import read_digest as read_als_digest
from recfleet.models.blend import Weights
from recfleet.models.contract import Model, Trainer
from recfleet.recipe import Recipe

WEIGHTS = "weights.json"
"""The file that holds the weights of the signals, beside a model's own files."""


def trainer_of(recipe: Recipe, offers: Offers) -> Trainer:
    """The trainer that a recipe asks for, of models for lists of these kinds."""
    return AlsTrainer(recipe, offers)


def read_model(files: Mapping[str, bytes]) -> Model:
    """The model of these files.

    Raises:
        TenantError: a file is missing, or is not what was written.
    """
    return read_als(files)


def read_digest(files: Mapping[str, bytes]) -> str:
    """The ``Model.digest`` of the model that these files hold; no array is read.

    Raises:
        TenantError: ``model.json`` is missing, cannot be read, or is of another format.
    """
    return read_als_digest(files)


def read_weights(files: Mapping[str, bytes]) -> Weights | None:
    """The weights of the signals that a model serves with.

    Returns:
        None when an older release wrote the model: it serves by taste alone, as it did then.

    Raises:
        TenantError: the file cannot be read.
    """
    if WEIGHTS not in files:
        return None
    return Weights.from_json(files[WEIGHTS].decode(errors="replace"))


def check_format(files: Mapping[str, bytes]) -> None:
    """Check that this version of recfleet reads a model's files; quick, because no array is read.

    Raises:
        TenantError: it does not; says why.
    """
    check_als(files)


def load_library() -> float:
    """Import what fitting and folding in need, so that the import counts in no tenant's time.

    Returns:
        Seconds that the import took.
    """
    return load_als()
