"""The tenants that need a person, their order and reasons; and the table of tenants."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recfleet.database import Connection
from recfleet.feeds import add_feed
from recfleet.feeds.table import end_look
from recfleet.quality import DocsPage, store_docs
from recfleet.releases import create_partition
from tests.nights import START
from tests.pages.conftest import Visit
from tests.roles import administer

pytestmark = pytest.mark.postgres

DAY = timedelta(days=1)


class Fleet:
    """Writes tenants and nights as the fleet leaves them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(text, parameters)
            found = cursor.fetchall() if cursor.description else []
        self._connection.commit()
        return found

    def tenant(self, tenant_id: str, mode: str = "on", name: str | None = None) -> None:
        self.run(
            "insert into tenant (tenant_id, name, mode) values (%s, %s, %s)",
            tenant_id,
            name or tenant_id.title(),
            mode,
        )

    def night(
        self,
        day: int,
        kind: str = "fleet",
        *,
        is_trial: bool = False,
        left_out: int | None = None,
    ) -> int:
        [(night_id,)] = self.run(
            "insert into night (run_id, as_of, status, finished_at, kind, is_trial, backfill, "
            "summary) values (gen_random_uuid(), %s, 'done', now(), %s, %s, %s, %s) "
            "returning night_id",
            START + day * DAY,
            kind,
            is_trial,
            "run" if kind == "backfill" else None,
            json.dumps({"left_out": left_out, "outcomes": {"promoted": 1}}),
        )
        return int(night_id)

    def outcome(
        self,
        night: int,
        tenant_id: str,
        outcome: str,
        reason: str = "",
        skill: float | None = None,
    ) -> None:
        numbers = None
        if skill is not None:
            everybody = ("champion", "challenger", "previous")
            numbers = {"contenders": {one: {"skill": skill, "rmse": 0.5} for one in everybody}}
        self.run(
            "insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, "
            "state, outcome, reason, numbers) "
            "values (%s, %s, 'on', '{}', 0, 1, 'b', 'published', %s, %s, %s)",
            night,
            tenant_id,
            outcome,
            reason,
            None if numbers is None else json.dumps(numbers),
        )

    def live(self, night: int, tenant_id: str, version: int | None = 1) -> None:
        if version is not None:
            self.run(
                "insert into champion (tenant_id, role, version, run_id, model_uri, train_end, "
                "night_id) values (%s, 'champion', %s, 'r', 'file:///m', now(), %s)",
                tenant_id,
                version,
                night,
            )
        self.run(
            "with made as (insert into release (tenant_id, night_id, served_by, model_version, "
            "as_of, fingerprint, customers, from_model, popular_products, popular_scores, checks) "
            "select %s, night_id, %s, %s, as_of, 'f', 7, 7, '{p1}', '{0.1}', '[]' from night "
            "where night_id = %s returning *) insert into live_release "
            "(tenant_id, release_id, night_id) select tenant_id, release_id, night_id from made",
            tenant_id,
            "popularity" if version is None else "model",
            version,
            night,
        )

    def partition(self, night: int) -> None:
        create_partition(self._connection, night)
        self._connection.commit()

    def waits(self, night: int, tenant_id: str, hours: int) -> None:
        self.run(
            "insert into approval (tenant_id, night_id, change, version, run_id, held_by, "
            "expires_at) values (%s, %s, 'promotion', 2, 'r', 'policy', "
            "now() + %s * interval '1 hour')",
            tenant_id,
            night,
            hours,
        )


@pytest.fixture
def fleet(connection: Connection) -> Fleet:
    return Fleet(connection)


def needy(page: str) -> list[tuple[str, str, str]]:
    """Name, reason's title and reason of tenants that need a person, in the page's order."""
    found = re.findall(
        r'<a class="who"[^>]*>([^<]*)</a>\s*<span class="badges"><span[^>]*>([^<]*)</span>'
        r".*?<p>([^<]*)</p>",
        page,
        flags=re.DOTALL,
    )
    return [(name, title, reason.strip()) for name, title, reason in found]


