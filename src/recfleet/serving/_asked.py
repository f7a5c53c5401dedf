"""What a caller asks for, by the parameters of an address or a body."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from recfleet.ids import LONGEST_ID, check_storable
from recfleet.serving._http import Call
from recfleet.serving._problems import ProblemError
from recfleet.values import in_words

MOST_PRODUCTS = 1_000

Storable = AfterValidator(check_storable)
"""The database can hold the text."""
Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID), Storable]
"""A customer's or product's id, or a category, as the tenant writes it."""
Length = Annotated[int, Field(ge=1, le=100)]


class Asked(BaseModel):
    """Named values of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class AskedList(Asked):
    """How a customer's list is wanted."""

    limit: Length = 10
    """At most so many items."""
    kind: Literal["new", "again", "both"] = "both"
    """Only products that are new to the customer, or only those that they bought before."""
    category: Annotated[list[Id], Field(max_length=100)] = []
    """Only products of this category; repeat it for several."""
    exclude: Annotated[list[Id], Field(max_length=100)] = []
    """A product that is left out; repeat it for several."""
    channel: Literal["pull"] = "pull"
    """How the customer gets the list: asked for while they are there."""
    explain: bool = False
    """Say why each product is there."""


class AskedPopular(Asked):
    """How the popular list is wanted."""

    limit: Length = 10
    """At most so many items."""
    category: Annotated[list[Id], Field(max_length=100)] = []
    """Only products of this category; repeat it for several."""
    exclude: Annotated[list[Id], Field(max_length=100)] = []
    """A product that is left out; repeat it for several."""


class AskedSimilar(Asked):
    """How many similar products are wanted."""

    limit: Length = 10
    """At most so many items."""


class AskedProducts(Asked):
    """Which products are looked for."""

    query: Annotated[str, Field(min_length=1, max_length=100), Storable]
    """A part of the product's id or name; upper and lower case are alike."""
    limit: Length = 10
    """At most so many products."""


class AskedCustomers(Asked):
    """Which customers are looked for."""

    query: Annotated[str, Field(max_length=100), Storable] = ""
    """The beginning of the customer's id, or a part of the name; upper and lower case are alike."""
    limit: Length = 10
    """At most so many customers."""


class AskedBasket(Asked):
    """Products in, recommendations out."""

    products: Annotated[list[Id], Field(min_length=1, max_length=MOST_PRODUCTS)]
    """What the customer has, or what the page shows."""
    customer: Id | None = None
    """Whose purchases count as well."""
    exclude: Annotated[list[Id], Field(max_length=MOST_PRODUCTS)] = []
    """Products that are left out."""
    limit: Length = 10
    """At most so many items."""


class AskedPair(Asked):
    """What goes with products that a new customer names."""

    seed: Annotated[list[Id], Field(min_length=1, max_length=10)]
    """A product that the customer likes; name two, and the night has mostly prepared the list."""
    exclude: Annotated[list[Id], Field(max_length=100)] = []
    """A product that is left out; repeat it for several."""
    limit: Length = 10
    """At most so many items."""


_Asked = TypeVar("_Asked", bound=Asked)


def no_parameters(call: Call) -> None:
    """Refuse parameters where there are none.

    Raises:
        ProblemError: the address has one.
    """
    if call.has_query:
        raise ProblemError(400, "A parameter is wrong", "This address has no parameters.")


def read_parameters(call: Call, kind: type[_Asked]) -> _Asked:
    """The parameters of an address.

    Raises:
        ProblemError: one of them is unknown or cannot be used.
    """
    values: dict[str, Any] = {}
    for name, value in call.query():
        field = kind.model_fields.get(name)
        if field is not None and "list[" in str(field.annotation):
            values.setdefault(name, []).append(value)
        elif name in values:
            raise ProblemError(400, "A parameter is wrong", f"{name} stands there twice: send one.")
        else:
            values[name] = value
    return _validate(kind, values, 400, "A parameter is wrong", strict=False)


def read_body(content: Any, kind: type[_Asked]) -> _Asked:
    """The values of a body.

    Raises:
        ProblemError: one of them is unknown or cannot be used.
    """
    return _validate(kind, content, 422, "The body is wrong", strict=True)


def read_list(content: Any, name: str, most: int) -> list[Any]:
    """The list that is all of a body; each of its lines is read by itself later.

    Args:
        content: the body.
        name: of the list.
        most: lines that it may have.

    Raises:
        ProblemError: the body is something else, or the list is empty or too long.
    """
    told = content.get(name) if isinstance(content, dict) and len(content) == 1 else None
    if not isinstance(told, list) or not told:
        raise ProblemError(
            422, "The body is wrong", f'Send a list that is not empty: {{"{name}": [{{…}}, …]}}.'
        )
    if len(told) > most:
        raise ProblemError(422, f"Too many {name}", f"Send at most {most:,} {name} in a call.")
    return told


def check_id(text: str, what: str) -> str:
    """An id of the address, without the white space around it, as in purchases.

    Raises:
        ProblemError: there is none, or it is too long.
    """
    text = text.strip()
    if not 0 < len(text) <= LONGEST_ID:
        raise ProblemError(
            400, f"No {what}", f"The address names a {what} in 1 to {LONGEST_ID} characters."
        )
    return text


def _validate(kind: type[_Asked], values: Any, status: int, title: str, *, strict: bool) -> _Asked:
    try:
        return kind.model_validate(values, strict=strict)
    except ValidationError as error:
        raise ProblemError(status, title, f"Correct this: {in_words(error, kind)}.") from None
