"""The tenants whose nights are fitted in a chain: real shops, and synthetic ones of six sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from benchmarks.judging.tenants import Tenant
from benchmarks.judging.trials import FIRST, drifting, steady
from benchmarks.served.shops import log_of, read_journey
from recfleet.models import InteractionLog
from tests.online_retail import OnlineRetail, online_retail_path

NIGHTS = 60
SIZES = {1600: 30, 3000: 16, 6000: 8, 14_000: 4, 28_000: 2, 70_000: 1}
"""Interactions in 26 weeks -> how many synthetic tenants."""
CHANGING = 24
"""How many tenants of changing tastes."""
_RETAIL_END = datetime(2011, 12, 9, tzinfo=UTC)
_JOURNEY_END = datetime(2017, 12, 30, tzinfo=UTC)
_SMALL_COUNTRIES = ("Germany", "France", "EIRE", "Spain", "Belgium", "Switzerland", "Portugal")
_LEAST_CUSTOMERS = 60
_EVERY_STORE = 2
_EVERY_HOUSEHOLD = 4


@dataclass(frozen=True, eq=False)
class Shop:
    """A tenant's purchases, and the as-of of its last night."""

    log: InteractionLog
    end: datetime

    def nights(self) -> list[datetime]:
        """As-of times of the first night, which is cold, and of the sixty after it."""
        return [self.end - timedelta(days=day) for day in range(NIGHTS, -1, -1)]


def _country(*countries: str) -> Iterator[Shop]:
    lines = OnlineRetail.read(online_retail_path()).lines
    for country in countries:
        of_country = lines[lines["country"] == country]
        yield Shop(log_of(country, of_country, _RETAIL_END), _RETAIL_END)


def _stores() -> Iterator[Shop]:
    journey = read_journey()
    customers = journey.groupby("store")["customer"].nunique()
    for store in customers[customers >= _LEAST_CUSTOMERS].index[::_EVERY_STORE]:
        lines = journey[journey["store"] == store]
        yield Shop(log_of(store, lines, _JOURNEY_END), _JOURNEY_END)


def _region() -> Iterator[Shop]:
    journey = read_journey()
    lines = journey[journey["customer"].astype(int) % _EVERY_HOUSEHOLD == 0]
    yield Shop(log_of("region", lines, _JOURNEY_END), _JOURNEY_END)


def synthetic(size: int, *, changing: bool = False) -> Iterator[Shop]:
    """Synthetic tenants of a size; or such whose tastes change shortly before the first night."""
    world = drifting(size, seed=312) if changing else steady(size, seed=311)
    for number in range(CHANGING if changing else SIZES[size]):
        tenant = Tenant.draw(world, number, FIRST + NIGHTS)
        yield Shop(tenant.log, tenant.moment(FIRST + NIGHTS))


GROUPS: dict[str, Callable[[], Iterator[Shop]]] = {
    "retail-uk": lambda: _country("United Kingdom"),
    "retail-small": lambda: _country(*_SMALL_COUNTRIES),
    "journey-stores": _stores,
    "journey-region": _region,
    **{f"synthetic-{size}": partial(synthetic, size) for size in SIZES},
    "changing-6000": partial(synthetic, 6000, changing=True),
}
