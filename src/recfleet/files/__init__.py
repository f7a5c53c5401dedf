"""Files of any supported kind: what they are, which column says what, and batches of text."""

from recfleet.files._batch import TIME, Batch
from recfleet.files._how import AS_IT_IS, Reading
from recfleet.files._read import read_batches
from recfleet.files._source import Source, inspect
from recfleet.files.form import find_delimiter, find_form
from recfleet.files.mapping import ONLINE_RETAIL, ColumnMapping, Decimal, LineMapping, Subject
from recfleet.files.missing import is_missing, is_missing_time
from recfleet.files.presets import PRESETS, Preset

__all__ = [
    "AS_IT_IS",
    "ONLINE_RETAIL",
    "PRESETS",
    "TIME",
    "Batch",
    "ColumnMapping",
    "Decimal",
    "LineMapping",
    "Preset",
    "Reading",
    "Source",
    "Subject",
    "find_delimiter",
    "find_form",
    "inspect",
    "is_missing",
    "is_missing_time",
    "read_batches",
]
