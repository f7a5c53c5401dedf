"""People's work beside the night, over real purchases and the real scheduler.

The brake holds a night, people answer it in Airflow, one of them is wrong, and the next night
corrects that. Tenants are switched, rolled back and backfilled through Airflow's command line, as
the documents say, twice at once beside a night of the fleet. Unanswered requests expire.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.airflow_people import Airflow, logged_in, wait_for
from tests.online_retail import STORY, three_countries
from tests.stacks import Stack, running_stack

pytestmark = STORY

BRITAIN = "united-kingdom"
MINUTES_TO_ANSWER = 2
# The fleet's policy demands more certainty than a hundred customers can give.
SMALL = ("minimum_holdout_customers=15", "recipe.holdout_days=28")
WISHED = "as its owner wishes"


@pytest.fixture
def recfleet() -> Iterator[Stack]:
    """A fleet so small that two changes in one night are suspicious."""
    hours = str(MINUTES_TO_ANSWER / 60)
    with running_stack(BRAKE_LEAST="1", APPROVAL_HOURS=hours) as stack:
        yield stack


@pytest.fixture
def airflow(recfleet: Stack) -> Iterator[Airflow]:
    """Its Airflow."""
    with logged_in(recfleet) as airflow:
        yield airflow


@pytest.mark.timeout(1200)
def test_people_and_the_night(recfleet: Stack, airflow: Airflow, tmp_path: Path) -> None:
    three_countries().to_csv(tmp_path / "lines.csv", index=False)
    recfleet("ingest", str(tmp_path / "lines.csv"), "--preset", "online-retail")
    german = (*SMALL, "confidence=0.8", "minimum_gain=0")
    recfleet("tenant", "set", "germany", *german, "--reason", WISHED)
    french = (*SMALL, "confidence=0.7", "approval=first")
    recfleet("tenant", "set", "france", *french, "--reason", WISHED)
    first = _outcomes(recfleet.night("2011-09-01"))
    assert first == {BRITAIN: "first model", "germany": "first model", "france": "rejected"}

    _the_brake_is_answered_in_airflow(recfleet, airflow)
    _a_mistake_is_rolled_back_by_the_night(recfleet, airflow)
    _tenants_are_switched_rolled_back_and_backfilled(recfleet, airflow)
    _backfills_wait_for_each_other_and_not_for_the_fleet(recfleet, airflow)
    _what_nobody_answers_expires(recfleet, airflow)
    _all_of_it_is_on_record(recfleet)


def _the_brake_is_answered_in_airflow(recfleet: Stack, airflow: Airflow) -> None:
    night = recfleet.night("2011-11-01")
    assert set(_outcomes(night).values()) == {"awaiting approval"}
    assert "2 of 3 tenants would change champion" in night[BRITAIN]["reason"]
    waiting = {row["tenant"]: row["held_by"] for row in recfleet.json("approvals", "list")}
    assert waiting == {BRITAIN: "brake", "germany": "brake", "france": "policy"}
    assert _champions(recfleet) == {BRITAIN: 1, "germany": 1}
    assert _live(recfleet, BRITAIN) == (1, "2011-11-01")

    question = wait_for("question", airflow.question)
    assert question["subject"].startswith("3 changes of champion")
    option = "Approve the named, reject the rest"
    why = "no feed broke"
    ended = airflow.answer(question, option, tenants=[BRITAIN, "germany"], reason=why)
    assert ended == "success"
    assert _champions(recfleet) == {BRITAIN: 2, "germany": 2}
    assert _live(recfleet, BRITAIN) == (2, "2011-11-01")
    assert _live(recfleet, "france") == (None, "2011-11-01")
    answers = recfleet.query(
        "select tenant_id, kind, actor from audit where reason = %s order by 1, 2", why
    )
    assert answers == [
        ("france", "rejected", "admin"),
        ("germany", "approved", "admin"),
        ("germany", "promotion", "admin"),
        (BRITAIN, "approved", "admin"),
        (BRITAIN, "promotion", "admin"),
    ]


def _a_mistake_is_rolled_back_by_the_night(recfleet: Stack, airflow: Airflow) -> None:
    """An old model is in force and the recipe is poor, so tonight's challenger does not help."""
    recfleet("promote", BRITAIN, "--version", "1", "--reason", "I liked it better")
    assert _champions(recfleet)[BRITAIN] == 1
    product = _most_listed(recfleet)
    [(customer,)] = recfleet.query(
        "select max(customer_id) from live_recommendation where tenant_id = %s", BRITAIN
    )
    changes = [
        "recipe.factors=8",
        "recipe.alpha=1",
        f"excluded_products+={product}",
        f"excluded_customers+={customer}",
    ]
    policy = {"tenants": [BRITAIN], "changes": changes, "reason": WISHED}
    airflow.trigger(("tenant_policy", policy), _mode("frozen", "germany"))
    assert _most_listed(recfleet) == product, "policies wait for the night"

    night = recfleet.night("2011-12-09")
    assert _outcomes(night) == {
        BRITAIN: "rolled back",
        "germany": "frozen",
        "france": "awaiting approval",
    }
    told = "night 1 of 7 of its probation rolls the champion back to version 2"
    assert told in night[BRITAIN]["reason"]
    assert _champions(recfleet) == {BRITAIN: 2, "germany": 2}
    assert _live(recfleet, BRITAIN) == (2, "2011-12-09")
    assert _live(recfleet, "germany") == (2, "2011-12-09")
    left = recfleet.query(
        "select count(*) from live_recommendation "
        "where tenant_id = %s and (product_id = %s or customer_id = %s)",
        BRITAIN,
        product,
        customer,
    )
    assert left == [(0,)]
    assert recfleet.query("select tenant_id, customer_id from live_excluded") == [
        (BRITAIN, customer)
    ]
    assert "they get no recommendations" in recfleet.refused("recommend", BRITAIN, customer)


