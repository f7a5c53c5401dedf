"""Which column of a file says what: about any line, and about an interaction."""

from __future__ import annotations

from abc import abstractmethod
from datetime import date
from typing import Annotated, ClassVar, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    field_validator,
    model_validator,
)

from recfleet.errors import BadInputError
from recfleet.files.missing import USUAL
from recfleet.tenants import check_tenant_id

Subject = Literal["purchases", "customers", "products"]
"""What the lines of a file are about."""


class LineMapping(BaseModel):
    """Whose the lines of a file are, and which columns it must have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: ClassVar[Subject]

    tenant_column: str | None = None
    """Column with the tenant's name, from which its id is made."""

    tenant_id: str | None = None
    """The one tenant that every line is of, in place of a column."""

    missing: tuple[str, ...] = USUAL
    """Words that mean *missing*, in lower case; an empty cell always does."""

    @field_validator("tenant_id")
    @classmethod
    def _is_slug(cls, tenant_id: str | None) -> str | None:
        return None if tenant_id is None else check_tenant_id(tenant_id)

    @field_validator("missing")
    @classmethod
    def _is_lower(cls, missing: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word.strip().lower() for word in missing)

    @model_validator(mode="after")
    def _is_somebodys(self) -> Self:
        if (self.tenant_column is None) == (self.tenant_id is None):
            raise BadInputError(
                f"Say whose {self.subject} these are: give a tenant column (--tenant-column) or "
                "one tenant for the whole file (--tenant), but not both."
            )
        return self

    @property
    @abstractmethod
    def columns(self) -> dict[str, str]:
        """What a column says -> the column's name in the file, for those that are given."""

    @property
    def numbers(self) -> frozenset[str]:
        """The file's columns that hold numbers."""
        return frozenset()


def check_decimal(decimal: str | None) -> str | None:
    """The decimal mark of numbers that are text; None: a point, if nothing speaks for a comma.

    Raises:
        BadInputError: it is another sign.
    """
    if decimal not in (None, ".", ","):
        raise BadInputError(f"The decimal mark (--decimal) is '.' or ',', not {decimal!r}.")
    return decimal


Decimal = Annotated[str | None, AfterValidator(check_decimal)]


class ColumnMapping(LineMapping):
    """How the lines of a file are read as interactions."""

    subject: ClassVar[Subject] = "purchases"

    customer_column: str
    """Column with the customer's id."""

    product_column: str
    """Column with the product's id."""

    time_column: str
    """Column with the time of the purchase; a time that names no zone is UTC."""

    time_format: str | None = None
    """How times are written, in ``strptime``'s letters; by default ISO 8601 and its like."""

    quantity_column: str | None = None
    """Column with the number of units, negative for a return; by default 1 on every line."""

    amount_column: str | None = None
    """Column with the worth of the whole line."""

    price_column: str | None = None
    """Column with the price of one unit, when there is no amount column.

    Without either, a line's amount is its quantity.
    """

    description_column: str | None = None
    """Column with the product's name."""

    category_column: str | None = None
    """Column with the product's category, by which a tenant can leave products out."""

    reference_column: str | None = None
    """Column with the invoice or order; lines that differ in it alone are different lines."""

    active_column: str | None = None
    """Column that says whether the product is still sold."""

    product_pattern: str | None = None
    """Regular expression that a product's id matches as a whole; what does not is no product."""

    decimal: Decimal = None
    """What stands between a number's whole part and its fraction, ``.`` or ``,``.

    By default a point; a file whose numbers may have a comma is then refused.
    """

    day_one: date | None = None
    """The date of day 1, for a time column that counts days."""

    clock_column: str | None = None
    """Column with the time of day beside such a count, as ``16:31`` or ``1631``."""

    keep: dict[str, tuple[str, ...]] = {}
    """Column -> values; other lines are left out, as the views of a log of events are.

    The value ``*`` keeps all lines: somebody has looked.
    """

    @field_validator("product_pattern")
    @classmethod
    def _is_pattern(cls, pattern: str | None) -> str | None:
        try:
            pc.match_substring_regex("", pattern or "")
        except pa.ArrowInvalid as error:
            raise BadInputError(
                f"{pattern!r} is no regular expression for product ids: {error}."
            ) from None
        return pattern

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.amount_column is not None and self.price_column is not None:
            raise BadInputError(
                "Give the column with the amount of the line (--amount-column) or the price of "
                "one unit (--price-column), but not both."
            )
        if self.day_one is not None and self.time_format is not None:
            raise BadInputError(
                "The time column counts days (--day-one) or has a form (--time-format), not both."
            )
        if self.clock_column is not None and self.day_one is None:
            raise BadInputError(
                "A column with the time of day (--clock-column) stands beside a count of days: "
                "give the date of day 1 (--day-one)."
            )
        return self

    @property
    def numbers(self) -> frozenset[str]:
        """The file's columns that hold numbers."""
        named = (self.quantity_column, self.amount_column, self.price_column)
        return frozenset(column for column in named if column is not None)

    @property
    def columns(self) -> dict[str, str]:
        """What a column says -> the column's name in the file, for those that are given."""
        named = {
            "tenant": self.tenant_column,
            "customer": self.customer_column,
            "product": self.product_column,
            "time": self.time_column,
            "clock": self.clock_column,
            "quantity": self.quantity_column,
            "amount": self.amount_column,
            "price": self.price_column,
            "description": self.description_column,
            "category": self.category_column,
            "reference": self.reference_column,
            "active": self.active_column,
        }
        kept = {f"keep {column}": column for column in self.keep}
        return {says: column for says, column in named.items() if column is not None} | kept


# Not validated here, because trying the pattern out makes pyarrow import pandas.
ONLINE_RETAIL = ColumnMapping.model_construct(
    tenant_column="Country",
    customer_column="CustomerID",
    product_column="StockCode",
    time_column="InvoiceDate",
    quantity_column="Quantity",
    price_column="UnitPrice",
    description_column="Description",
    reference_column="InvoiceNo",
    product_pattern=r"\d{5}.*",
)
"""The UCI Online Retail file: one tenant a country; postage, fees and samples are no products."""
