"""Models: what makes a tenant's lists, from the log and the recipe to ranked products."""

from recfleet.models._top_k import top_k
from recfleet.models.blend import (
    TREND,
    WEIGHTS_VERSION,
    Finding,
    KeptSignals,
    Learned,
    Learning,
    Lesson,
    Line,
    Samples,
    Signals,
    Weights,
    blend,
    findings,
    fit_weights,
    pool,
    read_trend,
    samples,
    shipped_priors,
    shipped_weights,
    write_trend,
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
from recfleet.models.purchases import Purchases
from recfleet.models.ranking import Ranked, blended, merge, rank, starts_of
from recfleet.models.repeats import resolve_offers
from recfleet.models.trend import Trend

__all__ = [
    "SOURCES",
    "TREND",
    "WEIGHTS",
    "WEIGHTS_VERSION",
    "Basket",
    "Factors",
    "Finding",
    "InteractionLog",
    "KeptSignals",
    "Learned",
    "Learning",
    "Lesson",
    "Line",
    "Model",
    "Purchases",
    "Ranked",
    "Samples",
    "Scorer",
    "Signals",
    "Source",
    "Trainer",
    "Trend",
    "Weights",
    "blend",
    "blended",
    "check_format",
    "findings",
    "fit_weights",
    "load_library",
    "merge",
    "microseconds",
    "pool",
    "popular_products",
    "popularity_scorer",
    "product_popularity",
    "rank",
    "read_model",
    "read_trend",
    "read_weights",
    "resolve_offers",
    "samples",
    "shipped_priors",
    "shipped_weights",
    "starts_of",
    "top_k",
    "trainer_of",
    "write_trend",
]
