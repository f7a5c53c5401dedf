"""Change tenants' own policies, and explain the policy in force."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import ValidationError

from recfleet.audit import Entry, FieldChange, PolicyFacts, append_entries, check_who_and_why
from recfleet.batches import batches
from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.operations.result import Result
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
"""How many tenants are changed in one transaction, and locked meanwhile."""

_HOW: dict[str, Literal["set", "add", "remove"]] = {"=": "set", "+=": "add", "-=": "remove"}


@dataclass(frozen=True)
class Change:
    """One field to change."""

    key: str
    how: Literal["set", "add", "remove", "unset"]
    """Add and remove concern a list; unset returns to the fleet's value."""
    value: object = None
    """The text as written; for a list, its texts."""


def parse_changes(
    assignments: Sequence[str], unset: Sequence[str] = (), *, left_over: Collection[str] = ()
) -> list[Change]:
    """Read ``key=value``, ``key=`` (as the fleet), ``key+=a,b`` and ``key-=a`` (of a list).

    Args:
        assignments: as they were written.
        unset: keys that return to the fleet's values.
        left_over: keys without a field that can still be unset, see ``left_over_keys``.

    Raises:
        BadInputError: some are unusable; says everything that is wrong, with each field's meaning
            and bounds.
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
    """Change each tenant's policy, from the next planned night on.

    Args:
        connection: an open connection; changes are committed.
        tenant_ids: the tenants.
        changes: from ``parse_changes``.
        actor: who does it.
        reason: why.
        dry_run: find out what would be done, and change nothing.

    Returns:
        A result for each tenant.

    Raises:
        BadInputError: the actor or the reason is missing.
        UnknownTenantError: one of the tenants does not exist; nothing was changed.
        ConfigurationError: the fleet's policy cannot be used.
    """
    if not dry_run:
        actor, reason = check_who_and_why(actor, reason)
    check_tenants(connection, tenant_ids)
    ids = sorted(set(tenant_ids))
    fleet = fleet_policy()
    results: list[Result] = []
    for some in batches(ids, BATCH_SIZE):
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
    """Keys in some of these tenants' policies, from an older release, for which no field exists."""
    own = own_policies(connection, tenant_ids).values()
    return {key for policy in own for key in flatten(policy)} - policy_fields().keys()


def explain_policy(connection: Connection, tenant_id: str | None) -> list[dict[str, Any]]:
    """Every field with its value in force and the source of that value.

    Args:
        connection: an open connection.
        tenant_id: the tenant; None: the fleet's policy.

    Returns:
        Rows of ``key``, ``value``, ``from``, ``may_be`` and ``meaning``; after them, without the
        last two, the tenant's keys for which no field exists. ``from`` is tenant if the value is
        the tenant's own, fleet if the fleet's file differs from the default, and default otherwise.

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
    if key == "recipe.repeat_purchases":
        return f"{key}: there is no such field; use offers=both for true, offers=new for false"
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
    """Change one tenant's own policy; returns facts for the audit if the policy differs now."""
    before = _before(own, fleet)
    wanted = _apply(own, before, changes)
    try:
        policy = in_force(fleet, wanted)
    except ValidationError as error:
        trouble = "; ".join(problems(error))
        return Result(tenant_id, "failed", f"its policy would be unusable: {trouble}"), None
    after = flatten(policy.model_dump(mode="json"))
    # Keep the parsed values, not the text: a number is a number.
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
    """Key -> old and new value, for everything that has changed.

    Args:
        own: the tenant's own values until now, flat.
        kept: the tenant's own values from now on.
        before: all values in force until now.
        after: all values in force from now on.
        changes: the requested changes.
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
    was = f" (was {shown(fact.former)})" if fact.former != fact.new else ""
    if key not in policy_fields():
        return f"{key} no longer{was}"
    if fact.own is False:
        return f"{key} {shown(fact.new)}, the fleet's again{was}"
    return f"{key} {shown(fact.new)}{was or ', its own now'}"


def _why_not(change: Change, after: Mapping[str, Any]) -> str:
    """Why a change makes no difference, in words."""
    if change.how == "unset":
        return f"{change.key} is not its own"
    if change.how == "set":
        return f"{change.key} is already {shown(after[change.key])}"
    names = sorted(_names(change.value))
    they_are = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
    if change.how == "add":
        return f"{they_are} already in {change.key}"
    return f"{they_are} not in {change.key}"


def _before(own: dict[str, Any], fleet: Policy) -> dict[str, Any]:
    """The policy in force until now, flat; unusable values stay as written."""
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
    """The names in a list, or in a change to a list; empty for anything else."""
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


def shown(value: object) -> str:
    """A field's value in words; of a long list only its length."""
    if isinstance(value, list):
        return f"a list of {len(value)}" if len(value) > 3 else f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
