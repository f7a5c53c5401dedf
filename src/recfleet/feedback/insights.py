"""KPIs as people read them: days added up, by channel, kind, model version or arm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Literal

from recfleet.database import Connection, read_rows
from recfleet.feedback._incremental import Incremental, read_incremental

By = Literal["day", "channel", "kind", "model_version", "arm"]
BY: tuple[By, ...] = ("channel", "kind", "model_version", "arm")
USUAL_DAYS = 28
"""Days that are shown unless somebody asks for others."""

ATTRIBUTED = (
    "Attributed: bought after an answer had shown it, within the window. Much of this would have "
    "been bought anyhow."
)
INCREMENTAL = (
    "Incremental: what customers who are served spend in the window beyond those of the control, "
    "who are not. This is what recommending brings."
)


@dataclass(frozen=True)
class Kpis:
    """Sums over days."""

    lists: int = 0
    """Customers who were given a list, each day anew."""
    customers: int = 0
    """Customers who saw something of it, each day anew."""
    shown: int = 0
    """Products that were seen."""
    accepted: int = 0
    rejected: int = 0
    purchases: int = 0
    """Attributed purchases."""
    claimed: int = 0
    """Of these, by the id of an answer."""
    revenue: float = 0.0
    """Attributed revenue."""

    @property
    def accept_rate(self) -> float | None:
        """Share of the products seen that were accepted; None: none was seen."""
        return self.accepted / self.shown if self.shown else None


_SUMMED = tuple(field.name for field in fields(Kpis))


@dataclass(frozen=True)
class KpiDay:
    """What came of a day's answers of one channel, kind, model version and arm."""

    day: date
    channel: str
    kind: str
    """``all`` counts lists and customers; ``new``, ``again`` and ``unknown`` the products."""
    model_version: int | None
    arm: str | None
    lists: int
    customers: int
    shown: int
    accepted: int
    rejected: int
    purchases: int
    claimed: int
    revenue: float


@dataclass(frozen=True)
class Insights:
    """What came of a tenant's answers."""

    as_of: datetime | None
    """Of the last night that attributed; None: no night has."""
    window_days: float | None
    since: date
    until: date
    """The first day that is not among them."""
    days: Sequence[KpiDay]
    incremental: Sequence[Incremental]
    """By channel, of the last night that compared; empty: there is no control."""

    @property
    def total(self) -> Kpis:
        """All days together."""
        return add_up(self.days)

    def by(self, what: By) -> dict[Any, Kpis]:
        """The days added up by one of their sides; in the order of the names, unnamed ones last."""
        return by(self.days, what)


def add_up(days: Iterable[KpiDay]) -> Kpis:
    """The sums of days."""
    known = list(days)
    return Kpis(**{name: sum(getattr(one, name) for one in known) for name in _SUMMED})


def by(days: Iterable[KpiDay], what: By) -> dict[Any, Kpis]:
    """Days added up by one of their sides; in the order of the names, unnamed ones last."""
    groups: dict[Any, list[KpiDay]] = {}
    for one in days:
        groups.setdefault(getattr(one, what), []).append(one)
    names = sorted(name for name in groups if name is not None)
    return {name: add_up(groups[name]) for name in [*names, *([None] if None in groups else [])]}


def read_insights(
    connection: Connection, tenant_id: str, *, days: int = USUAL_DAYS, now: datetime
) -> Insights:
    """The last days up to the last night; the caller ends the transaction.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        days: how many.
        now: stands in for the last night, where none has attributed.
    """
    states = read_rows(
        connection,
        "select as_of, window_days from attributed where tenant_id = %s",
        (tenant_id,),
    )
    as_of: datetime | None = states[0]["as_of"] if states else None
    # A night as of midnight has seen nothing of the day that begins then.
    until = (as_of or now).date()
    if (as_of or now).time() != datetime.min.time():
        until += timedelta(days=1)
    since = until - timedelta(days=days)
    rows = read_rows(
        connection,
        "select day, channel, kind, model_version, arm, lists, customers, shown, accepted, "
        "rejected, purchases, claimed, revenue from kpi_day "
        "where tenant_id = %s and day >= %s and day < %s "
        "order by day, channel, kind, model_version, arm",
        (tenant_id, since, until),
    )
    return Insights(
        as_of,
        states[0]["window_days"] if states else None,
        since,
        until,
        [KpiDay(**row) for row in rows],
        read_incremental(connection, tenant_id),
    )


@dataclass(frozen=True)
class FleetReturns:
    """For how many tenants recommending pays."""

    told: int
    """Tenants of whose answers something is known."""
    compared: int
    """Of these, tenants with a control of enough customers."""
    gain: int
    """Of these, tenants for which recommending surely brings revenue, in a channel."""
    lose: int
    """Of these, tenants for which it surely costs revenue, in a channel."""


def read_fleet_returns(connection: Connection) -> FleetReturns:
    """As each tenant's last night saw it; the caller ends the transaction."""
    [row] = read_rows(
        connection,
        "select count(distinct attributed.tenant_id) as told, "
        "count(distinct incremental.tenant_id) filter (where low is not null) as compared, "
        "count(distinct incremental.tenant_id) filter (where low > 0) as gain, "
        "count(distinct incremental.tenant_id) filter (where high < 0) as lose "
        "from attributed left join incremental on incremental.tenant_id = attributed.tenant_id "
        "and incremental.day = (attributed.as_of at time zone 'UTC')::date",
    )
    return FleetReturns(**row)
