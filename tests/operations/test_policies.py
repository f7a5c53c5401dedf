"""Changing tenants' policies: what is accepted, what is refused, and what is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.audit import read_entries, what_changed
from recfleet.database import Connection
from recfleet.errors import BadInputError, UnknownTenantError
from recfleet.fleet.plan import plan_night
from recfleet.operations.policies import (
    _apply,
    _nested,
    explain_policy,
    left_over_keys,
    parse_changes,
    set_policies,
)
from recfleet.settings import RegistrySettings
from recfleet.tenants import Policy, add_tenants, get_tenant
from recfleet.tenants.defaults import in_force
from recfleet.tenants.fields import flatten, policy_fields
from tests.nights import START, query

NAME = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6).filter(
    lambda name: "," not in name and not name.startswith("[")
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "recipe.factors": st.integers(1, 1024),
    "recipe.alpha": st.floats(0.001, 1e6),
    "recipe.signal": st.sampled_from(["log_lines", "binary"]),
    "offers": st.sampled_from(["auto", "new", "again", "both"]),
    "probation_nights": st.integers(0, 365),
    "approval": st.sampled_from(["none", "every", "first"]),
    "minimum_gain": st.floats(0, 0.99),
    "excluded_products": st.lists(NAME, min_size=1),
    "excluded_customers": st.lists(NAME, min_size=1),
}
WANTED = st.fixed_dictionaries({}, optional=VALUES).filter(bool)


def _written(key: str, value: object, *, as_json: bool) -> str:
    if isinstance(value, list):
        return f"{key}={json.dumps(value) if as_json else ','.join(value)}"
    return f"{key}={json.dumps(value) if isinstance(value, bool) else value}"


@given(WANTED, st.booleans())
def test_what_is_set_is_in_force_and_nothing_else_changes(
    wanted: dict[str, Any], as_json: bool
) -> None:
    changes = parse_changes(
        [_written(key, value, as_json=as_json) for key, value in wanted.items()]
    )
    before = flatten(Policy().model_dump(mode="json"))

    own = _apply({}, before, changes)

    after = flatten(in_force(Policy(), own).model_dump(mode="json"))
    for key in policy_fields():
        if key not in wanted:
            assert after[key] == before[key]
        elif isinstance(wanted[key], list):
            assert set(after[key]) == set(wanted[key])
        else:
            assert after[key] == wanted[key]
    assert _apply(own, after, parse_changes([], list(wanted))) == {}


@given(st.lists(NAME), st.lists(NAME, min_size=1), st.booleans())
def test_lists_are_added_to_and_taken_from(there: list[str], names: list[str], adds: bool) -> None:
    fleet = Policy(excluded_products=tuple(there))
    before = flatten(fleet.model_dump(mode="json"))
    change = parse_changes([f"excluded_products{'+' if adds else '-'}={json.dumps(names)}"])

    own = in_force(fleet, _apply({}, before, change))

    expected = set(there) | set(names) if adds else set(there) - set(names)
    assert set(own.excluded_products) == expected


@given(WANTED)
def test_nesting_is_the_inverse_of_flattening(wanted: dict[str, Any]) -> None:
    assert flatten(_nested(wanted)) == wanted


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadInputError) as caught:
        parse_changes(
            [
                "recipe.factors=0",
                "recipe.factor=3",
                "approval=maybe",
                "minimum_gain",
                "minimum_gain+=1",
                "excluded_products=[1",
                "excluded_customers=a,,b",
                "cooldown_days=1",
                "cooldown_days=",
            ],
            ["probation_night", "forgotten"],
            left_over={"forgotten"},
        )
    text = str(caught.value)
    for part in (
        "recipe.factors: '0': input should be greater than or equal to 1. It is a whole number "
        "from 1 up to 1024: Length of a customer's and a product's vector",
        "recipe.factor: there is no such field; did you mean recipe.factors?",
        "approval: 'maybe'",
        "one of none, every, first",
        "'minimum_gain' is not of the form key=value",
        "minimum_gain: only lists",
        "excluded_products: '[1' is no list in JSON",
        "excluded_customers: an empty text is no name",
        "cooldown_days: it is changed more than once",
        "probation_night: there is no such field; did you mean probation_nights?",
    ):
        assert part in text
    assert "forgotten" not in text
    assert len(text.splitlines()) == 10
    with pytest.raises(BadInputError, match="Say what to change"):
        parse_changes([])


@pytest.mark.postgres
def test_a_change_is_in_the_audit_and_the_same_again_is_not(connection: Connection) -> None:
    own = {"recipe": {"alpha": 2.0}, "minimum_gain": 0.1}
    add_tenants(connection, {"apple": "Apple", "berry": "Berry"}, {"apple": own})
    connection.commit()
    changes = parse_changes(["recipe.factors=64", "excluded_products=b,a"], ["minimum_gain"])

    tried = set_policies(
        connection, ["apple"], changes, actor="ann", reason="they asked", dry_run=True
    )
    assert query(connection, "select policy from tenant where tenant_id = 'apple'") == [(own,)]
    done = set_policies(connection, ["apple"], changes, actor="ann", reason="they asked")
    again = set_policies(connection, ["apple"], changes, actor="ann", reason="they asked")

    assert tried == done
    assert done[0].status == "done"
    assert done[0].sentence == (
        "apple has from the next night on: recipe.factors 64 (was 128); "
        "excluded_products [a, b] (was []); minimum_gain 0.005, the fleet's again (was 0.1)"
    )
    assert again[0].status == "unchanged"
    assert again[0].sentence == (
        "apple is unchanged: recipe.factors is already 64; excluded_products is already [a, b]; "
        "minimum_gain is not its own"
    )
    assert query(connection, "select policy from tenant where tenant_id = 'apple'") == [
        ({"recipe": {"alpha": 2.0, "factors": 64}, "excluded_products": ["a", "b"]},)
    ]
    assert query(connection, "select tenant_id, kind, facts, actor, reason from audit") == [
        (
            "apple",
            "policy",
            {
                "changes": {
                    "recipe.factors": {"from": 128, "to": 64, "own": True},
                    "excluded_products": {"from": [], "to": ["a", "b"], "own": True},
                    "minimum_gain": {"from": 0.1, "to": 0.005, "own": False},
                }
            },
            "ann",
            "they asked",
        )
    ]


@pytest.mark.postgres
def test_only_what_changes_is_told(connection: Connection) -> None:
    add_tenants(connection, {"apple": "Apple"}, {"apple": {"excluded_products": ["b", "a"]}})
    connection.commit()

    def change(assignments: list[str], unset: list[str] | None = None) -> str:
        changes = parse_changes(assignments, unset or [])
        [result] = set_policies(connection, ["apple"], changes, actor="ann", reason="so")
        return f"{result.status}: {result.sentence}"

    assert change(["approval=none", "minimum_gain=0.2"], ["recipe.alpha"]) == (
        "done: apple has from the next night on: approval none, its own now; "
        "minimum_gain 0.2 (was 0.005)"
    )
    assert change(["approval="]) == (
        "done: apple has from the next night on: approval none, the fleet's again"
    )
    assert change([], ["recipe.alpha"]) == (
        "unchanged: apple is unchanged: recipe.alpha is not its own"
    )
    assert change(["excluded_products-=P9,z"]) == (
        "unchanged: apple is unchanged: P9, z are not in excluded_products"
    )
    assert change(["excluded_products+=a", "excluded_customers-=c"]) == (
        "unchanged: apple is unchanged: a is already in excluded_products; "
        "c is not in excluded_customers"
    )
    entries = read_entries(connection, "apple")
    assert [what_changed(entry) for entry in entries] == [
        "policy: approval none, its own now, minimum_gain 0.005 → 0.2",
        "policy: approval none, the fleet's again",
    ]


@pytest.mark.postgres
def test_one_tenants_trouble_is_its_own(connection: Connection) -> None:
    add_tenants(
        connection,
        {"apple": "Apple", "berry": "Berry", "cherry": "Cherry"},
        {"berry": {"recipe": {"alpha": -1}}, "cherry": {"forgotten": 1}},
    )
    connection.commit()

    results = set_policies(
        connection,
        ["cherry", "berry", "apple"],
        parse_changes(["minimum_gain=0.2"]),
        actor="ann",
        reason="they asked",
    )
    assert [(result.tenant_id, result.status) for result in results] == [
        ("apple", "done"),
        ("berry", "failed"),
        ("cherry", "failed"),
    ]
    assert "recipe.alpha: -1: input should be greater than 0" in results[1].sentence
    assert "forgotten: there is no such field" in results[2].sentence
    assert query(connection, "select tenant_id from audit") == [("apple",)]

    mended = set_policies(
        connection, ["berry"], parse_changes(["recipe.alpha=3"]), actor="ann", reason="they asked"
    )
    assert mended[0].sentence == ("berry has from the next night on: recipe.alpha 3.0 (was -1)")
    assert get_tenant(connection, "berry").policy.recipe.alpha == 3
    left_over = left_over_keys(connection, ["apple", "cherry"])
    changes = parse_changes([], ["forgotten"], left_over=left_over)
    cleared = set_policies(
        connection, ["apple", "cherry"], changes, actor="ann", reason="they asked"
    )
    assert [result.status for result in cleared] == ["unchanged", "done"]
    assert cleared[1].sentence == ("cherry has from the next night on: forgotten no longer (was 1)")
    assert left_over_keys(connection, ["apple", "cherry"]) == set()
    with pytest.raises(BadInputError, match="forgotten: there is no such field"):
        parse_changes([], ["forgotten"])


@pytest.mark.postgres
def test_who_why_and_whose(connection: Connection) -> None:
    add_tenants(connection, {"apple": "Apple"})
    connection.commit()
    changes = parse_changes(["minimum_gain=0.2"])
    with pytest.raises(BadInputError, match="Say why"):
        set_policies(connection, ["apple"], changes, actor="ann", reason=" ")
    with pytest.raises(UnknownTenantError, match="There are no tenants 'pear', 'plum'"):
        set_policies(connection, ["plum", "apple", "pear"], changes, actor="ann", reason="so")
    assert query(connection, "select policy from tenant") == [({},)]


@pytest.mark.postgres
def test_where_a_value_comes_from(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text("minimum_gain = 0.1\ncooldown_days = 14\n", encoding="utf-8")
    monkeypatch.setenv("RECFLEET_POLICY", str(file))
    add_tenants(connection, {"apple": "A"}, {"apple": {"recipe": {"alpha": 2}, "forgotten": 1}})

    rows = {row["key"]: row for row in explain_policy(connection, "apple")}

    assert list(rows) == [*policy_fields(), "forgotten"]
    assert [rows[key]["from"] for key in ("recipe.alpha", "minimum_gain", "cooldown_days")] == [
        "tenant",
        "fleet",
        "default",
    ]
    assert [rows[key]["value"] for key in ("recipe.alpha", "minimum_gain")] == [2, 0.1]
    assert "a number above 0" in rows["recipe.alpha"]["may_be"]
    assert {row["from"] for row in explain_policy(connection, None)} == {"default", "fleet"}


@pytest.mark.mlflow
@pytest.mark.postgres
def test_a_night_writes_down_that_the_fleets_policy_is_another(
    connection: Connection, stack: RegistrySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = "select tenant_id, actor, facts -> 'changes' from audit order by audit_id"
    plan_night("as in the code", None, START, {})
    assert query(connection, entries) == []

    file = tmp_path / "fleet.toml"
    file.write_text("minimum_gain = 0.1\n[recipe]\nfactors = 64\n", encoding="utf-8")
    monkeypatch.setenv("RECFLEET_POLICY", str(file))
    for name in ("first", "second", "second"):
        add_tenants(connection, {name: name})
        connection.commit()
        plan_night(name, None, START, {})
    changes = {
        "minimum_gain": {"from": 0.005, "to": 0.1},
        "recipe.factors": {"from": 128, "to": 64},
    }
    assert query(connection, entries) == [(None, "scheduler", changes)]

    file.write_text("minimum_gain = 0.1\n", encoding="utf-8")
    plan_night("third", None, START, {})
    assert query(connection, entries)[1:] == [
        (None, "scheduler", {"recipe.factors": {"from": 64, "to": 128}})
    ]
