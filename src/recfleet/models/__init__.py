"""Models: what makes a tenant's lists, from the log and the recipe to ranked products."""

from recfleet.models._top_k import top_k
from recfleet.models.blend import (
    Lesson,
    Line,
    Samples,
    Signals,
    Weights,
    average,
    blend,
    fit_weights,
    samples,
    shipped_priors,
    shipped_weights,
)
from recfleet.models.contract import SOURCES, Basket, Model, Scorer, Source, Trainer
from recfleet.models.factors import Factors
from recfleet.models.families import (
    WEIGHTS,
    check_format,
    load_library,
    read_model,
    read_weights,
    trainer_of,
)
from recfleet.models.log import InteractionLog, microseconds
from recfleet.models.popularity import popular_products, popularity_scorer, product_popularity
from recfleet.models.ranking import Ranked, blended, merge, rank, starts_of
from recfleet.models.repeats import resolve_offers

__all__ = [
    "SOURCES",
    "WEIGHTS",
    "Basket",
    "Factors",
    "InteractionLog",
    "Lesson",
    "Line",
    "Model",
    "Ranked",
    "Samples",
    "Scorer",
    "Signals",
    "Source",
    "Trainer",
    "Weights",
    "average",
    "blend",
    "blended",
    "check_format",
    "fit_weights",
    "load_library",
    "merge",
    "microseconds",
    "popular_products",
    "popularity_scorer",
    "product_popularity",
    "rank",
    "read_model",
    "read_weights",
    "resolve_offers",
    "samples",
    "shipped_priors",
    "shipped_weights",
    "starts_of",
    "top_k",
    "trainer_of",
]
