"""The profile: one row per tenant that describes its latest lines, as of a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from recfleet.database import Connection
from recfleet.interactions import count_lately
from recfleet.quality._counts import Counts, Floats, read_counts

if TYPE_CHECKING:
    import pandas as pd

Unit = Literal["count", "share", "days", "times"]

WINDOW_WEEKS = 4
"""How far back the profile looks; the usual week needs more."""

BASELINE_WEEKS = 8
"""Weeks before the last one that show what is usual."""

WEEKS = 1 + BASELINE_WEEKS
"""Weeks of lines that a profile is made from."""

LEAST_LINES = 20
"""Fewest lines for a share."""

LEAST_VISITS = 25
"""Fewest visits in a usual week; with fewer, chance alone can make a quiet week."""

LEAST_ORDERS = 5
"""Fewest orders without a customer for a trend, so that one large order makes none."""

LEAST_CUSTOMERLESS = 0.05
"""A share of lines without a customer that is never unusual."""

LEAST_WEEKS = 3
"""Fewest weeks of LEAST_WEEK_LINES lines to compare customerless lines with."""

LEAST_WEEK_LINES = 10
"""Fewest lines of a week that serves for comparison."""


@dataclass(frozen=True)
class Column:
    """A column of the profile."""

    unit: Unit
    meaning: str
    has_past: bool = True
    """Whether it can be told for earlier times as well."""


COLUMNS: Mapping[str, Column] = {
    "lines": Column("count", "lines of the last 28 days, usable or not"),
    "customers": Column(
        "count", "customers with a usable line in the last 28 days", has_past=False
    ),
    "products": Column("count", "products with a usable line in the last 28 days", has_past=False),
    "share_without_customer": Column("share", "of the lines of the last 28 days"),
    "latest_without_customer": Column("share", "of the latest lines"),
    "customerless_against_usual": Column(
        "times",
        "share of the last 7 days' lines that have no customer, by the highest such share of any "
        "week more than 28 days ago (or 5% if that is higher)",
    ),
    "share_without_product": Column("share", "of the latest lines"),
    "share_unreadable": Column("share", "of the latest lines: a time or number cannot be read"),
    "share_in_the_future": Column("share", "of the latest lines: time is in the future"),
    "share_not_a_product": Column("share", "of the latest lines: postage, fees and the like"),
    "share_without_price": Column("share", "of the latest lines that sell: amount is 0 or less"),
    "share_repeated": Column("share", "of the latest usable lines: equal to another"),
    "share_returned": Column("share", "of the latest usable lines: quantity is negative"),
    "repeated_days": Column("count", "of the last 7 days, those whose lines come twice"),
    "week_against_usual": Column("times", "visits of the last 7 days, by those of the usual week"),
    "days_since_last_line": Column(
        "days", "age of the last usable line, however old", has_past=False
    ),
}
"""What the suite ``tenants.json`` can speak about.

The latest lines are those of the last 7 days or, where they are fewer than 20, of the last 28. A
visit is what one customer bought on one day, or one order without a customer; the usual week has
the median of the visits of the 8 weeks before the last.

