"""Logs of events: lines that are no purchases among lines that are."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from recfleet.errors import BadInputError
from recfleet.files import Batch
from recfleet.files.mapping import ColumnMapping

_LOOKS = (
    "view", "views", "page_view", "pageview", "detail_view", "pv", "click", "clicks", "impression",
    "search", "cart", "addtocart", "add_to_cart", "add-to-cart", "remove_from_cart", "wishlist",
    "favorite", "fav",
)  # fmt: skip
_BUYS = ("transaction", "purchase", "purchased", "buy", "order", "sale", "checkout")
_MOST_EVENTS = 30


def keep_lines(batch: Batch, mapping: ColumnMapping) -> Batch:
    """A batch without the lines that the mapping leaves out; broken lines stay."""
    kept = pc.is_valid(batch.broken)
    wanted: pa.Array | None = None
    for column, values in mapping.keep.items():
        if "*" in values:
            continue
        fits = pc.is_in(pc.utf8_trim_whitespace(batch.columns[column]), value_set=pa.array(values))
        wanted = fits if wanted is None else pc.and_(wanted, fits)
    return batch if wanted is None else batch.filter(pc.or_(kept, wanted.fill_null(False)))


def find_events(batch: Batch, taken: Collection[str]) -> tuple[str, str] | None:
    """The column that says what happened, and its word for a purchase, in a log of events.

    Args:
        batch: some lines.
        taken: columns that say something else.
    """
    for name, column in batch.columns.items():
        if name in taken:
            continue
        words = {text: text.strip().casefold() for text in _few(column) if text}
        buys = [text for text, word in words.items() if word in _BUYS]
        if buys and any(word in _LOOKS for word in words.values()):
            return name, buys[0]
    return None


def refuse_events(batch: Batch, mapping: ColumnMapping) -> None:
    """Refuse a log of events from which nobody has chosen.

    Raises:
        BadInputError: a column has words for looking and for buying.
    """
    if found := find_events(batch, mapping.columns.values()):
        column, word = found
        raise BadInputError(
            f"This is a log of events: column {column!r} says which lines are purchases. Add "
            f"--keep {column}={word} to read these lines only, or --keep '{column}=*' to read all "
            "of them as purchases."
        )


def _few(column: pa.Array) -> list[str | None]:
    """A column's different values, if there are few."""
    different: list[str | None] = pc.unique(column[:1000]).to_pylist()
    if len(different) > _MOST_EVENTS:
        return []
    all_values = pc.unique(column)
    return all_values.to_pylist() if len(all_values) <= _MOST_EVENTS else []
