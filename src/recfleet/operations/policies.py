"""What a tenant wants to be different from the fleet: changing it, and telling what is in force."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from recfleet.audit import Entry, append_entries
from recfleet.errors import BadInputError
from recfleet.operations.result import Result, check_who_and_why
from recfleet.tenants import Policy, check_tenants, fleet_policy, lock_tenants
from recfleet.tenants.defaults import in_force
from recfleet.tenants.fields import flatten, policy_fields, problems

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

TOGETHER = 100
"""Tenants that are changed in one transaction, and locked for as long."""

_HOW: dict[str, Literal["set", "add", "remove"]] = {"=": "set", "+=": "add", "-=": "remove"}


@dataclass(frozen=True)
class Change:
    """One field that is to be different."""

    key: str
    how: Literal["set", "add", "remove", "unset"]
    """Add to and remove from a list; unset: as the fleet has it."""
    value: object = None
    """Text as it was written; of a list, its texts."""


def parse_changes(assignments: Sequence[str], unset: Sequence[str] = ()) -> list[Change]:
    """Read ``key=value``, ``key=`` (as the fleet), ``key+=a,b`` and ``key-=a`` (of a list).

    Args:
        assignments: as they were written.
        unset: keys that are to be as the fleet has them.

    Raises:
        BadInputError: with everything that is wrong with them, each field's meaning and bounds.
    """
    changes: list[Change] = []
    wrong: list[str] = []
    for text in assignments:
        try:
            changes.append(_parse(text))
        except ValueError as error:
            wrong.append(str(error))
    changes += [Change(key, "unset") for key in unset]
    keys = [change.key for change in changes]
    wrong += [
        f"{key}: it is changed more than once" for key in sorted(set(keys)) if keys.count(key) > 1
    ]
    values = [change for change in changes if change.how != "unset"]
    try:
        in_force(Policy(), _nested({change.key: change.value for change in values}))
    except ValidationError as error:
        wrong += problems(error)
    if wrong:
        raise BadInputError("\n  ".join(["The policy cannot be changed so:", *wrong]))
    if not changes:
        raise BadInputError(
            "Say what to change: key=value, or --unset key. `recfleet tenant policy` shows the "
            "keys with what they mean."
        )
    return changes


def set_policies(
    connection: Connection,
    tenant_ids: Sequence[str],
    changes: Sequence[Change],
    *,
    actor: str,
    reason: str,
    dry_run: bool = False,
) -> list[Result]:
    """Change some tenants' policies, from the next night that is planned; each for itself.

    Args:
        connection: an open connection; what is changed is committed.
        tenant_ids: whose.
        changes: from ``parse_changes``.
        actor: who does it.
        reason: why.
        dry_run: find out what would be done, and change nothing.

    Returns:
        What was done, by tenant.

    Raises:
        BadInputError: nobody or no reason is named, or a key is none.
        UnknownTenantError: one of the tenants is not there; nothing was changed.
        ConfigurationError: the fleet's policy cannot be used.
    """
    if not dry_run:
        check_who_and_why(actor, reason)
    check_tenants(connection, tenant_ids)
    ids = sorted(set(tenant_ids))
    fleet = fleet_policy()
    _check_unset(connection, ids, changes)
    results: list[Result] = []
    for start in range(0, len(ids), TOGETHER):
        some = ids[start : start + TOGETHER]
        lock_tenants(connection, some)
        entries: list[Entry] = []
        for tenant_id, own in _read_own(connection, some).items():
            result, entry = _change(connection, tenant_id, own, fleet, changes)
            results.append(result)
            if entry:
                entries.append(Entry("policy", tenant_id, actor, reason, facts=entry))
        if dry_run:
            connection.rollback()
        else:
            append_entries(connection, entries)
            connection.commit()
    return results


def explain_policy(connection: Connection, tenant_id: str | None) -> list[dict[str, Any]]:
    """Every field with its value in force and where that comes from.

    Args:
        connection: an open connection.
        tenant_id: whose; None: the fleet's.

    Returns:
        Rows of ``key``, ``value``, ``from`` (default, fleet or tenant), ``may_be`` and ``meaning``;
        after them, with neither of the last two, what the tenant asks for and no field is.

    Raises:
        UnknownTenantError: there is no such tenant.
        ConfigurationError: the fleet's policy cannot be used.
    """
    fleet = flatten(fleet_policy().model_dump(mode="json"))
    own: dict[str, Any] = {}
    if tenant_id is not None:
        check_tenants(connection, [tenant_id])
        own = flatten(_read_own(connection, [tenant_id])[tenant_id])
    rows = []
    for key, field in policy_fields().items():
        origin = "default" if fleet[key] == field.default else "fleet"
        rows.append(
            {
                "key": key,
                "value": own.get(key, fleet[key]),
                "from": "tenant" if key in own else origin,
                "may_be": field.bounds,
                "meaning": field.meaning,
            }
        )
    unknown = [key for key in own if key not in policy_fields()]
    return rows + [{"key": key, "value": own[key], "from": "tenant"} for key in unknown]


def _parse(text: str) -> Change:
    found = re.fullmatch(r"\s*([\w.]+)\s*(\+=|-=|=)(.*)", text, flags=re.DOTALL)
    if found is None:
        raise ValueError(f"{text!r} is not of the form key=value")
    key, sign, value = found[1], found[2], found[3].strip()
    field = policy_fields().get(key)
    if field is None:
        near = get_close_matches(key, policy_fields(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{key}: there is no such field{hint}")
    if sign == "=" and not value:
        return Change(key, "unset")
    if not field.is_list:
        if sign != "=":
            raise ValueError(f"{key}: only lists can be added to and taken from, with += and -=")
        return Change(key, "set", value)
    return Change(key, _HOW[sign], _parse_list(key, value))


def _parse_list(key: str, value: str) -> list[object]:
    if not value.startswith("["):
        return [name.strip() for name in value.split(",")]
    try:
        names = json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"{key}: {value!r} is no list in JSON ({error})") from None
    if not isinstance(names, list):
        raise ValueError(f"{key}: {value!r} is no list in JSON")
    return names


def _check_unset(
    connection: Connection, tenant_ids: Sequence[str], changes: Sequence[Change]
) -> None:
    """A key that is none can be unset only where somebody has it, from an older release."""
    unknown = {change.key for change in changes} - policy_fields().keys()
    if unknown:
        for own in _read_own(connection, tenant_ids).values():
            unknown -= flatten(own).keys()
    if unknown:
        raise BadInputError(
            f"There is no field {', '.join(sorted(unknown))} to unset: `recfleet tenant policy` "
            "shows those there are."
        )


def _read_own(connection: Connection, tenant_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, policy from tenant where tenant_id = any(%s) order by tenant_id",
            (list(tenant_ids),),
        )
        return dict(cursor.fetchall())


def _change(
    connection: Connection,
    tenant_id: str,
    own: dict[str, Any],
    fleet: Policy,
    changes: Sequence[Change],
) -> tuple[Result, dict[str, Any] | None]:
    """Change one tenant's own policy; with the facts for the audit when it is another one now."""
    before = _in_force_or_fleet(own, fleet)
    wanted = _apply(own, before, changes)
    try:
        policy = in_force(fleet, wanted)
    except ValidationError as error:
        trouble = "; ".join(problems(error))
        return Result(tenant_id, "failed", f"its policy could not be used: {trouble}"), None
    after = flatten(policy.model_dump(mode="json"))
    # As it is understood, not as it was written: a number is a number.
    kept = _nested({key: after[key] for key in flatten(wanted)})
    if kept == own:
        return Result(tenant_id, "unchanged", f"{tenant_id} has that policy already"), None
    with connection.cursor() as cursor:
        cursor.execute(
            "update tenant set policy = %s where tenant_id = %s", (json.dumps(kept), tenant_id)
        )
    facts = {
        change.key: {"from": before.get(change.key), "to": after.get(change.key)}
        for change in changes
    }
    said = ", ".join(
        f"{key} from {_shown(fact['from'])} to {_shown(fact['to'])}" for key, fact in facts.items()
    )
    sentence = f"{tenant_id} has {said} from the next night on"
    return Result(tenant_id, "done", sentence), {"changes": facts}


def _in_force_or_fleet(own: dict[str, Any], fleet: Policy) -> dict[str, Any]:
    try:
        policy = in_force(fleet, own)
    except ValidationError:
        policy = fleet
    return flatten(policy.model_dump(mode="json"))


def _apply(
    own: Mapping[str, Any], before: Mapping[str, Any], changes: Sequence[Change]
) -> dict[str, Any]:
    flat = copy.deepcopy(flatten(own))
    for change in changes:
        if change.how == "unset":
            flat.pop(change.key, None)
            continue
        value = change.value
        if isinstance(value, list) and change.how != "set":
            names = {str(name).strip() for name in value}
            former = before[change.key]
            value = [name for name in former if name not in names]
            value += sorted(names) if change.how == "add" else []
        flat[change.key] = value
    return _nested(flat)


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``flatten``."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *parents, name = key.split(".")
        place = nested
        for parent in parents:
            if not isinstance(place.get(parent), dict):
                place[parent] = {}
            place = place[parent]
        place[name] = value
    return nested


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}" if len(value) > 3 else f"[{', '.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
