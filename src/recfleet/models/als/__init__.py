"""Alternating least squares: the family of models that learns taste from who bought what."""

from recfleet.models.als._fit import fit
from recfleet.models.als._fold_in import fold_in
from recfleet.models.als._library import load_library
from recfleet.models.als._model import AlsModel
from recfleet.models.als._read import check_format, load_model, read_digest
from recfleet.models.als._trainer import AlsTrainer
from recfleet.models.als._write import dump_model

__all__ = [
    "AlsModel",
    "AlsTrainer",
    "check_format",
    "dump_model",
    "fit",
    "fold_in",
    "load_library",
    "load_model",
    "read_digest",
]
