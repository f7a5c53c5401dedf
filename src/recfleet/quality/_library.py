"""The one place that imports Great Expectations."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from recfleet.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationSuite
    from great_expectations.core.batch_definition import BatchDefinition

# The smallest format that names every failing row, without a query that repeats them as text.
_EVERY_FAILING_ROW = {
    "result_format": "COMPLETE",
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}


def load_library() -> float:
    """Import Great Expectations.

    Returns:
        Seconds that the import took: several the first time in a process, none later.
    """
    started = time.perf_counter()
    _batches()
    return time.perf_counter() - started


@cache
def _batches() -> BatchDefinition[Any]:
    """The library's entry for frames: in memory, without files, network or progress bars.

    One for the whole process, because every context, data source and asset stays in memory.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations._docs_decorators").setLevel(logging.ERROR)
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    configuration = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(project_config=configuration, mode="ephemeral")
    asset = context.data_sources.add_pandas("recfleet").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def failing_expectations(suite: ExpectationSuite, frame: pd.DataFrame) -> set[str]:
    """Run a suite over a frame; returns the names of expectations that at least one row fails.

    It costs half as much as failing_rows. A null passes, unless the expectation is about nulls.

    Args:
        suite: expectations about each value of a column, each with a name in its meta.
        frame: its index is of numbers, each once.

    Raises:
        ConfigurationError: an expectation cannot be run over this data.
    """
    return {name for name, result in _run(suite, frame, "BOOLEAN_ONLY") if not result.success}


def failing_rows(suite: ExpectationSuite, frame: pd.DataFrame) -> dict[str, list[int]]:
    """Run a suite over a frame; returns the rows that fail.

    Args:
        suite: as above.
        frame: as above.

    Returns:
        Name of the expectation -> labels of all rows that fail it, in the frame's order.

    Raises:
        ConfigurationError: an expectation cannot be run over this data.
    """
    return {
        name: _failing(suite.name, name, result.result)
        for name, result in _run(suite, frame, _EVERY_FAILING_ROW)
    }


def _run(
    suite: ExpectationSuite, frame: pd.DataFrame, result_format: Any
) -> Iterator[tuple[str, Any]]:
    """Name and result of every expectation; the library keeps no trace of the run."""
    batch = _batches().get_batch({"dataframe": frame})
    for result in batch.validate(suite, result_format=result_format).results:
        configuration = result.expectation_config
        name = configuration.meta["name"] if configuration and configuration.meta else "unknown"
        if result.exception_info.get("raised_exception", True):
            raise ConfigurationError(
                f"the expectation {name!r} of {suite.name}.json cannot run: "
                f"{_message(result.exception_info)}"
            )
        yield name, result


def _failing(suite_name: str, name: str, result: Mapping[str, Any]) -> list[int]:
    rows: list[int] | None = result.get("unexpected_index_list")
    if rows is None or len(rows) != result["unexpected_count"]:
        raise ConfigurationError(
            f"the expectation {name!r} of {suite_name}.json does not say which rows fail it"
        )
    return rows


def _message(exception_info: Mapping[str, Any]) -> str:
    """The library's message: it has one, or one for each metric that the expectation needs."""
    if "exception_message" in exception_info:
        return str(exception_info["exception_message"])
    messages = [
        str(metric["exception_message"])
        for metric in exception_info.values()
        if isinstance(metric, Mapping)
    ]
    return "; ".join(dict.fromkeys(messages)) or "Great Expectations gives no reason"
