"""Interactions: in from files, out as one tenant's matrices as of a time."""

from recfleet.files import AS_IT_IS, Batch, Reading
from recfleet.files.mapping import ONLINE_RETAIL, ColumnMapping
from recfleet.files.presets import PRESETS, Preset
from recfleet.interactions._ingest import Progress, ingest
from recfleet.interactions._load import IngestReport, Loader, TenantReport
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions.bulk import (
    INTERACTION_COLUMNS,
    copy_interactions,
    copy_products,
    delete_purchases_of,
    discontinue_products,
)
from recfleet.interactions.catalogue import (
    Catalogue,
    active_products,
    read_catalogue,
    read_discontinued,
)
from recfleet.interactions.clean import NO_TENANT, REASONS, Cleaned, clean
from recfleet.interactions.ingests import (
    Ingest,
    begin_ingest,
    count_undone,
    end_ingest,
    get_ingest,
    list_ingests,
    sources_with_prefix,
    undo_ingest,
)
from recfleet.interactions.known import (
    Known,
    count_all,
    count_known,
    count_pairs,
    number_products_of,
)
from recfleet.interactions.latest import read_latest
from recfleet.interactions.log import read_log
from recfleet.interactions.look import Look, look
from recfleet.interactions.weeks import (
    count_lately,
    count_unusable_weeks,
    count_usable,
    count_weekly,
)

__all__ = [
    "AS_IT_IS",
    "INTERACTION_COLUMNS",
    "NO_TENANT",
    "ONLINE_RETAIL",
    "PRESETS",
    "REASONS",
    "Batch",
    "Catalogue",
    "Cleaned",
    "ColumnMapping",
    "Ingest",
    "IngestReport",
    "Known",
    "Loader",
    "Look",
    "Preset",
    "Progress",
    "Reading",
    "TenantNames",
    "TenantReport",
    "active_products",
    "begin_ingest",
    "clean",
    "copy_interactions",
    "copy_products",
    "count_all",
    "count_known",
    "count_lately",
    "count_pairs",
    "count_undone",
    "count_unusable_weeks",
    "count_usable",
    "count_weekly",
    "delete_purchases_of",
    "discontinue_products",
    "end_ingest",
    "get_ingest",
    "ingest",
    "list_ingests",
    "look",
    "number_products_of",
    "read_catalogue",
    "read_discontinued",
    "read_latest",
    "read_log",
    "sources_with_prefix",
    "undo_ingest",
]
