"""A query's cursor: how far it was read, and where the next batch begins and ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from recfleet.errors import BadInputError

Kind = Literal["number", "time", "date"]


@dataclass(frozen=True)
class Cursor:
    """A value of the cursor's column."""

    kind: Kind
    value: Any
    """A Decimal, an aware datetime or a date."""
    has_zone: bool = True
    """Whether the column's times have a zone; without one they are UTC."""

    @classmethod
    def at(cls, value: object) -> Cursor:
        """The cursor at a value of the database.

        Raises:
            BadInputError: a column of such values cannot be a cursor.
        """
        if isinstance(value, bool) or value is None:
            raise BadInputError(f"The cursor's column holds {value!r}: name a column that grows.")
        if isinstance(value, int | float | Decimal):
            number = Decimal(str(value))
            if not number.is_finite():
                raise BadInputError(f"The cursor's column holds {value}: name a column that grows.")
            return cls("number", number)
        if isinstance(value, datetime):
            has_zone = value.tzinfo is not None
            return cls("time", value if has_zone else value.replace(tzinfo=UTC), has_zone)
        if isinstance(value, date):
            return cls("date", value)
        raise BadInputError(
            f"The cursor's column holds {type(value).__name__}: it must hold numbers or times, "
            "because each database orders text in its own way."
        )

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Cursor:
        """The cursor as it was kept."""
        return cls(kept["kind"], None, kept.get("has_zone", True)).parse(kept["value"])

    def parse(self, text: str) -> Cursor:
        """Another value of the same kind.

        Raises:
            BadInputError: the text is none.
        """
        try:
            return Cursor(self.kind, _READ[self.kind](text), self.has_zone)
        except (ValueError, ArithmeticError):
            raise BadInputError(f"{text!r} is no {self.kind}, as the cursor is.") from None

    def plain(self) -> dict[str, Any]:
        """The cursor, ready for JSON."""
        told = self.value.isoformat() if self.kind in ("time", "date") else str(self.value)
        kept = {"kind": self.kind, "value": told}
        return kept if self.kind != "time" else kept | {"has_zone": self.has_zone}

    def parameter(self) -> object:
        """The value for a statement."""
        if self.kind == "number":
            return int(self.value) if self.value == int(self.value) else self.value
        return self.value if self.has_zone else self.value.replace(tzinfo=None)

    def minus(self, overlap: timedelta | int | None) -> Cursor:
        """Where rows are read again from.

        Raises:
            BadInputError: the overlap is of another kind than the cursor.
        """
        if not overlap:
            return self
        if self.kind == "number" and isinstance(overlap, int):
            return Cursor(self.kind, self.value - overlap)
        if self.kind in ("time", "date") and isinstance(overlap, timedelta):
            return Cursor(self.kind, self.value - overlap, self.has_zone)
        raise BadInputError(
            f"The overlap {overlap} does not fit a cursor that is a {self.kind}: a time needs a "
            "span such as '10 minutes', and a number a number."
        )

    def at_most(self, now: datetime) -> Cursor:
        """The cursor, not in the future: one wrong clock would hide all rows until then."""
        if self.kind == "time":
            return Cursor("time", min(self.value, now), self.has_zone)
        if self.kind == "date":
            return Cursor("date", min(self.value, now.date()))
        return self


_READ: dict[Kind, Any] = {
    "number": Decimal,
    "time": lambda text: _aware(datetime.fromisoformat(text)),
    "date": date.fromisoformat,
}


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def cut_batch(
    rows: Iterable[Sequence[Any]], column: int, least: int, after: Cursor | None
) -> tuple[list[Sequence[Any]], bool]:
    """The first rows of a query, in the order of its cursor, as one batch.

    A batch ends only where the cursor's value changes, so that rows with one value stay
    together. It goes beyond the last cursor even when the overlap has more rows than a batch.

    Args:
        rows: in the cursor's order.
        column: place of the cursor in a row.
        least: the batch ends after this many rows, as soon as it may.
        after: the last cursor.

    Returns:
        The batch, and whether the query has no more rows.
    """
    batch: list[Sequence[Any]] = []
    last: Cursor | None = None
    for row in rows:
        here = Cursor.at(row[column])
        may_end = last is not None and (after is None or last.value > after.value)
        if may_end and len(batch) >= least and last is not None and here.value != last.value:
            return batch, False
        batch.append(row)
        last = here
    return batch, True
