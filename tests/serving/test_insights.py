"""KPIs over HTTP, of the key's tenant alone."""

from __future__ import annotations

import pytest

from tests.serving.conftest import Say, World, is_problem

pytestmark = pytest.mark.postgres


def test_attributed_and_incremental_stand_side_by_side(world: World) -> None:
    day = "insert into kpi_day values"
    world.do(
        f"{day} ('acme', '2026-11-02', 'pull', 'all', 7, null, 5, 4, 0, 0, 0, 0, 0, 0)",
        f"{day} ('acme', '2026-11-02', 'pull', 'new', 7, null, 0, 0, 20, 5, 1, 2, 1, 30.5)",
        f"{day} ('acme', '2026-11-03', 'push', 'new', null, 'popular', 0, 0, 0, 0, 0, 1, 0, 2)",
        f"{day} ('acme', '2026-11-04', 'pull', 'new', 7, null, 0, 0, 9, 0, 0, 0, 0, 0)",
        f"{day} ('beta', '2026-11-02', 'pull', 'new', 7, null, 0, 0, 9, 0, 0, 0, 0, 0)",
        "insert into incremental values ('acme', '2026-11-02', 'push', 90, 60, 12, 10, 2, 1, 3), "
        "('acme', '2026-11-03', 'push', 100, 60, 12, 10, null, null, null), "
        "('beta', '2026-11-03', 'push', 1, 1, 1, 1, null, null, null)",
    )

    async def story(say: Say) -> None:
        answer = await say("insights?since=2026-11-01&until=2026-11-04")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        found = told["attributed"]
        assert found["all"] == {
            "lists": 5, "customers": 4, "shown": 20, "accepted": 5, "rejected": 1, "purchases": 3,
            "claimed": 1, "revenue": 32.5, "accept_rate": 0.25,
        }  # fmt: skip
        assert [one["revenue"] for one in found["by_channel"]] == [30.5, 2.0]
        assert [one["arm"] for one in found["by_arm"]] == ["popular", None]
        assert [one["day"] for one in found["by_day"]] == ["2026-11-02", "2026-11-03"]
        [compared] = told["incremental"]["channels"]
        assert (compared["served"], compared["difference"]) == (100, None)
        assert "anyhow" in found["means"]
        assert (await say("insights")).json()["incremental"]["channels"] == [compared]
        for wrong in ("since=2026-11-04&until=2026-11-04", "since=2020-01-01", "since=x", "x=1"):
            is_problem(await say(f"insights?{wrong}"), 400)
        is_problem(await say("insights", key="acme events"), 403)
        is_problem(await say("/v1/tenants/beta/insights"), 404)

    world.talk(story)
