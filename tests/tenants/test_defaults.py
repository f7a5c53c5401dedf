"""The fleet's policy file, and tenants' own values on top of it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.database import Connection
from recfleet.errors import ConfigurationError
from recfleet.recipe import Recipe
from recfleet.tenants import Policy, add_tenants, check_tenants, fleet_policy, get_tenant
from recfleet.tenants.defaults import in_force
from recfleet.tenants.fields import flatten, merge, policy_fields

FILE = Path(__file__).parents[2] / "policy.toml"

LEAF = st.none() | st.booleans() | st.integers() | st.lists(st.integers(), max_size=2)
NAMES = st.sampled_from("abc")
NESTED = st.dictionaries(NAMES, LEAF | st.dictionaries(NAMES, LEAF))


def test_the_file_holds_every_field_with_its_default() -> None:
    written = tomllib.loads(FILE.read_text(encoding="utf-8"))

    assert list(flatten(written)) == [
        *(key for key in policy_fields() if "." not in key),
        *(key for key in policy_fields() if "." in key),
    ]
    assert flatten(written) == flatten(Policy().model_dump(mode="json"))
    assert fleet_policy(FILE) == Policy()


def test_the_file_says_of_every_field_what_it_means_and_may_be() -> None:
    above: dict[str, str] = {}
    section, comment = "", ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if table := re.fullmatch(r"\[(\w+)\]", line):
            section = f"{table[1]}."
        elif line.startswith("#"):
            comment += line[1:]
        elif pair := re.match(r"(\w+) = ", line):
            above[section + pair[1]] = comment.strip()
        else:
            comment = ""

    for key, field in policy_fields().items():
        bounds = field.bounds[0].upper() + field.bounds[1:]
        assert above[key] == f"{field.meaning.rstrip('.')}. {bounds}."
        assert len(field.meaning) > 20


@given(NESTED, NESTED)
def test_merging_is_deep(defaults: dict[str, Any], own: dict[str, Any]) -> None:
    merged = merge(defaults, own)

    assert merge(defaults, {}) == defaults
    assert merge({}, own) == own
    assert merged.keys() == defaults.keys() | own.keys()
    assert merge(merged, own) == merged
    for name in merged:
        if isinstance(defaults.get(name), dict) and isinstance(own.get(name), dict):
            assert merged[name] == merge(defaults[name], own[name])
        else:
            assert merged[name] == (own if name in own else defaults)[name]


def test_all_that_is_wrong_with_the_file_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        "minimum_gain = 2\nminimum_gane = 0.1\nexcluded_products = 'x'\ncooldown_days = nan\n"
        "[recipe]\nfactors = 0\nsignal = 'loud'\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError) as caught:
        fleet_policy(file)
    text = str(caught.value)
    for part in (
        "minimum_gain: 2: input should be less than 1. It is a number of at least 0",
        "minimum_gane: there is no such field",
        "excluded_products: input should be a valid tuple. It is a list of texts",
        "cooldown_days: nan: input should be a finite number",
        "recipe.factors: 0: input should be greater than or equal to 1. It is a whole number",
        "recipe.signal: 'loud'",
        "no night is planned",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "is missing"), (b"a = ", "cannot be read"), (b"\xff\xfe", "cannot be read")],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    file = tmp_path / "policy.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=sentence):
        fleet_policy(file)


def test_an_own_recipe_differs_in_what_it_names_only() -> None:
    fleet = in_force(Policy(), {"recipe": {"factors": 64}, "minimum_gain": 0.01})

    own = in_force(fleet, {"recipe": {"alpha": 2}, "excluded_products": ["x"]})

    assert (own.recipe.factors, own.recipe.alpha, own.minimum_gain) == (64, 2, 0.01)
    assert own.excluded_products == ("x",)
    assert in_force(fleet, {}) is fleet


@pytest.mark.parametrize(("repeat", "offers"), [(True, "both"), (False, "new")])
def test_policies_of_older_releases_are_read(repeat: bool, offers: str) -> None:
    former = {"recipe": {"factors": 8, "repeat_purchases": repeat}}
    fleet = in_force(Policy(), former)

    assert (fleet.offers, fleet.recipe.factors) == (offers, 8)
    # A ledger of that time has every field.
    whole = {**Policy().model_dump(mode="json"), **former}
    del whole["offers"]
    assert Policy.model_validate(whole).offers == offers
    assert in_force(fleet, {"recipe": {"repeat_purchases": not repeat}}).offers != offers
    assert in_force(fleet, {"offers": "again"}).offers == "again"
    assert in_force(Policy(), {"recipe": {"repeat_purchases": repeat}}).recipe == Recipe()


@pytest.mark.postgres
def test_a_tenant_has_the_fleets_policy_and_its_own(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tenants(connection, {"apple": "Apple"}, {"apple": {"recipe": {"alpha": 2}}})
    add_tenants(connection, {"berry": "Berry"}, {"berry": {"recipe": {"alpha": -2}}})
    file = tmp_path / "fleet.toml"
    file.write_text("minimum_gain = 0.1\n[recipe]\nfactors = 8\n", encoding="utf-8")
    monkeypatch.setenv("RECFLEET_POLICY", str(file))

    policy = get_tenant(connection, "apple").policy
    assert (policy.recipe.alpha, policy.recipe.factors, policy.minimum_gain) == (2, 8, 0.1)
    broken = get_tenant(connection, "berry")
    assert broken.policy == fleet_policy(file)
    assert "recipe.alpha: -2: input should be greater than 0" in (broken.policy_error or "")

    file.write_text("minimum_gain = -1", encoding="utf-8")
    check_tenants(connection, ["apple"])  # needs no policy
    with pytest.raises(ConfigurationError, match="minimum_gain"):
        get_tenant(connection, "apple")


def test_every_default_can_be_told_in_json() -> None:
    assert json.loads(json.dumps([field.default for field in policy_fields().values()]))
