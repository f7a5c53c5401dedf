"""Known kinds of files: which of their columns says what, and their form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from recfleet.files.mapping import ONLINE_RETAIL


@dataclass(frozen=True)
class Preset:
    """What is known about a kind of file."""

    about: str
    """What it is, in words."""
    mapping: dict[str, Any]
    """Fields of a ColumnMapping."""
    form: dict[str, Any] = field(default_factory=dict)
    """Fields of a Reading."""
    also: str = ""
    """Options that must be given besides, with a reason."""


def _columns(customer: str, product: str, time: str, **others: object) -> dict[str, Any]:
    return {"customer_column": customer, "product_column": product, "time_column": time, **others}


_NUMBERED = _columns("1", "2", "4")

PRESETS = {
    "online-retail": Preset(
        "UCI Online Retail: one tenant a country", ONLINE_RETAIL.model_dump(exclude_none=True)
    ),
    "online-retail-2": Preset(
        "UCI Online Retail II, one sheet: one tenant a country",
        ONLINE_RETAIL.model_dump(exclude_none=True)
        | {
            "customer_column": "Customer ID",
            "reference_column": "Invoice",
            "price_column": "Price",
        },
    ),
    "movielens": Preset(
        "ratings.csv of MovieLens from 20M on: a rating counts as a purchase",
        _columns("userId", "movieId", "timestamp"),
        also="--tenant",
    ),
    "movielens-1m": Preset(
        "ratings.dat of MovieLens 1M and 10M",
        _NUMBERED,
        {"delimiter": "::", "has_header": False},
        also="--tenant",
    ),
    "movielens-100k": Preset(
        "u.data of MovieLens 100K",
        _NUMBERED,
        {"delimiter": "\t", "has_header": False},
        also="--tenant",
    ),
    "instacart": Preset(
        "order_products joined with orders by order_id, and a column day: 1 plus the sum of a "
        "user's days_since_prior_order so far",
        _columns(
            "user_id", "product_id", "day", reference_column="order_id",
            clock_column="order_hour_of_day",
        ),
        also="--tenant and --day-one",
    ),
    "complete-journey": Preset(
        "transaction_data.csv of The Complete Journey: one tenant a store",
        _columns(
            "household_key", "PRODUCT_ID", "DAY", tenant_column="STORE_ID",
            clock_column="TRANS_TIME", quantity_column="QUANTITY", amount_column="SALES_VALUE",
            reference_column="BASKET_ID",
        ),
        also="--day-one",
    ),
    "h-and-m": Preset(
        "transactions_train.csv of H&M",
        _columns("customer_id", "article_id", "t_dat", price_column="price"),
        also="--tenant",
    ),
    "retailrocket": Preset(
        "events.csv of RetailRocket: its transactions",
        _columns(
            "visitorid", "itemid", "timestamp", reference_column="transactionid",
            keep={"event": ("transaction",)},
        ),
        also="--tenant",
    ),
    "olist": Preset(
        "order_items joined with orders by order_id and customers by customer_id: one tenant a "
        "seller",
        _columns(
            "customer_unique_id", "product_id", "order_purchase_timestamp",
            tenant_column="seller_id", price_column="price", reference_column="order_id",
        ),
    ),
}  # fmt: skip
"""Name -> preset, of files that many people have."""