A column is null, and passes, where there is too little to say anything: a share of fewer than 20
lines; ``week_against_usual`` where the usual week has fewer than 25 visits or more than two of the
eight have none; ``customerless_against_usual`` with fewer than 5 orders without a customer in the
last 7 days, or fewer than 3 weeks of 10 lines to compare with; ``latest_without_customer`` with
fewer than 5 such orders. ``days_since_last_line`` is null
where there never was a usable line."""


def read_profile(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime
) -> pd.DataFrame:
    """Profile tenants from their lines up to and including as-of, and nothing later.

    Args:
        connection: an open connection.
        tenant_ids: each once.
        as_of: with a time zone.

    Returns:
        A frame with the columns of COLUMNS, float64, a row for each tenant in the order given.
    """
    import pandas as pd

    counts = read_counts(connection, tenant_ids, as_of, weeks=WEEKS)
    profile = {**_tenant_values(connection, tenant_ids, as_of), **weekly_values(counts)}
    told_by_many = _count_of_latest(counts.orders, counts.lines) >= LEAST_ORDERS
    profile["latest_without_customer"][~told_by_many] = np.nan
    return pd.DataFrame({column: profile[column] for column in COLUMNS}, dtype=np.float64)


def weekly_values(counts: Counts) -> dict[str, Floats]:
    """The columns that counts of weeks are enough for, at the end of the counts' first week.

    Args:
        counts: of at least WEEKS weeks; earlier ones change nothing.

    Returns:
        Column -> (tenants,) values, null where there is too little to say anything, except that
        ``latest_without_customer`` may be of few orders.
    """
    usable, unusable, lines = counts.usable, counts.unusable, counts.lines
    customerless = unusable["share_without_customer"]
    return {
        "lines": _last_four_weeks(lines),
        **{share: _share_of_latest(count, lines) for share, count in unusable.items()},
        "share_without_customer": _share(_last_four_weeks(customerless), _last_four_weeks(lines)),
        "latest_without_customer": _share_of_latest(customerless, lines),
        "customerless_against_usual": _customerless_against_usual(
            customerless, lines, counts.orders
        ),
        "share_without_price": _share_of_latest(usable["without_price"], usable["sold"]),
        "share_repeated": _share_of_latest(usable["repeated"], usable["usable"]),
        "share_returned": _share_of_latest(usable["returned"], usable["usable"]),
        "repeated_days": usable["repeated_days"][:, 0],
        "week_against_usual": _week_against_usual(usable["visits"] + counts.orders),
    }


def _tenant_values(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime
) -> dict[str, Floats]:
    """Column -> (tenants,) values."""
    table = count_lately(connection, tenant_ids, as_of, weeks=WINDOW_WEEKS)
    names = [name for name in table.column_names if name != "tenant"]
    values = {name: np.full(len(tenant_ids), np.nan) for name in names}
    for name, value in values.items():
        value[table["tenant"].to_numpy()] = table[name].to_numpy()
    return values


def _last_four_weeks(counts: Floats) -> Floats:
    total: Floats = counts[:, :WINDOW_WEEKS].sum(axis=1)
    return total


def _share_of_latest(part: Floats, whole: Floats) -> Floats:
    """(tenants,) share of the last week or, if it has too few lines, of the last four weeks."""
    week = _share(part[:, 0], whole[:, 0])
    return np.where(np.isnan(week), _share(_last_four_weeks(part), _last_four_weeks(whole)), week)


def _count_of_latest(part: Floats, whole: Floats) -> Floats:
    """(tenants,) counts among the latest lines, as above."""
    return np.where(whole[:, 0] >= LEAST_LINES, part[:, 0], _last_four_weeks(part))


def _share(part: Floats, whole: Floats) -> Floats:
    return _divide(part, whole, where=whole >= LEAST_LINES)


def _divide(part: Floats, whole: Floats, *, where: NDArray[np.bool_]) -> Floats:
    result: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=where)
    return result


def _week_against_usual(visits: Floats) -> Floats:
    """(tenants,) the last week's visits divided by the usual week's.

    It counts visits rather than lines, because one order of a hundred lines may or may not come,
    but out of a hundred orders most always come.
    """
    before = visits[:, 1:WEEKS]
    usual = np.median(before, axis=1)
    filled = np.count_nonzero(before, axis=1) >= BASELINE_WEEKS - 2
    return _divide(visits[:, 0], usual, where=(usual >= LEAST_VISITS) & filled)


def _customerless_against_usual(customerless: Floats, lines: Floats, orders: Floats) -> Floats:
    """(tenants,) the last week's share without a customer, by the highest of over 28 days ago.

    A tenant may always have sold about a quarter of its lines to unknown customers. What matters is
    a share that it never had before, and a month of it is no habit yet. Counting orders keeps one
    large anonymous order from looking like a trend.
    """
    share = _divide(customerless, lines, where=lines >= LEAST_WEEK_LINES)
    before = share[:, WINDOW_WEEKS:WEEKS]
    highest = np.where(np.isnan(before), 0, before).max(axis=1)
    comparable = np.count_nonzero(~np.isnan(before), axis=1) >= LEAST_WEEKS
    trend = (orders[:, 0] >= LEAST_ORDERS) & ~np.isnan(share[:, 0])
    return _divide(share[:, 0], np.maximum(highest, LEAST_CUSTOMERLESS), where=comparable & trend)
