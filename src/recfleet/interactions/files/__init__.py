"""Files of any supported kind, in batches of lines, as text."""

from recfleet.interactions.files._batch import TIME, Batch
from recfleet.interactions.files._how import AS_IT_IS, Reading
from recfleet.interactions.files._read import read_batches
from recfleet.interactions.files._source import Source, inspect

__all__ = ["AS_IT_IS", "TIME", "Batch", "Reading", "Source", "inspect", "read_batches"]