def _tenants_are_switched_rolled_back_and_backfilled(recfleet: Stack, airflow: Airflow) -> None:
    lists = _lists(recfleet, BRITAIN)
    rollback = {"tenants": ["germany"], "reason": "lists full of discontinued lamps"}
    airflow.trigger(_mode("off", BRITAIN), ("tenant_rollback", rollback))
    assert _lists(recfleet, BRITAIN) == []
    assert _champions(recfleet) == {BRITAIN: 2, "germany": 1}
    assert _live(recfleet, "germany")[0] == 1

    airflow.trigger(_mode("on", BRITAIN, "germany"))
    assert _lists(recfleet, BRITAIN) == lists, "the last release, as it was"

    before = _champions(recfleet), _lists(recfleet, "germany")
    days = {"from": "2011-11-08", "to": "2011-11-12", "step": 4}
    airflow.trigger(("tenant_backfill", {"tenants": ["germany"], **days}))
    assert (_champions(recfleet), _lists(recfleet, "germany")) == before
    assert recfleet.query(
        "select night.as_of::date::text, outcome, model_version from night "
        "join ledger using (night_id) join release using (night_id, tenant_id) "
        "where night.kind = 'backfill' order by 1"
    ) == [("2011-11-08", "backfilled", 2), ("2011-11-12", "backfilled", 2)], "as it was then"


def _backfills_wait_for_each_other_and_not_for_the_fleet(recfleet: Stack, airflow: Airflow) -> None:
    """Two people ask for backfills at once, one day in common, while a night runs."""
    one = ("tenant_backfill", {"tenants": ["germany"], "from": "2011-11-20", "to": "2011-11-21"})
    other = ("tenant_backfill", {"tenants": ["germany"], "from": "2011-11-21", "to": "2011-11-22"})
    night = ("nightly_fleet", {"as_of": "2011-12-10", "tenants": [BRITAIN, "germany"]})
    airflow.trigger(one, other, night)

    assert _live(recfleet, BRITAIN)[1] == "2011-12-10"
    assert _live(recfleet, "germany")[1] == "2011-12-10"
    runs = recfleet.query(
        "select array_agg(night.as_of::date::text), min(started_at), max(finished_at) "
        "from night join ledger using (night_id) "
        "where night.as_of between '2011-11-20' and '2011-11-22' and outcome = 'backfilled' "
        "group by backfill order by 2"
    )
    [(first, first_began, first_ended), (second, second_began, _)] = runs
    assert (len(first), len(second)) == (2, 1), "the second had one of its days done"
    assert {*first, *second} == {"2011-11-20", "2011-11-21", "2011-11-22"}
    assert first_ended <= second_began
    [(began, ended)] = recfleet.query(
        "select started_at, finished_at from night where kind = 'fleet' and as_of = '2011-12-10'"
    )
    assert began < first_ended, "the night waited for a backfill"
    assert first_began < ended, "a backfill waited for the night"


