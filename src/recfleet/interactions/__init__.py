"""Interactions: in from files, out as one tenant's matrices as of a time."""

from recfleet.interactions._batch import Batch
from recfleet.interactions._ingest import Progress, ingest
from recfleet.interactions._load import IngestReport, Loader, TenantReport
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions.catalogue import (
    Catalogue,
    active_products,
    read_catalogue,
    read_discontinued,
)
from recfleet.interactions.clean import NO_TENANT, REASONS, Cleaned, clean
from recfleet.interactions.log import read_log
from recfleet.interactions.mapping import ONLINE_RETAIL, PRESETS, ColumnMapping
from recfleet.models.log import InteractionLog

__all__ = [
    "NO_TENANT",
    "ONLINE_RETAIL",
    "PRESETS",
    "REASONS",
    "Batch",
    "Catalogue",
    "Cleaned",
    "ColumnMapping",
    "IngestReport",
    "InteractionLog",
    "Loader",
    "Progress",
    "TenantNames",
    "TenantReport",
    "active_products",
    "clean",
    "ingest",
    "read_catalogue",
    "read_discontinued",
    "read_log",
]
