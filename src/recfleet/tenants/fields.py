"""The policy's fields for people: their names (``recipe.factors``), meanings and bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from recfleet.tenants.policy import Policy


@dataclass(frozen=True)
class PolicyField:
    """One field of the policy."""

    key: str
    """Name, with dots for nested fields, such as ``recipe.factors``."""
    meaning: str
    """The meaning, in one or two sentences."""
    bounds: str
    """The allowed values, in words."""
    default: object
    """The value if neither the fleet nor the tenant sets one, ready for JSON."""
    is_list: bool


@cache
def policy_fields() -> Mapping[str, PolicyField]:
    """Key -> field, for all fields with a value, in the policy's order."""
    defaults = flatten(Policy().model_dump(mode="json"))
    return {
        key: PolicyField(
            key=key,
            meaning=" ".join((info.description or "").split()),
            bounds=_bounds(info),
            default=defaults[key],
            is_list=_is_list(info),
        )
        for key, info in _fields(Policy, "")
    }


def flatten(policy: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A policy as key -> value, with dots in the keys of nested fields."""
    flat: dict[str, Any] = {}
    for name, value in policy.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def merge(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults with other values on top, at every depth; a list replaces a list as a whole."""
    merged = dict(defaults)
    for name, value in own.items():
        former = merged.get(name)
        if isinstance(former, Mapping) and isinstance(value, Mapping):
            value = merge(former, value)  # noqa: PLW2901
        merged[name] = value
    return merged


def problems(error: ValidationError) -> list[str]:
    """Everything wrong with a policy, one sentence per field, with its meaning and bounds."""
    found: dict[str, str] = {}
    for detail in error.errors():
        key = ".".join(str(part) for part in detail["loc"] if isinstance(part, str))
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            found[key] = f"{key}: there is no such field"
        elif key in policy_fields():
            field = policy_fields()[key]
            what = "" if field.is_list else f" {_shown(detail['input'])}:"
            found.setdefault(
                key, f"{key}:{what} {message[:1].lower()}{message[1:]}. {_help(field)}"
            )
        else:
            found[key] = f"{key}: {message[:1].lower()}{message[1:]}"
    return list(found.values())


def _help(field: PolicyField) -> str:
    return f"It is {field.bounds}: {field.meaning.rstrip('.')}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _fields(info.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", info


def _is_list(info: FieldInfo) -> bool:
    return get_origin(info.annotation) is tuple


def _bounds(info: FieldInfo) -> str:
    if _is_list(info):
        return "a list of texts"
    if get_origin(info.annotation) is Literal:
        return f"one of {', '.join(map(str, get_args(info.annotation)))}"
    if info.annotation is bool:
        return "true or false"
    kind = "a whole number" if info.annotation is int else "a number"
    said = [words for limit in info.metadata if (words := _limit(limit))]
    limits = " and ".join(said).replace("and up to", "up to")
    if " and below " in limits:
        limits = limits.replace("from ", "of at least ", 1)
    return f"{kind} {limits}".strip()


def _limit(limit: object) -> str | None:
    if isinstance(limit, annotated_types.Ge):
        return f"from {limit.ge}"
    if isinstance(limit, annotated_types.Gt):
        return f"above {limit.gt}"
    if isinstance(limit, annotated_types.Le):
        return f"up to {limit.le}"
    if isinstance(limit, annotated_types.Lt):
        return f"below {limit.lt}"
    return None
