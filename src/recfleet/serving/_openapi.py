"""The OpenAPI document, made from what is read of a call and what is promised of its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from recfleet.serving._asked import (
    Asked,
    AskedBasket,
    AskedCustomers,
    AskedList,
    AskedPair,
    AskedPopular,
    AskedProducts,
    AskedSimilar,
)
from recfleet.serving._events import SentEvents
from recfleet.serving._problems import MEDIA_TYPE
from recfleet.serving._promised import (
    BasketAnswer,
    Customers,
    CustomersList,
    KeptEvents,
    OwnKey,
    Place,
    Problem,
    Products,
    SimilarAnswer,
    StoredCustomers,
    StoredLines,
    StoredProducts,
    TenantInsights,
    TenantMode,
)
from recfleet.serving._sent import SentCustomers, SentLines, SentProducts
from recfleet.serving.tenant import MEDIA_TYPES, AskedCampaign, AskedInsights, AskedMode

_WHERE = "#/components/schemas/"


@dataclass(frozen=True)
class _Operation:
    path: str
    method: str
    name: str
    scope: str
    summary: str
    answer: type[BaseModel] | str
    """Its shape; or, of an answer in other formats than JSON, what they have."""
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
        "/insights", "get", "insights", "read",
        "What came of answers day by day: attributed, and incremental against the control.",
        TenantInsights, AskedInsights,
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
        "/interactions", "post", "interactions", "data",
        "Send purchase lines, up to 1,000 at once; the next night learns from them.", StoredLines,
        None, SentLines,
        {"interactions": [{"customer": "12583", "product": "22423", "quantity": 2, "amount": 25.5,
                           "time": "2026-11-27T14:03:00Z", "reference": "536370-3"}]},
        problems=(408, 413, 415, 422),
    ),
    _Operation(
        "/customers", "post", "sent_customers", "data",
        "Say what is known of customers, up to 1,000 at once; what is not named stays.",
        StoredCustomers, None, SentCustomers,
        {"customers": [{"customer": "12583", "name": "La Petite Boutique", "region": "FR",
                        "segment": "gift shops", "attributes": {"since": "2019"}}]},
        problems=(408, 413, 415, 422),
    ),
    _Operation(
        "/products", "post", "sent_products", "data",
        "Say what is known of products, up to 1,000 at once; what is not named stays.",
        StoredProducts, None, SentProducts,
        {"products": [{"product": "22423", "name": "REGENCY CAKESTAND 3 TIER", "price": 12.75,
                       "category": "kitchen", "regions": ["FR", "DE"],
                       "discontinued_at": None}]},
        problems=(408, 413, 415, 422),
    ),
    _Operation(
        "/campaigns", "post", "campaign", "read",
        "The lists of many customers at once, all of one release.",
        "A line of JSON for each customer, or a row of CSV or Parquet for each item; what is cut "
        "off is not whole.",
        None, AskedCampaign, {"segment": "gift shops", "format": "csv", "control": 0.1},
        problems=(408, 409, 413, 415, 422),
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
    409: "The tenant is not in a state for that.",
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
        kinds |= dict.fromkeys(kind for kind in (one.answer, one.body) if isinstance(kind, type))
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
            "recommendations out, purchases and events that come in, and the tenant's mode.",
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
        "200": {"description": one.answer, "content": {kind: {} for kind in MEDIA_TYPES.values()}}
        if isinstance(one.answer, str)
        else {
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