def table(page: str) -> list[str]:
    """Ids of the tenants in the table."""
    return re.findall(r'<th scope="row"><a[^>]*>[^<]*</a><small>([^<]*)</small>', page)


def test_the_most_urgent_come_first_each_with_its_reason(fleet: Fleet, visit: Visit) -> None:
    long_ago = fleet.night(0)
    for day in (1, 2):
        fleet.night(day)
    last = fleet.night(3)
    for tenant in "abcdefghijklmn":
        fleet.tenant(tenant)
    fleet.tenant("z", mode="off")
    fleet.outcome(last, "a", "kept", "all is well", skill=0.1)
    fleet.live(last, "a")
    fleet.outcome(last, "b", "no data", "it has no purchases before then")
    fleet.outcome(last, "c", "too thin", "too few customers")
    fleet.outcome(last, "d", "nothing to offer", "no product is sold")
    fleet.live(last, "d", None)
    fleet.outcome(last, "e", "kept", "it could not be renewed", skill=0.1)
    fleet.live(long_ago, "e")
    fleet.outcome(last, "f", "kept", "no better", skill=-0.0123)
    fleet.live(last, "f")
    fleet.outcome(last, "g", "rolled back", "it was surely worse", skill=0.1)
    fleet.live(last, "g")
    fleet.outcome(last, "h", "awaiting approval", "gains 3%", skill=0.1)
    fleet.waits(last, "h", 30)
    fleet.outcome(last, "i", "awaiting approval", "gains 2%", skill=0.1)
    fleet.waits(last, "i", 3)
    fleet.outcome(last, "j", "quarantined", "half its lines repeat")
    fleet.outcome(last, "k", "failed", "no memory")
    fleet.outcome(last, "l", "unchanged", "nothing new")
    fleet.live(long_ago, "l")
    # A trial changes nothing; a person's work by day does.
    fleet.outcome(last, "m", "failed", "no memory")
    fleet.outcome(fleet.night(3, "operator"), "m", "rolled back", "by anna: it is better")
    fleet.live(last, "m")
    fleet.outcome(last, "n", "kept", "all is well", skill=0.2)
    fleet.live(last, "n")
    fleet.outcome(fleet.night(2, "backfill", is_trial=True), "n", "failed", "of a trial")
    fleet.outcome(last, "z", "failed", "but it is off")

    found = needy(visit().get("/fleet").text)

    assert [(name, title) for name, title, _ in found] == [
        ("K", "failed"),
        ("J", "quarantined"),
        ("I", "awaiting approval"),
        ("H", "awaiting approval"),
        ("G", "rolled back"),
        ("F", "worse than popularity"),
        ("E", "old lists"),
        ("D", "nothing to offer"),
        ("C", "nothing live"),
        ("B", "no data"),
    ]
    reasons = {name: reason for name, _, reason in found}
    assert reasons["K"] == "no memory"
    assert "Version 2 waits for a person until" in reasons["I"]
    assert html.unescape(reasons["F"]).startswith("The served model's error (RMSE) is 1.23% above")
    assert "of 2026-01-05" in reasons["E"]
    assert "it could not be renewed" in reasons["E"]
    assert "too few customers" in reasons["C"]


