"""What recommending brings against the control: customers compared, whatever they bought."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from recfleet.database import Connection, read_rows
from recfleet.feedback._exposures import CONTROL, Channel
from recfleet.feedback._outcomes import Outcomes, read_outcomes
from recfleet.statistics import LEAST_CUSTOMERS, Estimate, Sample, compare_arms, confidence_sequence

NOTHING = "nothing"
"""The arm of an experiment whose customers are shown nothing: they are a control as well."""
_AS_EVERYBODY = (None, "champion")
"""Arms whose customers get what everybody gets: none, and the experiment's own control."""
_TUNED_TO = 2_000
"""Customers at which the bounds are nearly shortest; chosen once, never by the data."""
CHANNELS: tuple[Channel, ...] = ("pull", "push")


@dataclass(frozen=True)
class Incremental:
    """Revenue of customers who are served, against those of the control, in the same window."""

    channel: Channel
    day: date
    """Of the night's as-of."""
    served: int
    """Customers whose window has passed."""
    control: int
    served_mean: float | None
    """Revenue of a customer within the window."""
    control_mean: float | None
    difference: float | None
    """Of the means, with CUPED; None: a side has too few customers."""
    low: float | None
    """Lower bound; it holds at all nights together, in 95 of a hundred tenants."""
    high: float | None

    @property
    def total(self) -> float | None:
        """The difference, for all customers who were served."""
        return None if self.difference is None else self.difference * self.served

    @property
    def total_low(self) -> float | None:
        """Lower bound of the total."""
        return None if self.low is None else self.low * self.served

    @property
    def total_high(self) -> float | None:
        """Upper bound of the total."""
        return None if self.high is None else self.high * self.served


def compare_with_control(found: Outcomes, channel: Channel, day: date) -> Incremental | None:
    """Compare the customers who are served as everybody with those of the control.

    Customers of other arms of experiments are left out. None: there is no control.

    Args:
        found: exposures of the channel.
        channel: the same.
        day: of the night.
    """
    is_control = np.isin(found.arms.astype(str), (CONTROL, NOTHING)) & found.is_complete
    is_served = (
        np.array([arm in _AS_EVERYBODY for arm in found.arms], dtype=bool) & found.is_complete
    )
    if not any(arm in (CONTROL, NOTHING) for arm in found.arms):
        return None
    served, control = int(is_served.sum()), int(is_control.sum())
    value = low = high = None
    if min(served, control) >= LEAST_CUSTOMERS:
        estimate: Estimate = compare_arms(
            Sample(found.revenue[is_served], found.revenue_before[is_served]),
            Sample(found.revenue[is_control], found.revenue_before[is_control]),
        )
        bounds = confidence_sequence(estimate, planned=_TUNED_TO)
        if math.isfinite(bounds.low):
            value, low, high = estimate.value, bounds.low, bounds.high
    return Incremental(
        channel,
        day,
        served,
        control,
        float(found.revenue[is_served].mean()) if served else None,
        float(found.revenue[is_control].mean()) if control else None,
        value,
        low,
        high,
    )


def write_incremental(
    connection: Connection, tenant_id: str, *, since: datetime, as_of: datetime, window: timedelta
) -> None:
    """Compare with the control in each channel, and write it for the night; the caller commits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from incremental where tenant_id = %s and day >= %s", (tenant_id, as_of.date())
        )
        for channel in CHANNELS:
            begins = _first_control(connection, tenant_id, channel, since, as_of)
            if begins is None:
                continue
            # Whoever was served before there was a control is looked at from then on: else the
            # control would be of newcomers alone.
            found = read_outcomes(
                connection, tenant_id, since=begins, as_of=as_of, window=window, channel=channel
            )
            made = compare_with_control(found, channel, as_of.date())
            if made is not None:
                cursor.execute(
                    "insert into incremental (tenant_id, day, channel, served, control, "
                    "served_mean, control_mean, difference, low, high) "
                    "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                    (
                        tenant_id,
                        made.day,
                        channel,
                        made.served,
                        made.control,
                        made.served_mean,
                        made.control_mean,
                        made.difference,
                        made.low,
                        made.high,
                    ),
                )


def _first_control(
    connection: Connection, tenant_id: str, channel: Channel, since: datetime, as_of: datetime
) -> datetime | None:
    """The beginning of the day on which there was a control first; None: there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select date_trunc('day', min(answered_at)) from exposure where tenant_id = %s "
            "and channel = %s and arm in (%s, %s) and answered_at >= %s and answered_at < %s",
            (tenant_id, channel, CONTROL, NOTHING, since, as_of),
        )
        [[first]] = cursor.fetchall()
    begins: datetime | None = first
    return begins


def read_incremental(connection: Connection, tenant_id: str) -> list[Incremental]:
    """What the last night that compared knew, by channel; the caller ends the transaction."""
    rows = read_rows(
        connection,
        "select distinct on (channel) channel, day, served, control, served_mean, control_mean, "
        "difference, low, high from incremental where tenant_id = %s order by channel, day desc",
        (tenant_id,),
    )
    return [Incremental(**row) for row in rows]
