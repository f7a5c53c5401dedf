"""Requests that wait for a person, from decide to the answer, on real Postgres and MLflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.housekeeping.keep_house import keep_house
from recfleet.operations.approvals import approve, list_waiting, reject
from recfleet.operations.champions import promote
from recfleet.operations.questions import Answer, carry_out, put_question, tell_answers_of
from recfleet.registry import Aliases, ArtifactStore, Registry
from recfleet.settings import RegistrySettings, forget_settings
from tests.nights import START, WEEK, outcomes, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

FIRST, SECOND = START + 12 * WEEK, START + 20 * WEEK
WHO: dict[str, Any] = {"actor": "ann", "reason": "it looks right"}
LIVE = """
select tenant_id, served_by, model_version
  from live_release join release using (tenant_id, release_id, night_id) order by 1
"""
REQUESTS = (
    "select tenant_id, change, version, against, held_by, status from approval order by approval_id"
)
STORY = "select kind, from_version, to_version, actor from audit order by audit_id"


def _registry(stack: RegistrySettings) -> Registry:
    return Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))


def _policy(connection: Connection, approval: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "update tenant set policy = policy || %s", (f'{{"approval": "{approval}"}}',)
        )


def _turn(connection: Connection, *tenants: str) -> None:
    """One night with first models, and then data that a new model predicts much better."""
    for seed, tenant_id in enumerate(tenants):
        shop(connection, tenant_id, seed=seed)
    run_night("first", FIRST)
    for seed, tenant_id in enumerate(tenants):
        shop(connection, tenant_id, seed=seed, weeks=range(12, 20), shuffled=True)


@past
def held(connection: Connection) -> None:
    """A tenant whose policy asks for a person; version 2 is waiting."""
    _turn(connection, "shop")
    _policy(connection, "every")
    run_night("second", SECOND)
    assert outcomes(connection, "second") == {"shop": "awaiting approval"}


def _age(connection: Connection, hours: float = 73) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "update approval set requested_at = requested_at - %(hours)s * interval '1 hour', "
            "expires_at = expires_at - %(hours)s * interval '1 hour'",
            {"hours": hours},
        )


def test_while_a_promotion_waits_the_old_champion_goes_on(
    held: Connection, stack: RegistrySettings
) -> None:
    assert query(held, LIVE) == [("shop", "model", 1)]
    assert query(held, REQUESTS) == [("shop", "promotion", 2, 1, "policy", "waiting")]
    assert _registry(stack).aliases("shop") == Aliases(champion=1, previous=None)
    assert _registry(stack).get_version("shop", 2).tags["verdict"] == "awaiting approval"
    assert query(held, STORY) == [
        ("first model", None, 1, "scheduler"),
        ("awaiting approval", 1, 2, "scheduler"),
    ]
    [row] = list_waiting(held)
    assert (row["tenant"], row["from_version"], row["to_version"]) == ("shop", 1, 2)
    assert row["rmse_challenger"] < row["rmse_champion"]
    assert 0 < row["gain_low"] < row["gain"]
    assert row["expires_at"] - row["requested_at"] == timedelta(hours=72)
    assert row["reason"].startswith(
        "held for a person, as the policy asks (approval: every); the verdict was: "
    )
    assert query(held, "select intent from ledger where intent is not null") == []


def test_approving_puts_it_in_force(held: Connection, stack: RegistrySettings) -> None:
    [row] = list_waiting(held)

    answered = approve(held, [row["approval_id"]], **WHO)

    assert answered.done == [row["approval_id"]]
    assert answered.changed[0].sentence == (
        "shop: version 2 is in force instead of version 1; its lists as of 2026-05-25 09:00, made "
        "just now, are live."
    )
    assert query(held, LIVE) == [("shop", "model", 2)]
    assert _registry(stack).aliases("shop") == Aliases(champion=2, previous=1)
    version = _registry(stack).get_version("shop", 2)
    assert version.tags["verdict"] == "approved"
    assert version.description == version.tags["reason"]
    assert version.description.startswith(
        "Approved by ann: it looks right. Held for a person, as the policy asks (approval: every); "
    )
    assert query(held, STORY)[2:] == [("approved", 1, 2, "ann"), ("promotion", 1, 2, "ann")]
    [(numbers,)] = query(held, "select numbers from audit where kind = 'promotion'")
    assert numbers["against"] == 1
    assert query(
        held, "select status, decided_by, decision_reason, decided_at is not null from approval"
    ) == [("approved", "ann", "it looks right", True)]
    assert list_waiting(held) == []

    again = approve(held, [row["approval_id"]], **WHO)
    assert again.refused[row["approval_id"]].startswith(
        "shop: Request 1 no longer waits: it was approved at "
    )


def test_rejecting_leaves_everything_and_is_not_asked_again(
    held: Connection, stack: RegistrySettings
) -> None:
    assert reject(held, [1], actor="ann", reason="a fair was on").done == [1]
    assert query(held, LIVE) == [("shop", "model", 1)]
    assert query(held, STORY)[2:] == [("rejected", 1, 2, "ann")]
    version = _registry(stack).get_version("shop", 2)
    assert version.tags["verdict"] == "rejected by a person"
    assert version.description.startswith("Rejected by ann: a fair was on. Held for a person, ")

    run_night("nothing new", SECOND + timedelta(hours=1))
    assert outcomes(held, "nothing new") == {"shop": "unchanged"}
    assert list_waiting(held) == []


def test_what_nobody_answers_expires_to_reject(held: Connection, stack: RegistrySettings) -> None:
    _age(held)
    answered = approve(held, [1], **WHO)
    assert answered.changed == []
    assert "expired at" in answered.refused[1]
    assert "`recfleet promote shop --version 2`" in answered.refused[1]
    assert query(held, REQUESTS) == [("shop", "promotion", 2, 1, "policy", "expired")]
    assert query(held, STORY)[2:] == [("expired", 1, 2, "scheduler")]
    assert query(held, LIVE) == [("shop", "model", 1)]
    version = _registry(stack).get_version("shop", 2)
    assert version.tags["verdict"] == "approval expired"
    assert version.description.startswith("Approval expired: nobody answered in time. Held for ")


@pytest.mark.parametrize("who", ["close", "housekeeping", "list"])
def test_whoever_comes_by_lets_it_expire(held: Connection, who: str) -> None:
    _age(held)
    if who == "close":
        run_night("next", SECOND + timedelta(hours=1))
    elif who == "housekeeping":
        keep_house("models", dry_run=True)
        assert query(held, "select status from approval") == [("waiting",)]
        keep_house("models")
    else:
        assert list_waiting(held) == []
    assert query(held, "select status from approval") == [("expired",)]


def test_a_newer_challenger_that_waits_overtakes(held: Connection, stack: RegistrySettings) -> None:
    shop(held, "shop", weeks=range(20, 24), shuffled=True)
    run_night("third", START + 24 * WEEK)
    assert query(held, REQUESTS) == [
        ("shop", "promotion", 2, 1, "policy", "overtaken"),
        ("shop", "promotion", 3, 1, "policy", "waiting"),
    ]
    assert query(held, STORY)[2:] == [
        ("overtaken", 1, 2, "scheduler"),
        ("awaiting approval", 1, 3, "scheduler"),
    ]
    assert "was overtaken" in approve(held, [1], **WHO).refused[1]
    assert approve(held, [2], **WHO).done == [2]
    # As of the tenant's own time: the as-of of the night that judged it.
    assert query(held, "select as_of from live_release join release using (release_id)") == [
        (START + 24 * WEEK,)
    ]


def test_another_change_of_champion_overtakes(held: Connection, stack: RegistrySettings) -> None:
    promote(held, "shop", 2, **WHO)
    assert query(held, REQUESTS) == [("shop", "promotion", 2, 1, "policy", "overtaken")]
    assert query(held, STORY)[2:] == [("promotion", 1, 2, "ann"), ("overtaken", 1, 2, "ann")]
    assert approve(held, [1], **WHO).changed == []


@pytest.mark.parametrize("mode", ["frozen", "off"])
def test_a_tenant_that_is_not_on_is_left_alone(held: Connection, mode: str) -> None:
    with held, held.cursor() as cursor:
        cursor.execute("update tenant set mode = %s", (mode,))
    refusal = approve(held, [1], **WHO).refused[1]
    assert refusal.startswith(f"shop: The tenant is {mode}, and an approval does not change")
    assert query(held, "select status from approval") == [("waiting",)]


def test_a_first_model_waits_where_the_policy_asks_for_the_first(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "shop")
    _policy(connection, "first")
    run_night("first", FIRST)
    assert outcomes(connection, "first") == {"shop": "awaiting approval"}
    assert query(connection, LIVE) == [("shop", "personal", None)]
    assert query(connection, REQUESTS) == [("shop", "promotion", 1, None, "policy", "waiting")]

    assert approve(connection, [1], **WHO).done == [1]
    assert query(connection, LIVE) == [("shop", "model", 1)]
    assert query(connection, "select kind from promotion") == [("first model",)]

    shop(connection, "shop", weeks=range(12, 20), shuffled=True)
    run_night("second", SECOND)
    assert outcomes(connection, "second") == {"shop": "promoted"}


def test_the_brake_asks_and_the_answer_may_be_some(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _turn(connection, "apple", "berry", "cherry")
    monkeypatch.setenv("RECFLEET_BRAKE_LEAST", "0")
    forget_settings()
    run_night("second", SECOND)
    assert {row["held_by"] for row in list_waiting(connection)} == {"brake"}

    question = put_question(connection, "second")
    assert question is not None
    assert question.subject == "3 changes of champion of night 2, as of 2026-05-25 09:00: approve?"
    assert [line.split(" | ")[:3] for line in question.body.splitlines()[4:7]] == [
        [f"| {tenant_id}", "promotion", "1 → 2"] for tenant_id in ("apple", "berry", "cherry")
    ]
    # It was answered on the command line meanwhile.
    reject(connection, [1], **WHO)
    mistakes: list[tuple[Answer, list[str], str]] = [
        ("named", [], "named no tenant"),
        ("all", ["berry"], "named tenants, and gave"),
        ("none", ["berry"], "an answer about all"),
    ]
    for answer, named, why in mistakes:
        with pytest.raises(BadInputError, match=why):
            carry_out(connection, question.approval_ids, answer, named, **WHO)

    for _ in range(2):
        answered = carry_out(connection, question.approval_ids, "named", ["berry"], **WHO)
        assert answered.refused == {}
    assert [(tenant, version) for tenant, _, version in query(connection, LIVE)] == [
        ("apple", 1),
        ("berry", 2),
        ("cherry", 1),
    ]
    assert query(connection, "select tenant_id, status from approval order by 1") == [
        ("apple", "rejected"),
        ("berry", "approved"),
        ("cherry", "rejected"),
    ]
    assert put_question(connection, "second") is None
    assert tell_answers_of(connection, "second") == "2 rejected by ann, 1 approved by ann"
    assert tell_answers_of(connection, "1") == ""


def test_many_approvals_share_a_night(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _turn(connection, "apple", "berry")
    _policy(connection, "every")
    run_night("second", SECOND)
    numbers = [row["approval_id"] for row in list_waiting(connection)]
    assert len(approve(connection, numbers, **WHO).done) == 2
    assert query(connection, "select count(*) from night where kind = 'operator'") == [(1,)]


def test_a_version_that_waits_survives_housekeeping(
    held: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECFLEET_KEEP_VERSIONS", "0")
    forget_settings()
    with held, held.cursor() as cursor:
        cursor.execute("update night set started_at = started_at - interval '100 days', "
                       "finished_at = finished_at - interval '100 days'")  # fmt: skip
    keep_house("models")
    assert approve(held, [1], **WHO).done == [1]
