"""Which column of a file says what about a customer, or about a product."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from recfleet.files import Decimal, LineMapping, Subject


class FactMapping(LineMapping):
    """How the lines of a file are read as facts; a later line about the same one counts."""

    @property
    def columns(self) -> dict[str, str]:
        """What a column says -> the column's name in the file."""
        named = {"id": self.id_column, **self.facts}
        if self.tenant_column is not None:
            named["tenant"] = self.tenant_column
        return named | {f"keep {column}": column for column in self.also}

    @property
    @abstractmethod
    def id_column(self) -> str:
        """Column with the id."""

    @property
    @abstractmethod
    def facts(self) -> dict[str, str]:
        """Fact -> its column in the file, for those that are given."""

    @property
    def also(self) -> tuple[str, ...]:
        """Further columns that are kept under their own names."""
        return ()


class CustomerMapping(FactMapping):
    """How lines are read as customers."""

    subject: ClassVar[Subject] = "customers"

    customer_column: str
    """Column with the customer's id."""

    name_column: str | None = None
    """Column with the customer's name."""

    region_column: str | None = None
    """Column with the customer's region: products may be sold in some regions only."""

    segment_column: str | None = None
    """Column with the customer's segment; whoever is new gets its popular products."""

    attribute_columns: tuple[str, ...] = ()
    """Columns that are kept under their own names."""

    @property
    def id_column(self) -> str:
        """Column with the customer's id."""
        return self.customer_column

    @property
    def facts(self) -> dict[str, str]:
        """Fact -> its column."""
        named = {
            "name": self.name_column,
            "region": self.region_column,
            "segment": self.segment_column,
        }
        return {fact: column for fact, column in named.items() if column is not None}

    @property
    def also(self) -> tuple[str, ...]:
        """The columns of attributes."""
        return self.attribute_columns


class ProductMapping(FactMapping):
    """How lines are read as products."""

    subject: ClassVar[Subject] = "products"

    product_column: str
    """Column with the product's id."""

    description_column: str | None = None
    """Column with the product's name."""

    category_column: str | None = None
    """Column with the product's category."""

    price_column: str | None = None
    """Column with the price of one unit."""

    regions_column: str | None = None
    """Column with the regions in which it may be sold, with | ; or , between; empty: everywhere."""

    introduced_column: str | None = None
    """Column with the time from which it is sold."""

    discontinued_column: str | None = None
    """Column with the time from which it is no longer sold."""

    time_format: str | None = None
    """How times are written, in ``strptime``'s letters; by default ISO 8601 and its like."""

    decimal: Decimal = None
    """Decimal mark of prices that are text, ``.`` or ``,``; by default a point."""

    @property
    def numbers(self) -> frozenset[str]:
        """The column with prices."""
        return frozenset(filter(None, [self.price_column]))

    @property
    def id_column(self) -> str:
        """Column with the product's id."""
        return self.product_column

    @property
    def facts(self) -> dict[str, str]:
        """Fact -> its column."""
        named = {
            "name": self.description_column,
            "category": self.category_column,
            "price": self.price_column,
            "regions": self.regions_column,
            "introduced_at": self.introduced_column,
            "discontinued_at": self.discontinued_column,
        }
        return {fact: column for fact, column in named.items() if column is not None}
