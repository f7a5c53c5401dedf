"""UCI Online Retail as tenants' logs, for tests and studies that need real purchases."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recfleet.models.log import InteractionLog

VARIABLE = "RECFLEET_ONLINE_RETAIL"
STORY = [
    pytest.mark.airflow,
    pytest.mark.mlflow,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.skipif(
        "RECFLEET_OPERATIONS" not in os.environ,
        reason="takes minutes and the UCI Online Retail file: make operations RETAIL=PATH",
    ),
]
"""Marks of a test that tells a story over these purchases, through a whole stack."""
_CHECKOUT = Path(__file__).resolve().parents[1]


def online_retail_path() -> Path:
    """The file's place: from the variable, or the shared data beside the checkout."""
    beside = _CHECKOUT.parent / "shared/data/online-retail/online_retail.csv.gz"
    return Path(os.environ.get(VARIABLE, beside))


def three_countries() -> pd.DataFrame:
    """The file's raw lines for countries that can be trained: Germany, France, half of the United
    Kingdom's customers."""
    raw = pd.read_csv(online_retail_path(), dtype=str)
    british = raw["Country"] == "United Kingdom"
    half = british & (raw["CustomerID"].fillna("").str[-3].isin(list("02468")))
    return raw[half | raw["Country"].isin(["Germany", "France"])]


@dataclass(frozen=True)
class OnlineRetail:
    """The file's usable lines: a customer, a product's code, and not a free gift."""

    lines: pd.DataFrame

    @classmethod
    def read(cls, path: Path) -> OnlineRetail:
        """Read the file in its original columns."""
        columns = ["StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
        raw = pd.read_csv(path, dtype=str, usecols=columns)
        # Codes with only letters are postage, fees and corrections.
        raw = raw[raw["CustomerID"].notna() & raw["StockCode"].str.match(r"\d{5}")]
        quantity = raw["Quantity"].astype(float)
        lines = pd.DataFrame(
            {
                "country": raw["Country"],
                "customer": raw["CustomerID"],
                "product": raw["StockCode"],
                "time": pd.to_datetime(raw["InvoiceDate"]).dt.tz_localize("UTC"),
                "quantity": quantity,
                "amount": quantity * raw["UnitPrice"].astype(float),
            }
        )
        return cls(lines[lines["amount"] != 0].sort_values("time", kind="stable"))

    def log(self, country: str, as_of: datetime, *, returns: bool) -> InteractionLog:
        """One country as a tenant.

        Args:
            country: as the file writes it.
            as_of: nothing later is in the log.
            returns: whether it has returns and cancellations, to be subtracted.
        """
        lines = self.lines
        keep = (lines["country"] == country) & (lines["time"] <= pd.Timestamp(as_of))
        if not returns:
            keep &= lines["quantity"] > 0
        lines = lines[keep]
        customers, customer = np.unique(lines["customer"].to_numpy(str), return_inverse=True)
        products, product = np.unique(lines["product"].to_numpy(str), return_inverse=True)
        return InteractionLog(
            tenant_id=country.lower().replace(" ", "-"),
            as_of=as_of,
            customer_ids=customers.astype(object),
            product_ids=products.astype(object),
            customer=customer.astype(np.int32),
            product=product.astype(np.int32),
            occurred_at=lines["time"].to_numpy("datetime64[us]").astype(np.int64),
            quantity=lines["quantity"].to_numpy(float),
            amount=lines["amount"].to_numpy(float),
        )
