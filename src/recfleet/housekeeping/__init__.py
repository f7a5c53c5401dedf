"""What is past retention is deleted, every noon.

- ``keep_house``: the parts of the work, each by itself, with what each deleted.
- ``old_models``: versions and runs in MLflow, with their files.
- ``old_records``: rows of the ledger, of data quality and of weights.
"""

from recfleet.housekeeping.keep_house import PARTS, keep_house

__all__ = ["PARTS", "keep_house"]
