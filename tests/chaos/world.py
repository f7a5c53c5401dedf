"""The nights' tenants: a few at a time; their customers' tastes change every night."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from recfleet.database import connect
from tests.nights import START, WEEK, shop

TENANTS = 6
"""Tenants of a night."""
_NIGHTS = 4
"""Nights of the same tenants; then others come, so that no night becomes expensive."""
_FIRST, _NEXT = 12, 8
"""Weeks of purchases before a tenant's first night, and between its nights."""


@dataclass(frozen=True)
class Occasion:
    """One night to run."""

    number: int
    as_of: datetime
    tenants: tuple[str, ...]


def occasions() -> Iterator[Occasion]:
    """Night after night, each with its tenants' purchases before it.

    In every night all tenants have new data. After the first night, weeks of purchases are of
    ranges of products that the champion does not know.
    """
    number = 0
    while True:
        group, phase = divmod(number, _NIGHTS)
        tenants = tuple(f"shop-{group}-{each}" for each in range(TENANTS))
        until = _FIRST + _NEXT * phase
        weeks = range(until - _NEXT, until) if phase else range(_FIRST)
        with closing(connect()) as connection:
            for place, tenant_id in enumerate(tenants):
                shop(
                    connection,
                    tenant_id,
                    customers=60,
                    products=80,
                    weeks=weeks,
                    seed=100 * group + place,
                    shuffled=bool(phase % 2),
                )
        yield Occasion(number, START + until * WEEK, tenants)
        number += 1
