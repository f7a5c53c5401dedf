"""Alternating least squares: recipe, fit, fold-in, lists, artifact."""

from recfleet.als._artifact import dump_model, load_model
from recfleet.als._factors import Factors
from recfleet.als._fit import fit
from recfleet.als._fold_in import fold_in
from recfleet.als._model import AlsModel
from recfleet.als._rank import RankedLists, rank
from recfleet.als._threads import load_library
from recfleet.als._top_k import top_k
from recfleet.als.recipe import Recipe, Signal

__all__ = [
    "AlsModel",
    "Factors",
    "RankedLists",
    "Recipe",
    "Signal",
    "dump_model",
    "fit",
    "fold_in",
    "load_library",
    "load_model",
    "rank",
    "top_k",
]
