"""Return on investment: what a tenant's nights cost, beside what they bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from recfleet.database import Connection, read_row
from recfleet.feedback import Incremental
from recfleet.settings import cost_settings


@dataclass(frozen=True)
class Cost:
    """What a tenant's nights took."""

    nights: int
    seconds: float
    """Measured, of one core, in all of them together."""
    price: float | None
    """Of these seconds; None: no price is set."""


def cost_of(connection: Connection, tenant_id: str, since: date, until: date) -> Cost:
    """What a tenant's nights about some days took; the caller ends the transaction.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        since: the first day.
        until: the first day that is not among them.
    """
    row = read_row(
        connection,
        "select count(distinct night_id) as nights, coalesce(sum(part.value::float), 0) as spent "
        "from counted_night left join lateral jsonb_each_text(timings) as part on true "
        # A night as of midnight is about the day that ends then.
        "where tenant_id = %s and as_of > %s and as_of <= %s",
        (tenant_id, since, until),
    )
    nights, seconds = (row["nights"], row["spent"] / 1_000) if row else (0, 0.0)
    hour = cost_settings().night_hour_price
    return Cost(nights, seconds, seconds / 3_600 * hour if hour else None)


def cost_in_words(cost: Cost, incremental: Sequence[Incremental]) -> str:
    """What was spent beside what it brings, in a sentence."""
    nights = "1 night" if cost.nights == 1 else f"{cost.nights:,} nights"
    told = f"{nights} took {cost.seconds:,.1f} seconds of one core"
    if cost.price is None:
        return f"{told}; RECFLEET_NIGHT_HOUR_PRICE says what an hour costs."
    told = f"{told}, which cost {cost.price:,.4f}"
    totals = [one.total for one in incremental if one.total is not None]
    if not totals:
        return f"{told}."
    return f"{told}; customers compared so far spent {sum(totals):+,.2f} by it."