def test_what_was_answered_needs_nobody_any_more(fleet: Fleet, visit: Visit) -> None:
    night = fleet.night(0)
    for tenant in ("asked", "late", "refused"):
        fleet.tenant(tenant)
        fleet.outcome(night, tenant, "awaiting approval", "held for a person", skill=0.1)
        fleet.live(night, tenant)
        fleet.waits(night, tenant, -1 if tenant == "late" else 5)
    fleet.run(
        "update approval set status = 'rejected', decided_at = now(), decided_by = 'anna', "
        "decision_reason = 'too small a gain' where tenant_id = 'refused'"
    )

    page = visit().get("/fleet").text
    assert [(name, title) for name, title, _ in needy(page)] == [("Asked", "awaiting approval")]
    assert table(visit().get("/fleet?outcome=awaiting approval").text) == ["asked"]
    assert table(visit().get("/fleet?outcome=not approved").text) == ["late", "refused"]
    assert "waits for a person until" in visit().get("/tenants/asked").text
    for tenant, reason in {
        "late": "Version 2 waited for a person: nobody answered in time",
        "refused": "Version 2 was rejected by anna: too small a gain",
    }.items():
        alone = visit().get(f"/tenants/{tenant}").text
        assert f"<strong>Not approved.</strong> {reason}.</div>" in alone
        assert 'class="badge warn">awaiting approval' not in alone.partition("Judged")[0]

    # The night's outcomes stay; the tile says that none of them is still waiting.
    assert "none now" not in page
    fleet.run("update approval set expires_at = now() where status = 'waiting'")
    page = visit().get("/fleet").text
    assert "No tenant: last night served each one" in page
    assert "<dt>Awaiting approval</dt><dd>0<small>3 that night, none now</small></dd>" in page


def test_a_night_of_named_tenants_is_not_taken_for_the_fleets(fleet: Fleet, visit: Visit) -> None:
    for tenant in "abc":
        fleet.tenant(tenant)
    named = fleet.night(0, left_out=2)
    fleet.outcome(named, "a", "promoted", skill=0.1)
    fleet.live(named, "a")
    alone = " ".join(visit().get("/fleet").text.split())
    assert 'class="quiet">Last night, of 1 of 3 tenants</h2>' in alone
    assert f'Last night: <a href="/nights/{named}">{named}</a>, of 1 of 3 tenants, as' in alone

    whole = fleet.night(0)
    for tenant in "abc":
        fleet.outcome(whole, tenant, "kept", skill=0.1)
    for tenant in "bc":
        fleet.live(whole, tenant)
    # Nights of named tenants do not change the age of other tenants' lists.
    for day in (1, 2, 3):
        named = fleet.night(day, left_out=2)
        fleet.outcome(named, "a", "failed", "no memory")

    page = " ".join(visit().get("/fleet").text.split())
    assert 'class="quiet">Last night</h2>' in page
    assert '?outcome=kept#tenants">kept</a> 3</li>' in page
    assert f'Since then night <a href="/nights/{named}">{named}</a>, of 1 of 3 tenants' in page
    assert [(name, title) for name, title, _ in needy(page)] == [("A", "failed")]
    drawn = re.search(r'id="chart-outcomes">(.*?)</script>', page)
    assert drawn is not None
    assert json.loads(drawn[1])["x"] == [START.timestamp()]


def test_a_night_that_judged_nobody_leaves_what_was_said_of_the_champion(
    fleet: Fleet, visit: Visit
) -> None:
    before, first, last = fleet.night(0), fleet.night(1), fleet.night(2)
    for tenant in ("same", "replaced"):
        fleet.tenant(tenant)
        fleet.outcome(first, tenant, "kept", skill=-0.02)
        fleet.outcome(last, tenant, "unchanged")
    fleet.live(before, "same")
    # Another champion since then, of which nothing is known yet.
    fleet.live(last, "replaced", 2)
    assert [name for name, *_ in needy(visit().get("/fleet").text)] == ["Same"]


