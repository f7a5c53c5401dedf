"""Alternating least squares: fit, fold-in, lists, artifact."""

from recfleet.models.als._artifact import dump_model, load_model
from recfleet.models.als._factors import Factors
from recfleet.models.als._fit import fit
from recfleet.models.als._fold_in import fold_in
from recfleet.models.als._model import AlsModel
from recfleet.models.als._rank import RankedLists, rank
from recfleet.models.als._threads import load_library
from recfleet.models.als._top_k import top_k

__all__ = [
    "AlsModel",
    "Factors",
    "RankedLists",
    "dump_model",
    "fit",
    "fold_in",
    "load_library",
    "load_model",
    "rank",
    "top_k",
]
