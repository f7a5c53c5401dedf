"""Files of any supported kind, in batches of lines, as text."""

from recfleet.interactions.files._batch import TIME, Batch
from recfleet.interactions.files._csv import read_csv
from recfleet.interactions.files._excel import read_excel
from recfleet.interactions.files._parquet import read_parquet
from recfleet.interactions.files._source import Source, inspect

__all__ = ["TIME", "Batch", "Source", "inspect", "read_csv", "read_excel", "read_parquet"]
