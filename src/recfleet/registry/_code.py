"""The version of the code that made a model."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version


@lru_cache(maxsize=1)
def code_version() -> str:
    """The version of the installed package; ``unknown`` where it was not installed."""
    try:
        return version("recfleet")
    except PackageNotFoundError:
        return "unknown"