def test_a_change_by_day_leaves_what_a_night_said_of_the_version(
    fleet: Fleet, visit: Visit
) -> None:
    first, by_day, last = fleet.night(0), fleet.night(0, "operator"), fleet.night(1)
    skills = {"champion": -0.01, "challenger": -0.02, "previous": -0.03}
    judged = json.dumps({"contenders": {one: {"skill": it} for one, it in skills.items()}})

    def tell(
        tenant: str, kind: str, versions: tuple[int | None, int], change: str = "", *, by_hand: bool
    ) -> None:
        fleet.run(
            "insert into audit (tenant_id, kind, from_version, to_version, numbers, facts, actor, "
            "reason) values (%s, %s, %s, %s, %s, %s, 'anna', 'better')",
            tenant,
            kind,
            *versions,
            "{}" if by_hand else judged,
            json.dumps({"change": change} if change else {}),
        )

    in_force = {"approved": 2, "promoted": 2, "taken-back": 1, "went-back": 1, "brought": 3}
    for tenant, version in in_force.items():
        fleet.tenant(tenant)
        fleet.outcome(first, tenant, "awaiting approval", skill=0.4)
        fleet.outcome(by_day, tenant, "promoted")
        fleet.outcome(last, tenant, "unchanged")
        fleet.live(by_day, tenant, version)
    tell("approved", "awaiting approval", (1, 2), "promotion", by_hand=False)
    tell("approved", "promotion", (1, 2), by_hand=False)
    # For a request that nobody answered in time, the night's outcome stays.
    tell("promoted", "awaiting approval", (None, 2), "promotion", by_hand=False)
    tell("promoted", "first model", (None, 2), by_hand=True)
    # The night that replaced a version judged it once more.
    tell("taken-back", "promotion", (1, 2), by_hand=False)
    tell("taken-back", "rollback", (2, 1), by_hand=True)
    tell("went-back", "awaiting approval", (2, 1), "rollback", by_hand=False)
    tell("went-back", "rollback", (2, 1), by_hand=False)
    tell("brought", "promotion", (1, 3), by_hand=True)

    page = visit().get("/fleet?sort=tenant").text
    shown = re.findall(r'<td class="n (?:bad-text)?">([^<]*)</td>', page)
    assert dict(zip(table(page), shown, strict=True)) == {
        "approved": "-2.0%",
        "brought": "–",
        "promoted": "-2.0%",
        "taken-back": "-1.0%",
        "went-back": "-3.0%",
    }
    worse = {name for name, title, _ in needy(page) if title == "worse than popularity"}
    assert worse == {"Approved", "Promoted", "Taken-Back", "Went-Back"}


def test_each_tenants_lists_are_shown_beside_popular_products(fleet: Fleet, visit: Visit) -> None:
    night = fleet.night(0)
    lists = {"challenger": 0.3, "champion": 0.24, "without": 0.22}
    numbers = {"contenders": {"popularity": {"ndcg_at_10": 0.2}}, "lists": lists}
    outcomes = {"changed": "promoted", "same": "kept", "none": "rejected", "back": "rolled back"}
    for tenant, outcome in outcomes.items():
        fleet.tenant(tenant)
        fleet.outcome(night, tenant, outcome)
        told = {**lists, "champion": None} if tenant == "none" else lists
        fleet.run(
            "update ledger set numbers = %s where tenant_id = %s",
            json.dumps({**numbers, "lists": told}),
            tenant,
        )
    summary = {"lists": {"judged": 3, "share_better": 1.0, "median": 0.2}}
    fleet.run("update night set summary = %s", json.dumps(summary))

    page = visit().get("/fleet").text

    gains = re.findall(r'<td class="n lists">([^<]*)</td>', page)
    assert dict(zip(table(page), gains, strict=True)) == {
        "changed": "+50.0%",
        "same": "+20.0%",
        "none": "+10.0%",
        "back": "–",
    }
    assert "100%<small>of 3 judged, as served; median NDCG@10 +20.0%</small>" in page