def _what_nobody_answers_expires(recfleet: Stack, airflow: Airflow) -> None:
    [(number, run)] = recfleet.query(
        "select approval_id, night.run_id from approval join night using (night_id) "
        "where approval.tenant_id = 'france' order by approval_id desc limit 1"
    )
    assert airflow.wait_for_end("fleet_approvals", f"asked_by__{run}") == "success"
    assert recfleet.json("approvals", "list") == []
    assert "france" not in _champions(recfleet)
    why = ("--reason", "a day late")
    assert "expired" in recfleet.refused("approvals", "approve", str(number), *why)


def _all_of_it_is_on_record(recfleet: Stack) -> None:
    assert _told(recfleet, BRITAIN) == [
        ("first model", "scheduler"),
        ("awaiting approval", "scheduler"),
        ("approved", "admin"),
        ("promotion", "admin"),
        ("promotion", getpass.getuser()),
        ("policy", getpass.getuser()),
        ("rollback", "scheduler"),
        ("mode", getpass.getuser()),
        ("mode", getpass.getuser()),
    ]
    assert _told(recfleet, "france")[-2:] == [
        ("awaiting approval", "scheduler"),
        ("expired", "scheduler"),
    ]
    recfleet("audit", "verify")
    recfleet("doctor")
    [(customer,)] = recfleet.query(
        "select min(customer_id) from live_recommendation where tenant_id = %s", BRITAIN
    )
    traced = recfleet.json("trace", BRITAIN, customer)
    assert traced["model"]["version"] == 2
    assert traced["model"]["training"]["to"].startswith("2011-10-18")
    assert "back to version 2" in traced["model"]["decision"]["reason"]
    assert traced["model"]["airflow_page"].startswith(recfleet.address)


def _mode(mode: str, *tenants: str) -> tuple[str, dict[str, Any]]:
    return "tenant_mode", {"tenants": list(tenants), "mode": mode, "reason": "for stocktaking"}


def _outcomes(night: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {tenant: row["outcome"] for tenant, row in night.items()}


def _champions(recfleet: Stack) -> dict[str, int]:
    return dict(recfleet.query("select tenant_id, version from champion where role = 'champion'"))


def _live(recfleet: Stack, tenant: str) -> tuple[int | None, str]:
    """Version and date of the lists that an application reads."""
    [(version, as_of)] = recfleet.query(
        "select distinct model_version, as_of::date::text from live_recommendation "
        "where tenant_id = %s",
        tenant,
    )
    return version, as_of


def _lists(recfleet: Stack, tenant: str) -> list[tuple[Any, ...]]:
    """All that an application reads."""
    return recfleet.query(
        "select release_id, customer_id, rank, product_id from live_recommendation "
        "where tenant_id = %s order by 2, 3",
        tenant,
    )


def _most_listed(recfleet: Stack) -> str:
    [(product,)] = recfleet.query(
        "select product_id from live_recommendation where tenant_id = %s "
        "group by product_id order by count(*) desc, product_id limit 1",
        BRITAIN,
    )
    return str(product)


def _told(recfleet: Stack, tenant: str) -> list[tuple[str, str]]:
    """A tenant's entries in the audit, in order, with their actors."""
    return [(entry["kind"], entry["actor"]) for entry in recfleet.json("audit", tenant)]
