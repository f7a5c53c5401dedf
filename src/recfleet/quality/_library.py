"""The one door through which Great Expectations comes in."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from recfleet.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationSuite
    from great_expectations.core.batch_definition import BatchDefinition

# Of the formats it is the least that names every failing row; the query would be rows as text.
_EVERY_FAILING_ROW = {
    "result_format": "COMPLETE",
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}


def load_library() -> float:
    """Import Great Expectations.

    Returns:
        The seconds that it took: several the first time in a process, none after.
    """
    started = time.perf_counter()
    _batches()
    return time.perf_counter() - started


@cache
def _batches() -> BatchDefinition[Any]:
    """Where frames are handed to the library: in memory, without files, network or progress bars.

    One for the process: each context, data source and asset would stay in memory.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations._docs_decorators").setLevel(logging.ERROR)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("recfleet").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def run_suite(suite: ExpectationSuite, frame: pd.DataFrame) -> dict[str, list[int]]:
    """Run a suite over a frame; nothing of it is kept.

    Args:
        suite: of expectations about each value of a column, each with a name in its meta.
        frame: with an index of numbers, each of them once.

    Returns:
        Name of the expectation -> labels of the rows that fail it, in the frame's order. A null
        passes, unless the expectation is about nulls.

    Raises:
        ConfigurationError: an expectation cannot be run over this data.
    """
    batch = _batches().get_batch({"dataframe": frame})
    validated = batch.validate(suite, result_format=_EVERY_FAILING_ROW)
    return dict(_failing(suite.name, result) for result in validated.results)


def _failing(suite_name: str, result: Any) -> tuple[str, list[int]]:
    name = result.expectation_config.meta["name"]
    if result.exception_info.get("raised_exception", True):
        raise ConfigurationError(
            f"the expectation {name!r} of {suite_name}.json cannot be run: "
            f"{_message(result.exception_info)}"
        )
    rows = result.result.get("unexpected_index_list")
    if rows is None or len(rows) != result.result["unexpected_count"]:
        raise ConfigurationError(
            f"the expectation {name!r} of {suite_name}.json does not say which rows fail it"
        )
    return name, rows


def _message(exception_info: Mapping[str, Any]) -> str:
    """The library has one message, or one for each metric that the expectation needs."""
    if "exception_message" in exception_info:
        return str(exception_info["exception_message"])
    messages = [
        str(metric["exception_message"])
        for metric in exception_info.values()
        if isinstance(metric, Mapping)
    ]
    return "; ".join(dict.fromkeys(messages)) or "the library gives no reason"
