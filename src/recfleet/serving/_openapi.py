"""The OpenAPI document, made from what is read of a call and what is promised of its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from recfleet.feedback import MOST_EVENTS, Event, Standing
from recfleet.keys import Scope
from recfleet.serving._asked import (
    Asked,
    AskedBasket,
    AskedCustomers,
    AskedList,
    AskedMode,
    AskedPair,
    AskedPopular,
    AskedProducts,
    AskedSimilar,
)
from recfleet.serving._problems import MEDIA_TYPE

_WHERE = "#/components/schemas/"


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Why(_Told):
    """Why a product is in a list."""

    code: Literal["bought", "trend", "because", "taste", "popular"] = Field(examples=["because"])
    """bought: they bought it before; trend: others began to buy it lately; because: the purchases
    named raise its score most; taste: the model's, without a name; popular."""
    sentence: str = Field(examples=["because they bought REGENCY CAKESTAND 3 TIER"])
    """Without a full stop."""
    because: list[str] = Field(examples=[["22423"]])
    """Products that the customer bought, the strongest first; only with the code because."""


class Item(_Told):
    """One place of a list."""

    rank: int = Field(examples=[1])
    """1 for the best."""
    product: str = Field(examples=["22423"])
    name: str | None = Field(examples=["REGENCY CAKESTAND 3 TIER"])
    category: str | None = Field(examples=["kitchen"])
    kind: Literal["new", "again"] | None = Field(examples=["new"])
    """Whether the customer never bought it; null: nobody knows, or no customer is meant."""
    score: float = Field(examples=[0.41])
    """Falling within a list; scores of different releases do not compare."""
    source: Literal["taste", "habit", "trend", "popular"] = Field(examples=["taste"])
    """What put the product there."""
    why: Why | None = None
    """Only where reasons are asked for; null: ``unexplained`` says why there is none."""


class _Recommended(_Told):
    id: str = Field(examples=["019ac2f0-5a3e-7c11-9b52-0d6f3f1c9a77"])
    """The answer's own id, a UUID of version 7."""
    channel: Literal["pull"]
    tenant: str = Field(examples=["germany"])
    release: int | None = Field(examples=[318])
    """The live release; null: there is none."""
    model_version: int | None = Field(examples=[7])
    as_of: str | None = Field(examples=["2026-11-27T00:00:00+00:00"])
    """The release knows no later purchase."""
    served_by: Literal["model", "personal", "popularity", "nothing"]
    """personal: lists of the customers' own, made without a model."""
    note: str | None = Field(examples=[None])
    """A sentence, when the answer is another than was asked for."""
    items: list[Item]


class CustomersList(_Recommended):
    """A customer's live list; the popular list for a customer whom it does not know."""

    customer: str | None = Field(examples=["12583"])
    """Null: the popular list was asked for."""
    customer_is_known: bool
    is_stale: bool
    """True: the database is away, and this is what was live a while ago (``Age`` has the
    seconds)."""
    unexplained: str | None = None
    """Only with ``explain``: a sentence, when reasons are missing or name no purchases."""


class Place(_Told):
    """One place of a customer's live list, and why the product is there."""

    tenant: str = Field(examples=["germany"])
    customer: str = Field(examples=["12583"])
    customer_is_known: bool
    release: int = Field(examples=[318])
    model_version: int | None = Field(examples=[7])
    as_of: str = Field(examples=["2026-11-27T00:00:00+00:00"])
    """The reasons know no later purchase."""
    served_by: Literal["model", "personal", "popularity"]
    note: str | None = Field(examples=[None])
    """A sentence, when the list is another than was asked for."""
    unexplained: str | None = Field(examples=[None])
    """A sentence, when the reason is missing or names no purchases."""
    is_stale: bool
    item: Item


class BasketAnswer(_Recommended):
    """What goes with products; computed for this request."""

    customer: str | None


class SimilarAnswer(_Recommended):
    """Products that the same customers buy; scores are cosines."""

    product: str


class Customer(_Told):
    """A customer of the live lists."""

    customer: str = Field(examples=["12583"])
    name: str | None = Field(examples=["La Petite Boutique"])
    """Null: no file or feed has named them."""


