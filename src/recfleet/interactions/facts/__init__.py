"""Facts about customers and products, from files: names, regions, segments, prices."""

from recfleet.files import Subject
from recfleet.interactions.facts._load import ingest_facts, look_at_facts
from recfleet.interactions.facts._segments import customers_in_segment
from recfleet.interactions.facts.eligibility import Eligibility, eligibility_of, read_eligibility
from recfleet.interactions.facts.mapping import (
    CustomerMapping,
    FactMapping,
    ProductMapping,
)

__all__ = [
    "CustomerMapping",
    "Eligibility",
    "FactMapping",
    "ProductMapping",
    "Subject",
    "customers_in_segment",
    "eligibility_of",
    "ingest_facts",
    "look_at_facts",
    "read_eligibility",
]
