"""A broken day as the tenant delivers it: raw text with its faults."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

import numpy as np

from recfleet.interactions import Batch, Cleaned, ColumnMapping, clean
from recfleet.synthetic._days import Lines
from recfleet.synthetic._ids import Text, customer_ids, product_ids
from recfleet.synthetic._market import Market

_NO_NUMBERS = np.array(["two pieces", "n/a", "#REF!", "a dozen"], dtype=object)
_NO_TIMES = np.array(["yesterday", "31 Feb", "00/00/0000 00:00", "noon"], dtype=object)


def clean_broken_day(market: Market, day: int, lines: Lines) -> Cleaned:
    """A broken day's lines after reading them like any file.

    Args:
        market: market of a tenant with a trouble other than a fall in volume.
        day: days since the world's first.
        lines: all true lines of that day.
    """
    midnight = datetime.combine(market.world.date_of(day), time(), UTC)
    columns = _broken(market, day, lines, _written(day, midnight, lines), midnight)
    mapping = ColumnMapping(
        tenant_id=market.traits.tenant_id,
        customer_column="customer",
        product_column="product",
        time_column="time",
        quantity_column="quantity",
        amount_column="amount",
        reference_column="receipt",
    )
    batch = Batch.of({name: column.tolist() for name, column in columns.items()})
    return clean(batch, mapping, now=midnight + timedelta(days=1), last=midnight)


def _written(day: int, midnight: datetime, lines: Lines) -> dict[str, Text]:
    return {
        "receipt": _text(f"R{day}-{number}" for number in lines.number.tolist()),
        "customer": customer_ids(lines.customer),
        "product": product_ids(lines.product),
        "time": _written_times(midnight, lines),
        "quantity": _text(f"{quantity:.0f}" for quantity in lines.quantity.tolist()),
        "amount": _text(f"{amount:.2f}" for amount in lines.amount.tolist()),
    }


def _written_times(midnight: datetime, lines: Lines) -> Text:
    times = (midnight + timedelta(seconds=second) for second in lines.second.tolist())
    return _text(f"{moment:%Y-%m-%d %H:%M:%S}" for moment in times)


def _broken(
    market: Market, day: int, lines: Lines, columns: dict[str, Text], midnight: datetime
) -> dict[str, Text]:
    trouble = market.traits.trouble
    if trouble == "duplicated days":
        return {name: np.concatenate([column, column]) for name, column in columns.items()}
    chance = market.draws.uniform("broken line", day, lines.number)
    hit = chance < market.world.broken_lines
    which = (chance / market.world.broken_lines * 8).astype(int)
    if trouble == "missing customers":
        return columns | {"customer": np.where(hit, "", columns["customer"])}
    if trouble == "prices of zero":
        return columns | {"amount": np.where(hit, "0.00", columns["amount"])}
    if trouble == "future dates":
        next_year = _written_times(midnight + timedelta(days=365), lines)
        return columns | {"time": np.where(hit, next_year, columns["time"])}
    if trouble == "wrong types":
        quantity = np.where(hit & (which < 4), _NO_NUMBERS[which % 4], columns["quantity"])
        moment = np.where(hit & (which >= 4), _NO_TIMES[which % 4], columns["time"])
        return columns | {"quantity": quantity, "time": moment}
    raise ValueError(f"{trouble} is not a trouble of single lines")


def _text(values: Iterable[str]) -> Text:
    return np.array(list(values), dtype=object)