class Customers(_Told):
    """The customers that were found, by their ids."""

    customers: list[Customer]


class Product(_Told):
    """A product of the catalogue."""

    product: str = Field(examples=["22423"])
    name: str | None = Field(examples=["REGENCY CAKESTAND 3 TIER"])
    category: str | None = Field(examples=["kitchen"])
    is_offered: bool
    """False: it is discontinued, or excluded by the tenant's policy."""


class Products(_Told):
    """The products that were found."""

    products: list[Product]


class TenantMode(_Told):
    """A tenant's mode."""

    tenant: str = Field(examples=["germany"])
    mode: Literal["on", "frozen", "off"]
    former: Literal["on", "frozen", "off"]
    """The mode before this request."""
    note: str | None
    """What a tenant shows that was off."""


class SentEvents(Asked):
    """What came of answers; each event is stored, repeated or refused by itself."""

    events: Annotated[list[Event], Field(min_length=1, max_length=MOST_EVENTS)]


class KeptEvent(_Told):
    """What became of an event that was sent."""

    id: str | None = Field(examples=["till-3-000017"])
    """Null: the event names none."""
    status: Literal["stored", "repeated", "refused"]
    """repeated: an event of this id was stored before, and it stays as it is."""
    standing: Standing | None
    """in time; late: it happened over seven days ago; early: it has not happened yet; impossible:
    it names an answer that is younger than the event, or none of ours. All of them are stored."""
    detail: str | None = Field(examples=[None])
    """What to correct; only where it was refused."""


class KeptEvents(_Told):
    """One line for each event, in the order in which they were sent."""

    events: list[KeptEvent]


class OwnKey(_Told):
    """What a key opens."""

    tenant: str = Field(examples=["germany"])
    tenant_name: str = Field(examples=["Germany"])
    mode: Literal["on", "frozen", "off"]
    name: str = Field(examples=["till"])
    """What the key is for."""
    scopes: list[Scope]
    expires_at: str | None
    """Null: never."""


class Problem(_Told):
    """Problem details by RFC 9457."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["No such tenant"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["This key opens no tenant 'acne': use the id that came with it."])
    """What to do, in a sentence."""


@dataclass(frozen=True)
class _Operation:
    path: str
    method: str
    name: str
    scope: str
    summary: str
    answer: type[BaseModel]
    parameters: type[Asked] | None = None
    body: type[Asked] | None = None
    example: Mapping[str, Any] | None = None
    problems: tuple[int, ...] = ()
    may_be_unchanged: bool = False

    @property
    def address(self) -> str:
        """Its path from the service's root."""
        is_whole = self.path.startswith("/v1/")
        return self.path if is_whole else f"/v1/tenants/{{tenant}}{self.path}"


_OPERATIONS = (
    _Operation(
        "/customers/{customer}/recommendations", "get", "list", "read",
        "A customer's live list.", CustomersList, AskedList, may_be_unchanged=True,
    ),
    _Operation(
        "/customers/{customer}/why/{product}", "get", "why", "read",
        "Why a product is in a customer's live list.", Place,
    ),
    _Operation(
        "/customers", "get", "customers", "read",
        "Customers of the live lists, by the beginning of their ids or a part of their names.",
        Customers, AskedCustomers,
    ),
    _Operation(
        "/popular", "get", "popular", "read",
        "The popular list.", CustomersList, AskedPopular, may_be_unchanged=True,
    ),
    _Operation(
        "/recommendations", "post", "basket", "read",
        "Products in, recommendations out: new to the customer, by the live release's model.",
        BasketAnswer, None, AskedBasket, {"products": ["22423", "85123A"], "limit": 5},
        problems=(408, 413, 415, 422),
    ),
    _Operation(
        "/recommendations", "get", "pair", "read",
        "What goes with products that a new customer names; the night makes the lists of two.",
        BasketAnswer, AskedPair,
    ),
    _Operation(
        "/products", "get", "products", "read",
        "Products by a part of their id or name.", Products, AskedProducts,
    ),
    _Operation(
        "/products/{product}/similar", "get", "similar", "read",
        "Products that the same customers buy.", SimilarAnswer, AskedSimilar,
    ),
    _Operation(
        "/mode", "get", "mode", "control", "The tenant's mode.", TenantMode,
    ),
    _Operation(
        "/mode", "put", "switch", "control",
        "Switch the tenant; the audit keeps the key's name and the reason.", TenantMode, None,
        AskedMode, {"mode": "frozen", "reason": "stocktaking until Monday"},
        problems=(408, 409, 413, 415, 422),
    ),
    _Operation(
        "/events", "post", "events", "events",
        "Tell what came of answers, up to 1,000 events at once.", KeptEvents, None, SentEvents,
        {"events": [{"id": "till-3-000017", "kind": "accepted", "product": "22423",
                     "customer": "12583", "answer": "019ac2f0-5a3e-7c11-9b52-0d6f3f1c9a77"}]},
        problems=(408, 413, 415, 422),
    ),
    _Operation(
        "/v1/key", "get", "key", "any", "What this key opens.", OwnKey,
    ),
)  # fmt: skip