def test_the_numbers_below_the_charts_are_those_that_are_drawn(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    for day, summary in enumerate(
        (
            {"outcomes": {"kept": 8}},
            {"outcomes": {"kept": 8}, "modes": {"on": 8}},
            {
                "outcomes": {"kept": 5, "rejected": 2},
                "modes": {"on": 7, "frozen": 1},
                "skill": {"judged": 5, "share_better": 0.8, "median": 0.031},
            },
        )
    ):
        night = fleet.night(day)
        fleet.run("update night set summary = %s where night_id = %s", json.dumps(summary), night)

    page = visit().get("/fleet").text
    numbers = page.partition("The numbers of these charts")[2].partition("</table>")[0]
    shown = [
        re.findall(r'<td class="n">([^<]*)</td>', row)
        for row in numbers.split("<tr>")
        if "/night" in row
    ]
    assert [row[-2:] for row in shown] == [["12.5%", "0.0%"], ["0.0%", "0.0%"], ["–", "–"]]
    assert shown[0][:2] == ["80%", "3.1%"]
    # A tenant without a model is judged too, but is in no share.
    assert "80%<small>of 5 judged and served by a model; median gain 3.1%</small>" in page
    assert "<span>share of the tenants judged and served by a model</span>" in page
    assert "<span>median of the tenants judged and served by a model</span>" in page


def test_with_nobody_in_need_the_page_says_so(fleet: Fleet, visit: Visit) -> None:
    night = fleet.night(0)
    fleet.tenant("a")
    fleet.outcome(night, "a", "kept", skill=0.1)
    fleet.live(night, "a")
    assert "No tenant: last night served each one" in visit().get("/fleet").text


def test_without_tenants_or_nights_the_page_says_what_to_do(fleet: Fleet, visit: Visit) -> None:
    assert "There are no tenants yet" in visit().get("/fleet").text
    assert "There has been no night yet" in visit().get("/nights").text
    assert "No change is waiting." in visit().get("/approvals").text
    fleet.tenant("a")
    assert "1 tenant, but no night yet" in visit().get("/fleet").text
    alone = visit().get("/tenants/a").text
    assert "The tenant has not been part of a night yet." in alone
    assert "Nothing has been published yet." in alone


def test_pages_follow_each_other_and_hold_every_tenant_once(fleet: Fleet, visit: Visit) -> None:
    fleet.run(
        "insert into tenant (tenant_id, name) "
        "select 'shop-' || lpad(n::text, 3, '0'), 'Shop ' || n from generate_series(1, 120) as n"
    )
    seen: list[str] = []
    address = "/fleet?sort=tenant"
    for _ in range(3):
        page = visit().get(address).text
        seen += table(page)
        following = re.search(r'rel="next" href="([^"#]*)', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"shop-{number:03}" for number in range(1, 121)]
    assert address == ""
    past_the_last = visit().get("/fleet?sort=tenant&page=9").text
    assert table(past_the_last) == seen[100:]
    assert "120 tenants, page 3 of 3" in past_the_last


MODES = ("on", "frozen", "off")
OUTCOMES = ("kept", "failed", "quarantined", "promoted", None)
SHOPS = st.lists(
    st.tuples(
        st.sampled_from(["Ärger & Söhne", "100% Wool", "under_score", "Plain", "O'Neil", "<b>"]),
        st.sampled_from(MODES),
        st.sampled_from(OUTCOMES),
    ),
    max_size=12,
)


@given(
    shops=SHOPS,
    query=st.fixed_dictionaries(
        {
            "q": st.sampled_from(["", "%", "_", "'", "<", "ärger", "PLAIN", "shop-0", "no such"]),
            "mode": st.sampled_from(["", *MODES, "asleep"]),
            "outcome": st.sampled_from(["", "kept", "failed", "no such"]),
            "attention": st.sampled_from(["", "any", "failed", "no-such"]),
        }
    ),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_search_and_filters_find_what_a_plain_loop_finds(
    fleet: Fleet,
    visit: Visit,
    shops: list[tuple[str, str, str | None]],
    query: dict[str, str],
) -> None:
    search, mode = query["q"], query["mode"]
    outcome, attention = query["outcome"], query["attention"]
    fleet.run("delete from ledger")
    fleet.run("delete from tenant")
    night = fleet.night(0)
    expected = []
    for number, (name, its_mode, its_outcome) in enumerate(shops):
        tenant_id = f"shop-{number:02}"
        fleet.tenant(tenant_id, its_mode, name)
        if its_outcome:
            fleet.outcome(night, tenant_id, its_outcome)
        needs = its_outcome is not None and its_mode != "off"
        reason = its_outcome if its_outcome in ("failed", "quarantined") else "nothing-live"
        fits = (
            (search.lower() in tenant_id or search.lower() in name.lower())
            and mode in ("", "asleep", its_mode)
            and outcome in ("", its_outcome)
            and (attention in ("", "no-such") or (needs and attention in ("any", reason)))
        )
        expected += [tenant_id] if fits else []
    page = visit().get("/fleet", params={**query, "sort": "tenant"}).text
    assert table(page) == expected


SORTS = ("attention", "tenant", "mode", "outcome", "skill", "lists")


@pytest.mark.parametrize("sort", [sign + sort for sort in SORTS for sign in ("", "-")])
def test_every_sort_holds_all(fleet: Fleet, visit: Visit, sort: str) -> None:
    first, last = fleet.night(0), fleet.night(1)
    for number, skill in enumerate([0.1, None, 0.3, 0.2]):
        fleet.tenant(f"t{number}", mode=MODES[number % 3])
        outcome = "failed" if number == 3 else "kept"
        fleet.outcome(last, f"t{number}", outcome, skill=skill)
        fleet.live(first if number % 2 else last, f"t{number}")
    found = table(visit().get(f"/fleet?sort={sort}").text)
    assert sorted(found) == ["t0", "t1", "t2", "t3"]
    expected = {
        "attention": ["t3", "t0", "t1", "t2"],
        "-attention": ["t0", "t1", "t2", "t3"],
        "tenant": ["t0", "t1", "t2", "t3"],
        "-tenant": ["t3", "t2", "t1", "t0"],
        "mode": ["t1", "t2", "t0", "t3"],
        "-mode": ["t0", "t3", "t2", "t1"],
        "outcome": ["t3", "t0", "t1", "t2"],
        "-outcome": ["t0", "t1", "t2", "t3"],
        "skill": ["t0", "t3", "t2", "t1"],
        "-skill": ["t2", "t3", "t0", "t1"],
        # A tenant that is off has nothing live.
        "lists": ["t1", "t3", "t0", "t2"],
        "-lists": ["t0", "t1", "t3", "t2"],
    }
    assert found == expected[sort]


def test_every_column_is_sorted_the_other_way_by_a_second_click(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a")
    for column in SORTS:
        page = visit().get(f"/fleet?sort={column}").text
        assert f'href="/fleet?sort=-{column}#tenants"' in page


HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"


def test_text_of_tenants_is_never_markup(fleet: Fleet, visit: Visit) -> None:
    night = fleet.night(0)
    fleet.tenant("a", name=HOSTILE)
    fleet.outcome(night, "a", "quarantined", HOSTILE, skill=0.1)
    fleet.partition(night)
    fleet.live(night, "a")
    fleet.waits(night, "a", 5)
    fleet.run("insert into product values ('a', 'p1', %s)", HOSTILE)
    fleet.run(
        "insert into recommendation select night_id, release_id, %s, '{p1}', '{0.5}', 'model' "
        "from live_release",
        HOSTILE,
    )
    sample = json.dumps([{"reason": HOSTILE, "line": {HOSTILE: HOSTILE}}])
    fleet.run(
        "insert into quality_result values (%s, 'a', %s, 'critical', false, 1, %s, %s)",
        night,
        HOSTILE,
        HOSTILE,
        sample,
    )
    fleet.run(
        "insert into audit (tenant_id, kind, actor, reason) values ('a', 'mode', %s, %s)",
        HOSTILE,
        HOSTILE,
    )
    fleet.run("insert into interaction values ('a', now(), 1, 'c', 'p1', 1, 1)")
    browser = visit()
    for address, query in (
        ("/fleet", {"q": "<img"}),
        ("/tenants/a", {"customer": HOSTILE}),
        (f"/nights/{night}", {}),
        ("/nights", {}),
        ("/approvals", {}),
        (f"/tenants/{HOSTILE}", {}),
    ):
        answer = browser.get(address, params=query)
        assert answer.status_code in (200, 404), answer.text
        assert "<img" not in answer.text
        assert "<script>alert" not in answer.text
        assert "onerror=alert" not in answer.text.replace(
            "&lt;img src=x onerror=alert", ""
        ).replace("\\u003cimg src=x onerror=alert", "")


def test_a_customers_list_is_looked_up_with_names(fleet: Fleet, visit: Visit) -> None:
    night = fleet.night(0)
    fleet.tenant("a")
    fleet.outcome(night, "a", "kept", skill=0.1)
    fleet.partition(night)
    fleet.live(night, "a")
    fleet.run("insert into product values ('a', 'p1', 'Red kettle')")
    fleet.run(
        "insert into recommendation select night_id, release_id, 'c1', '{p1}', '{0.5}', 'model' "
        "from live_release"
    )
    page = visit().get("/tenants/a?customer=c1").text
    assert "Red kettle" in page
    assert "0.5000" in page
    unknown = visit().get("/tenants/a?customer=c2").text
    assert "does not know <b>c2</b>" in unknown
    fleet.run("update tenant set mode = 'off'")
    assert (
        "A is off: its customers get no recommendations"
        in visit().get("/tenants/a?customer=c1").text
    )


def test_while_the_database_is_away_the_page_says_so(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recfleet.settings import forget_settings

    monkeypatch.setenv("RECFLEET_PAGES_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    forget_settings()
    answer = visit().get("/fleet")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert "127.0.0.1" not in answer.text


def test_a_database_of_another_version_is_told_apart(
    fleet: Fleet, visit: Visit, connection: Connection
) -> None:
    administer(connection, "alter view tenant_night rename column skill to skill_by_another_name")
    answer = visit().get("/fleet")
    assert answer.status_code == 503
    assert "of another version" in answer.text


def test_data_docs_are_shown_and_can_do_nothing(
    fleet: Fleet, visit: Visit, connection: Connection
) -> None:
    night = fleet.night(0)
    fleet.tenant("a")
    fleet.outcome(night, "a", "quarantined")
    fleet.run(
        "insert into quality_result values (%s, 'a', 'few', 'critical', false, 1, '', null)", night
    )
    assert "Data Docs" not in visit().get("/tenants/a").text
    assert visit().get(f"/nights/{night}/data-docs/a").status_code == 404
    pages = [DocsPage(None, "<p>of the night</p>"), DocsPage("a", "<p>of a tenant</p>")]
    store_docs(connection, night, pages)
    connection.commit()
    for address, text in ((f"/nights/{night}", "of the night"), ("/tenants/a", "of a tenant")):
        found = re.search(r'href="([^"]*data-docs[^"]*)"', visit().get(address).text)
        assert found is not None
        around = visit().get(found[1])
        assert f'href="/nights/{night}"' in around.text
        assert "frame-src 'self'" in around.headers["content-security-policy"]
        frame = re.search(r'<iframe[^>]* src="([^"]+)" sandbox="allow-same-origin"', around.text)
        assert frame is not None
        docs = visit().get(frame[1])
        assert text in docs.text
        policy = docs.headers["content-security-policy"]
        assert policy.startswith("sandbox allow-same-origin; default-src 'none'")
        assert "script" not in policy
        assert visit(None).get(frame[1]).status_code == 302
        assert visit(None).get(found[1]).status_code == 302
    # The summary names tenants' pages beside itself.
    assert 'data-docs/"' in visit().get(f"/nights/{night}").text


def test_what_waits_shows_every_number_that_was_judged_by(fleet: Fleet, visit: Visit) -> None:
    night = fleet.night(0)
    fleet.tenant("a")
    fleet.outcome(night, "a", "awaiting approval", "held for a person")
    scores = {
        who: {"rmse": first + 0.1, "ndcg_at_10": first + 0.2, "recall_at_10": first + 0.3}
        for who, first in (("champion", 0.0), ("challenger", 0.4), ("popularity", 0.5))
    }
    fleet.run("update ledger set numbers = %s", json.dumps({"contenders": scores}))
    fleet.waits(night, "a", 5)
    page = visit().get("/approvals").text
    for who, of in scores.items():
        cells = "".join(f'<td class="n">{value:.4f}</td>' for value in of.values())
        assert f'<th scope="row">{who}</th>{cells}</tr>' in page
    assert "<p>Held for a person.</p>" in page


def test_a_reason_does_not_repeat_its_outcome(fleet: Fleet, visit: Visit) -> None:
    fleet.tenant("a", mode="frozen")
    night = fleet.night(0)
    fleet.outcome(night, "a", "frozen", "frozen: the champion is pinned", skill=0.1)
    fleet.live(night, "a")
    page = visit().get("/tenants/a").text
    assert "<strong>Frozen.</strong> The champion is pinned.</div>" in page


def test_a_failing_expectation_says_what_it_means_and_what_to_do(
    fleet: Fleet, visit: Visit
) -> None:
    fleet.tenant("a")
    night = fleet.night(0)
    fleet.outcome(night, "a", "quarantined")
    fleet.run(
        "insert into quality_result values "
        "(%s, 'a', 'no-recent-line', 'warning', false, 40, 'at most 28', null)",
        night,
    )
    page = visit().get("/tenants/a").text
    assert "The tenant sold nothing for four weeks, or its feed has stopped." in page
    assert "<strong>What to do:</strong> Ask whether the business is closed" in page


def test_versions_to_roll_back_to_are_offered_with_how_they_were_judged(
    fleet: Fleet, visit: Visit
) -> None:
    fleet.tenant("a")
    night = fleet.night(0)
    fleet.outcome(night, "a", "promoted")
    fleet.live(night, "a", 3)
    numbers = json.dumps({"contenders": {"challenger": {"rmse": 0.4711}}})
    for kind, version in (("first model", 1), ("promotion", 2), ("promotion", 3)):
        fleet.run(
            "insert into audit (tenant_id, kind, actor, reason, to_version, numbers) "
            "values ('a', %s, 'night', 'better', %s, %s)",
            kind,
            version,
            numbers if version == 2 else "{}",
        )
    page = visit().get("/tenants/a").text
    offered = re.findall(r'<option value="(\d+)">([^<]*)</option>', page)
    assert [version for version, _ in offered] == ["2", "1"]
    assert offered[0][1].endswith("RMSE then 0.4711")


def test_feeds_are_shown_with_what_is_wrong(connection: Connection, visit: Visit) -> None:
    toml = (
        'kind = "folder"\ntenant = "t"\n[folder]\npath = "/in"\n[columns]\ncustomer_column = "c"\n'
    )
    toml += 'product_column = "p"\ntime_column = "t"\n'
    for name in ("tills", "web"):
        add_feed(connection, name, toml, actor="ann", reason="trial")
    end_look(connection, "tills", START, trouble="no <folder>", unfinished=0)
    connection.commit()
    page = visit().get("/fleet").text
    section = page[page.index('id="feeds"') :]
    said = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", section)))
    assert "tills folder broken no <folder>" in said
    assert said.index("tills") < said.index("web folder late nobody has looked at it since")
