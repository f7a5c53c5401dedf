"""Data quality: the suites of ``expectations/``, run over a shard of tenants, to verdicts."""

from recfleet.quality._advice import Advice, read_advice, read_units
from recfleet.quality._docs import DocsPage, build_docs, has_docs, read_docs, store_docs
from recfleet.quality._examine import SAMPLE_LINES
from recfleet.quality._library import load_library
from recfleet.quality._profile import COLUMNS, Unit, read_profile
from recfleet.quality._result import Result, Severity, Validation
from recfleet.quality._store import (
    delete_docs,
    delete_quality_of,
    delete_results,
    forget_samples_of_customer,
    has_results,
    store_results,
)
from recfleet.quality._suites import Suites, load_suites
from recfleet.quality._validate import validate
from recfleet.quality._words import observed_in_words

__all__ = [
    "COLUMNS",
    "SAMPLE_LINES",
    "Advice",
    "DocsPage",
    "Result",
    "Severity",
    "Suites",
    "Unit",
    "Validation",
    "build_docs",
    "delete_docs",
    "delete_quality_of",
    "delete_results",
    "forget_samples_of_customer",
    "has_docs",
    "has_results",
    "load_library",
    "load_suites",
    "observed_in_words",
    "read_advice",
    "read_docs",
    "read_profile",
    "read_units",
    "store_docs",
    "store_results",
    "validate",
]
