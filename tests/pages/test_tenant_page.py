"""What the Tenant page draws and says about a tenant's nights, data and history."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from recfleet.database import Connection
from recfleet.pages._words import by_name, told_of
from recfleet.quality import SAMPLE_LINES
from tests.nights import START, WEEK
from tests.pages.conftest import Visit
from tests.pages.test_fleet import DAY, Fleet

pytestmark = pytest.mark.postgres

HOUR = timedelta(hours=1)


@pytest.fixture
def fleet(connection: Connection) -> Fleet:
    return Fleet(connection)


def chart(page: str, name: str) -> dict[str, Any]:
    """The data that a page passes to the chart library."""
    found = re.search(rf'id="chart-{name}">([^<]*)<', page)
    assert found is not None
    drawn: dict[str, Any] = json.loads(found[1])
    return drawn


def section(page: str, name: str) -> str:
    """The words of a section of a page."""
    found = re.search(rf'<section aria-labelledby="{name}">(.*?)</section>', page, re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]*>", " ", found[1]).split())


def judged(fleet: Fleet, night: int, rmse: float, outcome: str = "kept") -> None:
    """Tenant ``a`` was judged in a night."""
    fleet.outcome(night, "a", outcome)
    numbers = {"contenders": {one: {"rmse": rmse} for one in ("champion", "popularity")}}
    fleet.run("update ledger set numbers = %s where night_id = %s", json.dumps(numbers), night)


def expectation(fleet: Fleet, night: int, name: str, *, success: bool) -> None:
    """Its data was checked in a night."""
    fleet.run(
        "insert into quality_result values (%s, 'a', %s, 'critical', %s, 0.5, 'at most 5%%', null)",
        night,
        name,
        success,
    )


def test_a_trial_hides_no_failure_of_the_last_real_night(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    real, trial = fleet.night(3), fleet.night(1, "backfill", is_trial=True)
    fleet.outcome(real, "a", "quarantined")
    expectation(fleet, real, "few-lines-without-customer", success=False)
    expectation(fleet, trial, "few-lines-without-customer", success=True)

    said = section(visit().get("/tenants/a").text, "quality")

    assert f"In night {real}" in said
    assert "1 of 1" in said


def test_trials_are_no_points_of_the_lines(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    for day, rmse in enumerate([0.5, 0.4, 0.3]):
        judged(fleet, fleet.night(day), rmse)
    for day in (0, 1):
        judged(fleet, fleet.night(day, "backfill", is_trial=True), 0.9, "backfilled")
    # Judged again as of the same time: the newest counts.
    judged(fleet, fleet.night(2), 0.2)

    drawn = chart(visit().get("/tenants/a").text, "rmse")

    assert drawn["x"] == [(START + day * DAY).timestamp() for day in range(3)]
    assert drawn["series"][0]["values"] == [0.5, 0.4, 0.2]


def test_a_long_backfill_crowds_no_real_night_out(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    judged(fleet, fleet.night(0), 0.5)
    fleet.run(
        "with made as (insert into night (run_id, as_of, kind, is_trial, backfill) select n::text, "
        "now(), 'backfill', true, 'run' from generate_series(1, 130) as n returning night_id) "
        "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, state, "
        "outcome) select night_id, 'a', 'on', '{}', 0, 1, 'b', 'published', 'backfilled' from made"
    )
    assert chart(visit().get("/tenants/a").text, "rmse")["series"][0]["values"] == [0.5]


def test_marks_stand_where_the_nights_stand(fleet: Fleet, visit: Visit) -> None:
    """Nights of the past, run now: a person's changes between them are drawn between them."""
    fleet.tenant("a", mode="frozen")
    nights = [fleet.night(day) for day in (0, 1, 2, 3)]
    for place, night in enumerate(nights):
        fleet.run(
            "update night set started_at = %s where night_id = %s",
            START + 300 * DAY + place * HOUR,
            night,
        )
    judged(fleet, nights[0], 0.5)
    judged(fleet, nights[1], 0.4)
    done: list[tuple[str, int | None, int | None, float, dict[str, str]]] = [
        ("policy", None, None, 0.1, {}),
        ("rollback", 1, nights[1], 1.1, {}),
        ("mode", None, None, 1.5, {"from": "on", "to": "off"}),
        ("mode", None, None, 2.5, {"from": "off", "to": "on"}),
        ("mode", None, None, 40, {"from": "on", "to": "frozen"}),
    ]
    for kind, version, made_in, at, facts in done:
        fleet.run(
            "insert into audit (happened_at, tenant_id, kind, from_version, to_version, night_id, "
            "facts, actor, reason) values (%s, 'a', %s, null, %s, %s, %s, 'anna', 'why')",
            START + 300 * DAY + at * HOUR,
            kind,
            version,
            made_in,
            json.dumps(facts),
        )

    marks = chart(visit().get("/tenants/a").text, "rmse")["marks"]

    places = {mark["label"]: mark["x"] - START.timestamp() for mark in marks}
    half, day = HOUR.total_seconds() / 2, DAY.total_seconds()
    assert places == {
        "rolled back to v1": day,
        "switched off": day + half,
        "switched on": 2 * day + half,
        "frozen": 3 * day + 37 * 2 * half,
    }
    champions = [mark["label"] for mark in marks if mark["is_champion"]]
    assert champions == ["rolled back to v1"]