_NAMED = {
    "tenant": ("The tenant's id.", "germany"),
    "customer": ("The customer, as the tenant writes it; a slash is %2F.", "12583"),
    "product": ("The product, as the tenant writes it; a slash is %2F.", "22423"),
}
_MEANING = {
    304: "What the caller has kept still holds.",
    400: "The address or a parameter is wrong.",
    401: "There is no valid key.",
    403: "The key lacks the scope.",
    404: "The key opens no such tenant, or the list has no such product.",
    405: "The address has no such method.",
    408: "The body came too slowly.",
    409: "The tenant cannot be switched on so.",
    413: "The body is too long.",
    414: "The address is too long.",
    415: "The body is no JSON.",
    422: "A value of the body is wrong.",
    429: "Too many requests: Retry-After has the seconds to wait.",
    503: "The database is away: Retry-After has the seconds to wait.",
}
_ALWAYS = (400, 401, 403, 404, 405, 414, 429, 503)


@cache
def document() -> bytes:
    """The document as JSON."""
    kinds: dict[type[BaseModel], None] = {Problem: None}
    for one in _OPERATIONS:
        kinds |= dict.fromkeys(kind for kind in (one.answer, one.body) if kind is not None)
    _, schemas = models_json_schema(
        [(kind, "validation") for kind in kinds],
        ref_template=f"{_WHERE}{{model}}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in _OPERATIONS:
        paths.setdefault(one.address, {})[one.method] = _described(one)
    told = {
        "openapi": "3.1.0",
        "info": {
            "title": "recfleet",
            "version": version("recfleet"),
            "description": "What a tenant's applications ask by day: live lists, products in and "
            "recommendations out, and the tenant's mode.",
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key that `recfleet key create` has printed.",
                }
            },
        },
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _described(one: _Operation) -> dict[str, Any]:
    named = [part[1:-1] for part in one.address.split("/") if "{" in part]
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _NAMED[name][0],
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "example": _NAMED[name][1],
        }
        for name in named
    ]
    if one.parameters is not None:
        parameters += _query(one.parameters)
    answers: dict[str, Any] = {
        "200": {
            "description": (one.answer.__doc__ or "").partition("\n")[0],
            "content": {"application/json": {"schema": _ref(one.answer)}},
        }
    }
    if one.may_be_unchanged:
        answers["304"] = {"description": _MEANING[304]}
    for status in sorted({*_ALWAYS, *one.problems}):
        answers[str(status)] = {
            "description": _MEANING[status],
            "content": {MEDIA_TYPE: {"schema": _ref(Problem)}},
        }
    told: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": "Any key will do."
        if one.scope == "any"
        else f"The key needs the scope {one.scope}.",
        "parameters": parameters,
        "responses": answers,
    }
    if one.body is not None:
        told["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {"schema": _ref(one.body), "example": dict(one.example or {})}
            },
        }
    return told


def _query(kind: type[Asked]) -> list[dict[str, Any]]:
    schema = kind.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": field.pop("description", ""),
            "schema": field,
        }
        for name, field in schema["properties"].items()
    ]


def _ref(kind: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"{_WHERE}{kind.__name__}"}
