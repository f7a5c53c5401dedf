"""Which column of a file says what about a customer, or about a product."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from recfleet.errors import BadInputError
from recfleet.files.mapping import ColumnMapping
from recfleet.files.missing import USUAL
from recfleet.tenants import check_tenant_id

Subject = Literal["customers", "products"]


class FactMapping(BaseModel):
    """How the lines of a file are read as facts; a later line about the same one counts."""

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
        if (self.tenant_id is None) == (self.tenant_column is None):
            raise BadInputError(
                f"Say whose {self.subject} these are: --tenant or --tenant-column, and not both."
            )
        return self

    @property
    @abstractmethod
    def id_column(self) -> str:
        """Column with the id."""

    @property
    @abstractmethod
    def facts(self) -> dict[str, str]:
        """Fact -> its column in the file, for those that are given."""

    @property
    def wanted(self) -> ColumnMapping:
        """The columns that a file must have, as the readers of files ask for them."""
        columns = [self.id_column, *self.facts.values(), *self.also]
        if self.tenant_column is not None:
            columns.append(self.tenant_column)
        return ColumnMapping.model_construct(
            tenant_id="any",
            customer_column=None,
            product_column=None,
            time_column=None,
            price_column=self.facts.get("price"),
            keep=dict.fromkeys(columns, ("*",)),
        )

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

    decimal: str | None = None
    """Decimal mark of prices that are text, ``.`` or ``,``; by default a point."""

    @field_validator("decimal")
    @classmethod
    def _is_sign(cls, decimal: str | None) -> str | None:
        if decimal not in (None, ".", ","):
            raise BadInputError(f"The decimal mark (--decimal) is '.' or ',', not {decimal!r}.")
        return decimal

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
