"""Small hand-made shops, written straight into the tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recfleet.database import Connection, copy_rows

AS_OF = datetime(2025, 6, 2, tzinfo=UTC)
SUITES = Path(__file__).parents[2] / "expectations"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LINES_A_DAY = 5


@dataclass
class Usable:
    at: datetime
    customer_id: str = "anna"
    product_id: str = "tea"
    quantity: float = 1
    amount: float = 2.5
    repetition: int = 1


@dataclass
class Unusable:
    placed_at: datetime | None
    reason: str
    line: dict[str, Any] = field(default_factory=dict)


@dataclass
class Shop:
    """A tenant's lines before they are written."""

    tenant_id: str
    usable: list[Usable] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)

    @classmethod
    def steady(cls, tenant_id: str = "tea-shop", *, weeks: int = 9) -> Shop:
        """35 visits and lines a week, 5 on each day, by 5 customers, of 7 products."""
        return cls(
            tenant_id,
            [
                Usable(
                    at=AS_OF - age * DAY - (place + 1) * HOUR,
                    customer_id=f"customer-{place}",
                    product_id=f"product-{(age + place) % 7}",
                )
                for age in range(7 * weeks)
                for place in range(LINES_A_DAY)
            ],
        )

    def last_week(self) -> list[Usable]:
        """The steady shop's 35 lines of the last 7 days, the latest first."""
        return self.usable[: 7 * LINES_A_DAY]

    def add_unusable(self, number: int, reason: str, *, week: int = 0) -> Shop:
        """Add lines of that reason to the middle of a week, 0 for the last, a minute apart."""
        middle = AS_OF - (7 * week + 3) * DAY
        self.unusable += [
            Unusable(middle + timedelta(minutes=place), reason, {"row": f"{week}/{place}"})
            for place in range(number)
        ]
        return self

    def write(self, connection: Connection) -> Shop:
        """Write the lines to the tables; the caller commits."""
        copy_rows(
            connection,
            "interaction",
            (
                "tenant_id", "occurred_at", "line_hash", "customer_id", "product_id", "quantity",
                "amount", "repetition",
            ),
            (
                (
                    self.tenant_id, line.at, number, line.customer_id, line.product_id,
                    line.quantity, line.amount, line.repetition,
                )
                for number, line in enumerate(self.usable)
            ),
        )  # fmt: skip
        copy_rows(
            connection,
            "unusable_line",
            ("tenant_id", "placed_at", "line_hash", "reason", "line"),
            (
                (self.tenant_id, line.placed_at, number, line.reason, json.dumps(line.line))
                for number, line in enumerate(self.unusable)
            ),
        )
        return self
