"""Choose tenants for an operation: by their ids, by conditions, or both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, get_args

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.record import Outcome
from recfleet.releases import ServedBy
from recfleet.tenants import Mode, check_tenants

Comparison = Literal["=", "!=", "~"]

_LAST_NIGHT = (
    "(select {} from tenant_night "
    "where tenant_night.tenant_id = roster.tenant_id and kind = 'fleet' "
    "order by as_of desc, night_id desc limit 1)"
)

_NO_FLEETS_OUTCOMES = ("backfilled", "switched on")
"""Outcomes that only trials and operations by day have."""


@dataclass(frozen=True)
class _Field:
    """A fact about every tenant."""

    column: str
    """SQL over the view roster."""
    meaning: str
    values: tuple[str, ...] | None = None
    """Its possible values; None: any text."""


FIELDS = {
    "id": _Field("roster.tenant_id", "the tenant's id"),
    "name": _Field("roster.name", "the tenant's name"),
    "mode": _Field("roster.mode", "on, frozen or off", get_args(Mode)),
    "outcome": _Field(
        f"coalesce({_LAST_NIGHT.format('outcome')}, 'nothing')",
        "the outcome of its last night of the fleet; nothing if it had none",
        (*(it for it in get_args(Outcome) if it not in _NO_FLEETS_OUTCOMES), "nothing"),
    ),
    "reason": _Field(
        f"coalesce({_LAST_NIGHT.format('reason')}, '')", "that night's reason, in words"
    ),
    "served_by": _Field(
        "coalesce((select served_by from live where live.tenant_id = roster.tenant_id), 'nothing')",
        "what made its live lists: model, personal (without a model), popularity or nothing",
        (*get_args(ServedBy), "nothing"),
    ),
}
"""A condition's field by its name."""

_COMPARED = {
    "=": "({column} = any(%s))",
    "!=": "({column} <> all(%s))",
    "~": "(strpos(lower({column}), lower(%s)) > 0)",
}


@dataclass(frozen=True)
class Condition:
    """A condition that a chosen tenant fulfils."""

    field: str
    """One of FIELDS."""
    comparison: Comparison
    """The field is one of the values, is none of them, or contains the one value as text."""
    values: tuple[str, ...]


def parse_condition(text: str) -> Condition:
    """Read ``mode=frozen``, ``mode=frozen,off``, ``outcome!=kept`` or ``name~united``.

    Commas separate values only in a field with a fixed set of values; free texts may contain them.

    Raises:
        BadInputError: the text is no condition; names the possible fields or values.
    """
    found = re.fullmatch(r"\s*(\w+)\s*(!=|=|~)\s*(.*?)\s*", text, flags=re.DOTALL)
    if found is None:
        raise BadInputError(
            f"{text!r} is no condition: write FIELD=VALUE, FIELD!=VALUE or FIELD~TEXT, such as "
            f"mode=frozen or name~united. The fields are {', '.join(FIELDS)}."
        )
    name, value = found[1], found[3]
    comparison: Comparison = "!=" if found[2] == "!=" else "=" if found[2] == "=" else "~"
    if name not in FIELDS:
        near = get_close_matches(name, FIELDS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        meanings = "; ".join(f"{known} ({field.meaning})" for known, field in FIELDS.items())
        raise BadInputError(f"There is no field {name!r}.{hint} The fields are {meanings}.")
    known = FIELDS[name].values
    if known is None or comparison == "~":
        return Condition(name, comparison, (value,))
    values = tuple(part.strip() for part in value.split(","))
    if wrong := [part for part in values if part not in known]:
        raise BadInputError(
            f"No tenant's {name} is ever {wrong[0]!r}: it is one of {', '.join(known)}."
        )
    return Condition(name, comparison, values)


def choose_tenants(
    connection: Connection, tenant_ids: Iterable[str], conditions: Sequence[Condition] = ()
) -> list[str]:
    """The ids of the chosen tenants, each once, sorted.

    Args:
        connection: an open connection.
        tenant_ids: choose among these; empty: among all.
        conditions: a chosen tenant fulfils all of them.

    Raises:
        UnknownTenantError: some tenants do not exist; names each of them.
        BadInputError: there is neither an id nor a condition, or no tenant fulfils the conditions.
    """
    named = sorted(set(tenant_ids))
    if not named and not conditions:
        raise BadInputError(
            "Say which tenants: give their ids, a file with ids (--file) or a condition (--where "
            "mode=frozen)."
        )
    check_tenants(connection, named)  # raises, and names the missing ones
    tests, values = ["true"], []
    for condition in conditions:
        column = FIELDS[condition.field].column
        tests.append(_COMPARED[condition.comparison].format(column=column))
        is_text = condition.comparison == "~"
        values.append(condition.values[0] if is_text else list(condition.values))
    if named:
        tests.append("roster.tenant_id = any(%s)")
        values.append(named)
    with connection.cursor() as cursor:
        # The text contains only columns from this file.
        cursor.execute(
            f"select tenant_id from roster where {' and '.join(tests)} order by tenant_id",  # noqa: S608
            values,
        )
        chosen = [tenant_id for (tenant_id,) in cursor]
    if not chosen:
        raise BadInputError("No tenant fits, so nothing was done: look at the conditions again.")
    return chosen
