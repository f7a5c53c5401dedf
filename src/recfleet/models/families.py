"""The one place that chooses a tenant's family of models."""

from __future__ import annotations

from collections.abc import Mapping

from recfleet.kinds import Offers
from recfleet.models.als import AlsTrainer
from recfleet.models.als import check_format as check_als
from recfleet.models.als import load_library as load_als
from recfleet.models.als import load_model as read_als
from recfleet.models.contract import Model, Trainer
from recfleet.recipe import Recipe


def trainer_of(recipe: Recipe, offers: Offers) -> Trainer:
    """The trainer that a recipe asks for, of models for lists of these kinds."""
    return AlsTrainer(recipe, offers)


def read_model(files: Mapping[str, bytes]) -> Model:
    """The model of these files.

    Raises:
        TenantError: a file is missing, or is not what was written.
    """
    return read_als(files)


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