def test_purchases_are_drawn_in_whole_weeks(fleet: Fleet, visit: Visit) -> None:
    """A first or last week with only some days does not look like a collapse."""
    fleet.tenant("a")
    # Two purchases a day for twenty-five days, and none in the last of the three weeks.
    fleet.run(
        "insert into interaction select 'a', %s - n * interval '12 hours', n, 'c' || n %% 3, 'p', "
        "1, 1 from generate_series(0, 49) as n where n / 14 <> 1",
        START,
    )
    page = visit().get("/tenants/a").text
    drawn = chart(page, "volume")
    assert [one["values"] for one in drawn["series"]] == [[14, 0, 14], [3, 0, 3]]
    assert drawn["x"] == [(START - weeks * WEEK).timestamp() for weeks in (2, 1, 0)]
    assert "Seven days to" in page

    # A later night found no new data, so there was a week without purchases.
    fleet.outcome(fleet.night(7), "a", "kept")
    assert chart(visit().get("/tenants/a").text, "volume")["series"][0]["values"][-2:] == [14, 0]


def test_what_was_seen_is_written_as_what_is_expected(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    night = fleet.night(0)
    for name, success, observed, expected in (
        ("customers", False, 0.47619047619047616, "at most 5%"),
        ("barely", False, 0.0500004, "at most 5%"),
        ("usual", False, 0.123456, "at least 0.4 times"),
        ("late", False, 23, "at most 14"),
        ("returns", True, 0.0312345, "at most 30%"),
        ("unknown", False, None, "known"),
        ("no-usable-line", True, 0.275, "known"),
        ("no-recent-line", True, 0.275, "at most 28 days"),
    ):
        fleet.run(
            "insert into quality_result values (%s, 'a', %s, 'warning', %s, %s, %s, null)",
            night,
            name,
            success,
            observed,
            expected,
        )
    fleet.run("update quality_result set usual = 0.031 where expectation = 'returns'")
    fleet.run("update quality_result set usual = 1 where expectation = 'usual'")
    said = section(visit().get("/tenants/a").text, "quality")
    assert "Observed 47.6%; expected at most 5%." in said
    assert "Observed 5.00004%; expected at most 5%." in said
    assert "Observed 0.123 times; expected at least 0.4 times; 1 times was usual" in said
    assert "Observed 23; expected at most 14." in said
    assert "Observed nothing; expected known." in said
    assert "returns warning 3.12% at most 30%" in said
    assert "no-usable-line warning 0.275 days known" in said
    assert "no-recent-line warning 0.275 days at most 28 days" in said


def test_the_history_says_what_was_changed(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    many = ["p1", "p2", "p3", "p4"]
    for kind, facts in (
        ("mode", {"from": "on", "to": "frozen"}),
        (
            "policy",
            {
                "changes": {
                    "minimum_gain": {"from": 0.005, "to": 0.02},
                    "excluded_products": {"from": [], "to": many},
                }
            },
        ),
        ("backfill", {"from": "2025-12-14T00:00:00+00:00", "to": "2025-12-28T00:00:00+00:00"}),
    ):
        fleet.run(
            "insert into audit (tenant_id, kind, facts, actor, reason) "
            "values ('a', %s, %s, 'anna', 'why')",
            kind,
            json.dumps(facts),
        )
    said = section(visit().get("/tenants/a").text, "history")
    assert "on → frozen" in said
    assert "minimum_gain 0.005 → 0.02, excluded_products none → a list of 4" in said
    assert "2025-12-14 to 2025-12-28" in said


def test_one_goes_back_to_what_is_older(fleet: Fleet, visit: Visit) -> None:
    night = fleet.night(0)
    history = [(1, "first model", None), (2, "promotion", 1), (1, "rollback", 2)]
    for tenant_id, champion in (("back", 1), ("ahead", 3)):
        fleet.tenant(tenant_id)
        fleet.live(night, tenant_id, champion)
        for version, kind, former in [*history, (3, "promotion", 1)][: champion + 2]:
            fleet.run(
                "insert into audit (tenant_id, kind, from_version, to_version, facts, actor, "
                "reason) values (%s, %s, %s, %s, '{}', 'anna', 'why')",
                tenant_id,
                kind,
                former,
                version,
            )
    assert 'id="roll-back"' not in visit().get("/tenants/back").text, "nothing is older than 1"
    offered = re.findall(r'<option value="(\d+)">([^<]*)<', visit().get("/tenants/ahead").text)
    assert [number for number, _ in offered] == ["2", "1"]
    assert "; rolled back from on " in offered[0][1]
    assert "rolled back" not in offered[1][1]


def test_white_space_around_a_customers_id_does_not_count(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    night = fleet.night(0)
    fleet.partition(night)
    fleet.live(night, "a")
    fleet.run(
        "insert into recommendation (night_id, release_id, customer_id, products, scores, source) "
        "select night_id, release_id, 'C1', '{p1}', '{0.5}', 'model' from release"
    )
    fleet.run("update release set offers = 'again'")
    page = visit().get("/tenants/a?customer=%20C1%09").text
    said = section(page, "look-up")
    assert "The live list of C1 ." in said
    assert "p1 again 1 0.5000 taste" in said
    assert "products bought before" in page


def test_a_tenant_is_named_only_where_its_id_stands() -> None:
    assert by_name("al", "Al & Co", "al: it is frozen") == "Al & Co: it is frozen"
    for other in ("already frozen", "al-2 is frozen", "it is al"):
        assert by_name("al", "Al & Co", other) == other


def test_what_is_off_is_told_by_its_name(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a", mode="off", name="Apple & Co")
    said = section(visit().get("/tenants/a?customer=C1").text, "look-up")
    assert "Apple &amp; Co is off: its customers get no recommendations" in said


def test_a_model_is_in_force_from_the_night_that_put_it_there(fleet: Fleet, visit: Visit) -> None:
    """This also holds for a champion that a person went back to."""
    fleet.tenant("a")
    promoting, by_day = fleet.night(0), fleet.night(1, "operator")
    for role, version, night in (("previous", 1, promoting), ("champion", 2, by_day)):
        fleet.run(
            "insert into champion (tenant_id, role, version, run_id, model_uri, train_end, "
            "night_id, promoted_at) values ('a', %s, %s, 'r', 'file:///m', now(), %s, %s)",
            role,
            version,
            night,
            START,
        )
    page = visit().get("/tenants/a").text
    said = section(page, "models")
    assert "In force from Airflow champion" in said
    assert "Promoted" not in said
    assert f"night {by_day} done by day previous" in said
    assert 'aria-label="Airflow run that put version 1 in force"' in page
    assert "put version 2 in force" not in page


def test_lines_that_are_the_cause_are_not_counted_where_there_may_be_more(
    fleet: Fleet, visit: Visit
) -> None:
    fleet.tenant("a")
    night = fleet.night(0)
    line = {"at": "2025-12-27T18:59:22+00:00", "reason": "no customer", "line": {"price": "2"}}
    for name, lines in (("one", 1), ("few", SAMPLE_LINES - 1), ("many", SAMPLE_LINES)):
        fleet.run(
            "insert into quality_result "
            "values (%s, 'a', %s, 'critical', false, 0.5, 'at most 5%%', %s)",
            night,
            name,
            json.dumps([line] * lines),
        )
    said = section(visit().get("/tenants/a").text, "quality")
    assert "1 failing line" in said
    assert "9 failing lines" in said
    assert "The latest 10 failing lines" in said
    # Times are written as everywhere else on the page.
    assert "27 Dec 2025, 18:59 price 2 no customer" in said
    assert "2025-12-27T" not in said


def test_an_empty_chart_says_what_it_waits_for(fleet: Fleet, visit: Visit) -> None:
    """A thin tenant's nights did run, but they did not judge."""
    fleet.tenant("a")
    fleet.outcome(fleet.night(0), "a", "too thin", "too thin to train: before the holdout it has 0")
    page = visit().get("/tenants/a").text
    assert section(page, "judged").count("No night has judged a model of this tenant yet.") == 2
    assert "The tenant has no purchases yet." in section(page, "quality")
    assert "has recorded this" not in page


@pytest.mark.parametrize(
    ("outcome", "reason", "told"),
    [
        (
            "too thin",
            "too thin to train: before the holdout it has 13 customers (at least 30)",
            "Before the holdout it has 13 customers (at least 30).",
        ),
        ("rolled back", "rollback by anna: it is worse", "By anna: it is worse."),
        ("promoted", "promote by anna: is it better?", "By anna: is it better?"),
        ("promoted", "approval by anna: it is", "Approval by anna: it is."),
        (
            "switched on",
            "switched on by anna (open again); it has",
            "By anna (open again); it has.",
        ),
        ("kept", "too thin to train: it has 13", "Too thin to train: it has 13."),
        ("kept", "The gain is too small.", "The gain is too small."),
        ("rejected", None, ""),
        (None, "validate is under way", "Validate is under way."),
    ],
)
def test_a_reason_is_a_sentence_and_does_not_say_its_outcome_again(
    outcome: str | None, reason: str | None, told: str
) -> None:
    assert told_of(reason, outcome) == told


def test_what_became_of_the_last_night_is_told_once(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    night = fleet.night(0)
    fleet.live(night, "a")
    fleet.outcome(night, "a", "too thin", "too thin to train: it has 13 customers")
    page = visit().get("/tenants/a").text
    assert "<strong>Too thin.</strong> It has 13 customers.</div>" in page
    assert '<td class="wide">It has 13 customers.</td>' in page


def test_attributed_and_incremental_stand_side_by_side(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    assert "Nothing is known" in section(visit().get("/tenants/a").text, "brings")
    fleet.night(1)
    fleet.run("insert into attributed values ('a', now(), 14, current_date - 9)")
    day = "insert into kpi_day values ('a', current_date - 1, 'pull',"
    fleet.run(f"{day} 'all', 7, null, 5, 4, 0, 0, 0, 0, 0, 0)")
    fleet.run(f"{day} 'new', 7, 'popular', 0, 0, 20, 5, 1, 2, 1, 30.5)")
    assert "There is no control" in section(visit().get("/tenants/a").text, "brings")
    fleet.run(
        "insert into incremental values ('a', current_date, 'push', 90, 60, 12, 10, 2, 1, 3), "
        "('a', current_date, 'pull', 9, 6, 12, 10, null, null, null)"
    )

    said = section(visit().get("/tenants/a").text, "brings")

    for words in (
        "Attributed revenue 30.50 2 purchases, 1 claimed",
        "Accept rate 25.0% 5 of 20 products seen",
        "bought anyhow",
        "Incremental revenue, push 180.00 between 90.00 and 270.00; 90 customers served",
        "Incremental revenue, pull not known yet",
        "no experiment 5 4 0",
        "popular 0 0 20 5 25.0% 2 30.50",
    ):
        assert words in said
    tiles = section(visit().get("/fleet").text, "last-night")
    assert "Recommending pays 1 surely, of 1 tenant with a control; 0 surely lose" in tiles
