"""What the pages say about nights: their tenants, outcomes and costs."""

from __future__ import annotations

import json
import re

import pytest

from recfleet.database import Connection
from tests.pages.conftest import Visit
from tests.pages.test_fleet import Fleet
from tests.pages.test_tenant_page import chart, section

pytestmark = pytest.mark.postgres


@pytest.fixture
def fleet(connection: Connection) -> Fleet:
    return Fleet(connection)


def names(page: str) -> list[str]:
    """The tenants that a night's table names."""
    found = re.search(r'<section aria-labelledby="tenants">(.*?)</section>', page, re.DOTALL)
    assert found is not None
    return re.findall(r'<th scope="row"><a[^>]*>([^<]*)</a>', found[1])


def test_who_took_longest_is_told_by_their_own_parts(fleet: Fleet, visit: Visit) -> None:
    """A process's imports count in the totals, and in no tenant's time."""
    night = fleet.night(0)
    own = {"validate.profile": 2, "train.fit": 100, "judge.score": 20, "publish.read": 5}
    timings = {
        "quick": {"publish.write": 12, "publish.total": 2748, "train_and_judge.total": 9000},
        "slow": own,
        # Its process ended before it had reported any part.
        "ended": {"train_and_judge.total": 30_000},
    }
    for tenant, parts in timings.items():
        fleet.tenant(tenant)
        fleet.outcome(night, tenant, "kept")
        # For this stage only the total is known, so that is its time.
        told = parts if tenant == "ended" else {**parts, "validate.total": 1}
        fleet.run("update ledger set timings = %s where tenant_id = %s", json.dumps(told), tenant)
    fleet.run(
        "update ledger set timings = timings || '{\"train.fit\": 3}' where tenant_id = 'quick'"
    )

    said = section(visit().get(f"/nights/{night}").text, "slowest")

    assert "Tenant Validate Train and judge Publish Total" in said
    ended, slow, quick = (
        "Ended 0.0 ms 30 s 0.0 ms 30 s",
        "Slow 2.0 ms 120 ms 5.0 ms 127 ms",
        "Quick",
    )
    assert said.index(ended) < said.index(slow) < said.index(quick)
    assert "Quick 1.0 ms 3.0 ms 12 ms 16 ms" in said


def test_the_legend_leads_to_whom_it_counts(fleet: Fleet, visit: Visit) -> None:
    before, night = fleet.night(0), fleet.night(1)
    for tenant in "abcd":
        fleet.tenant(tenant)
    # Kept before, and no part of the last night.
    fleet.outcome(before, "d", "kept")
    fleet.outcome(night, "a", "kept")
    fleet.outcome(night, "b", "kept")
    # A later night has another outcome for b.
    fleet.outcome(fleet.night(1, "operator"), "b", "rolled back")
    fleet.outcome(night, "c", "kept")
    fleet.run("update ledger set outcome = null where tenant_id = 'c'")
    for outcome, expected in (("kept", ["A", "B"]), ("under way", ["C"])):
        for address in ("/fleet", f"/nights/{night}"):
            found = re.search(
                rf'<a href="([^"#]*)[^"]*">{outcome}</a> (\d+)', visit().get(address).text
            )
            assert found is not None
            assert int(found[2]) == len(expected)
            assert names(visit().get(found[1]).text) == expected
    assert names(visit().get(f"/nights/{night}?outcome=no+such&page=x").text) == ["A", "B", "C"]


def test_the_tenants_of_a_night_are_told_in_pages(fleet: Fleet, visit: Visit) -> None:
    night = fleet.night(0)
    for number in range(51):
        fleet.tenant(f"t{number:02}")
        fleet.outcome(night, f"t{number:02}", "kept")
    page = visit().get(f"/nights/{night}?outcome=kept").text
    following = re.search(r'rel="next" href="([^"#]*)', page)
    assert following is not None
    rest = visit().get(following[1].replace("&amp;", "&")).text
    assert [*names(page), *names(rest)] == [f"T{number:02}" for number in range(51)]
    assert names(visit().get(f"/nights/{night}?page=9").text) == ["T50"]


def test_a_night_by_day_says_whose_it_was(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a", name="Teal Music")
    night = fleet.night(0, "operator")
    fleet.outcome(night, "a", "rolled back", "rollback by anna: it is better")
    fleet.run("""update night set summary = '{"sentence": "rollback by anna"}'""")
    page = visit().get(f"/nights/{night}").text
    assert names(page) == ["Teal Music"]
    assert ">By anna: it is better.<" in page
    assert "<p>Rollback by anna.</p>" in page
    assert ">Rollback by anna.<" in visit().get("/nights").text
    # It is opened and closed at once, whatever was done in it.
    assert "0.0 s" not in page + visit().get("/nights").text
    assert "Done by a person by day, without Airflow." in page
    assert "Slowest tenants" not in page
    assert "No shard ran" not in page


def test_a_trial_says_what_would_have_been(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    trial = fleet.night(0, "backfill", is_trial=True)
    fleet.outcome(trial, "a", "backfilled")
    fleet.run("update ledger set verdict = 'promote'")
    for address in (f"/nights/{trial}", "/tenants/a"):
        assert "would have been promoted" in visit().get(address).text


def test_each_night_of_a_backfill_took_its_own_time(fleet: Fleet, visit: Visit) -> None:
    """They are opened and closed together."""
    nights = [fleet.night(day, "backfill", is_trial=True) for day in (0, 1)]
    fleet.run("update night set started_at = now(), finished_at = now() + interval '60 s'")
    for place, night in enumerate(nights):
        fleet.run(
            "insert into shard_run (night_id, stage, shard, attempt, started_at, finished_at) "
            "values (%s, 'publish', 0, 1, now() + %s * interval '20 s', now() + interval '31 s')",
            night,
            place,
        )
    page = visit().get("/nights").text
    assert ">31 s<" in page
    assert ">11 s<" in page
    assert "took 11 s" in visit().get(f"/nights/{nights[1]}").text


def test_first_models_are_no_promotions(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    fleet.outcome(fleet.night(0), "a", "first model")
    skill = {"judged": 5, "share_better": 1, "median": 0.04}
    summary = {"outcomes": {"first model": 3, "promoted": 2}, "skill": skill}
    fleet.run("update night set summary = %s", json.dumps({**summary, "modes": {"on": 1}}))
    page = visit().get("/fleet").text
    drawn = {one["label"]: one["values"] for one in chart(page, "outcomes")["series"]}
    assert drawn["promoted"] == [2]
    assert drawn["first model"] == [3]
    # A share of all tenants and a gain of some percent do not belong on one axis.
    assert [one["values"] for one in chart(page, "better")["series"]] == [[1]]


def test_nothing_is_live_of_a_tenant_that_is_off(fleet: Fleet, visit: Visit) -> None:
    night = fleet.night(0)
    fleet.tenant("a", mode="off")
    fleet.outcome(night, "a", "kept")
    fleet.live(night, "a")
    assert "A a no off kept – – – nothing –" in section(visit().get("/fleet").text, "tenants")
