"""What a tenant wants to be different from the fleet: changing it, and telling what is in force."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import ValidationError

from recfleet.audit import Entry, FieldChange, PolicyFacts, append_entries
from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.operations.result import Result, check_who_and_why
from recfleet.tenants import (
    Policy,
    check_tenants,
    fleet_policy,
    lock_tenants,
    own_policies,
    write_own_policy,
)
from recfleet.tenants.defaults import in_force
from recfleet.tenants.fields import flatten, policy_fields, problems

BATCH_SIZE = 100
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


def parse_changes(
    assignments: Sequence[str], unset: Sequence[str] = (), *, left_over: Collection[str] = ()
) -> list[Change]:
    """Read ``key=value``, ``key=`` (as the fleet), ``key+=a,b`` and ``key-=a`` (of a list).

    Args:
        assignments: as they were written.
        unset: keys that are to be as the fleet has them.
        left_over: keys of no field that can be unset all the same, see ``left_over_keys``.

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
    known = policy_fields().keys() | set(left_over)
    wrong += [_no_such(change.key) for change in changes if change.key not in known]
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
        raise BadInputError("\n  ".join(["The policy cannot be changed like this:", *wrong]))
    if not changes:
        raise BadInputError(
            "Say what to change: key=value, or --unset key. `recfleet tenant policy` shows the "
            "keys and their meanings."
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
        BadInputError: nobody or no reason is named.
        UnknownTenantError: one of the tenants is not there; nothing was changed.
        ConfigurationError: the fleet's policy cannot be used.
    """
    if not dry_run:
        check_who_and_why(actor, reason)
    check_tenants(connection, tenant_ids)
    ids = sorted(set(tenant_ids))
    fleet = fleet_policy()
    results: list[Result] = []
    for start in range(0, len(ids), BATCH_SIZE):
        some = ids[start : start + BATCH_SIZE]
        lock_tenants(connection, some)
        entries: list[Entry] = []
        for tenant_id, own in own_policies(connection, some).items():
            result, facts = _change(connection, tenant_id, own, fleet, changes)
            results.append(result)
            if facts:
                entries.append(Entry("policy", tenant_id, actor, reason, facts=facts))
        if dry_run:
            connection.rollback()
        else:
            append_entries(connection, entries)
            connection.commit()
    return results


def left_over_keys(connection: Connection, tenant_ids: Sequence[str]) -> set[str]:
    """What some of these tenants have in their policies from an older release, and no field is."""
    own = own_policies(connection, tenant_ids).values()
    return {key for policy in own for key in flatten(policy)} - policy_fields().keys()


def explain_policy(connection: Connection, tenant_id: str | None) -> list[dict[str, Any]]:
    """Every field with its value in force and where that comes from.

    Args:
        connection: an open connection.
        tenant_id: whose; None: the fleet's.

    Returns:
        Rows of ``key``, ``value``, ``from``, ``may_be`` and ``meaning``; after them, with neither
        of the last two, what the tenant asks for and no field is. From is tenant where the tenant
        has it as its own, fleet where the fleet's file says otherwise than the default, and
        default elsewhere.

    Raises:
        UnknownTenantError: there is no such tenant.
        ConfigurationError: the fleet's policy cannot be used.
    """
    fleet = flatten(fleet_policy().model_dump(mode="json"))
    own: dict[str, Any] = {}
    if tenant_id is not None:
        check_tenants(connection, [tenant_id])
        own = flatten(own_policies(connection, [tenant_id])[tenant_id])
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
    if sign == "=" and not value:
        return Change(key, "unset")
    field = policy_fields().get(key)
    if field is None:
        raise ValueError(_no_such(key))
    if not field.is_list:
        if sign != "=":
            raise ValueError(f"{key}: only lists can be changed with += and -=")
        return Change(key, "set", value)
    return Change(key, _HOW[sign], _parse_list(key, value))


def _no_such(key: str) -> str:
    near = get_close_matches(key, policy_fields(), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{key}: there is no such field{hint}"


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


def _change(
    connection: Connection,
    tenant_id: str,
    own: dict[str, Any],
    fleet: Policy,
    changes: Sequence[Change],
) -> tuple[Result, PolicyFacts | None]:
    """Change one tenant's own policy; with the facts for the audit when it is another one now."""
    before = _before(own, fleet)
    wanted = _apply(own, before, changes)
    try:
        policy = in_force(fleet, wanted)
    except ValidationError as error:
        trouble = "; ".join(problems(error))
        return Result(tenant_id, "failed", f"its policy would be unusable: {trouble}"), None
    after = flatten(policy.model_dump(mode="json"))
    # As it is understood, not as it was written: a number is a number.
    kept = {key: after[key] for key in flatten(wanted)}
    facts = _facts(flatten(own), kept, before, after, changes)
    if not facts:
        why = "; ".join(_why_not(change, after) for change in changes)
        return Result(tenant_id, "unchanged", f"{tenant_id} is unchanged: {why}"), None
    write_own_policy(connection, tenant_id, _nested(kept))
    said = "; ".join(_said(key, fact) for key, fact in facts.items())
    sentence = f"{tenant_id} has from the next night on: {said}"
    return Result(tenant_id, "done", sentence), PolicyFacts(changes=facts)


def _facts(
    own: Mapping[str, Any],
    kept: Mapping[str, Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    changes: Sequence[Change],
) -> dict[str, FieldChange]:
    """Key -> what it was and is, of what has changed.

    Args:
        own: what was the tenant's own, flat.
        kept: what is from now on.
        before: all that was in force.
        after: all that is from now on.
        changes: what was asked.
    """
    facts: dict[str, FieldChange] = {}
    for key in (change.key for change in changes):
        fact = FieldChange(former=before.get(key), new=after.get(key))
        if (key in own) != (key in kept):
            fact = fact.model_copy(update={"own": key in kept})
        elif fact.former == fact.new:
            continue
        facts[key] = fact
    return facts


def _said(key: str, fact: FieldChange) -> str:
    """What a key is from now on, in words; see ``_facts``."""
    was = f" (was {_shown(fact.former)})" if fact.former != fact.new else ""
    if key not in policy_fields():
        return f"{key} no longer{was}"
    if fact.own is False:
        return f"{key} {_shown(fact.new)}, the fleet's again{was}"
    return f"{key} {_shown(fact.new)}{was or ', its own now'}"


def _why_not(change: Change, after: Mapping[str, Any]) -> str:
    """Why nothing is different that was to be changed, in words."""
    if change.how == "unset":
        return f"{change.key} is not its own"
    if change.how == "set":
        return f"{change.key} is already {_shown(after[change.key])}"
    names = sorted(_names(change.value))
    they_are = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
    if change.how == "add":
        return f"{they_are} already in {change.key}"
    return f"{they_are} not in {change.key}"


def _before(own: dict[str, Any], fleet: Policy) -> dict[str, Any]:
    """What was in force, flat; of what cannot be used, as it is written."""
    try:
        return flatten(in_force(fleet, own).model_dump(mode="json"))
    except ValidationError:
        return flatten(fleet.model_dump(mode="json")) | flatten(own)


def _apply(
    own: Mapping[str, Any], before: Mapping[str, Any], changes: Sequence[Change]
) -> dict[str, Any]:
    flat = copy.deepcopy(flatten(own))
    for change in changes:
        if change.how == "unset":
            flat.pop(change.key, None)
        elif change.how == "set":
            flat[change.key] = change.value
        else:
            former, names = _names(before[change.key]), _names(change.value)
            new = former | names if change.how == "add" else former - names
            if new != former:
                flat[change.key] = sorted(new)
    return _nested(flat)


def _names(value: object) -> set[str]:
    """A list's, or those that are to be added to it or taken from it; of what is none: none."""
    return {str(name).strip() for name in value} if isinstance(value, list) else set()


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
        return f"a list of {len(value)}" if len(value) > 3 else f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
