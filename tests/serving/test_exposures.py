"""Who was given a list is noted beside the answers: once a day, and never in their way."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import Any

import pytest

from recfleet.database import connect, read_rows
from recfleet.keys import ShownKey
from recfleet.serving import _exposures
from recfleet.serving._exposures import Exposures
from recfleet.serving._problems import DatabaseAwayError
from tests.serving.conftest import Say, World

KEY = ShownKey("k", b"d" * 32)


@pytest.mark.postgres
def test_the_first_list_of_a_customer_and_day_is_noted(world: World) -> None:
    async def story(say: Say) -> None:
        for path in ("c1", "c1", "empty", "stranger", "shy"):
            assert (await say(f"customers/{path}/recommendations")).status_code == 200
        await say("/v1/tenants/beta/customers/c1/recommendations", key="beta")
        await say("popular")
        await say("/v1/tenants/beta/customers/c2/recommendations")  # another tenant's key

    world.talk(story)
    world.talk(story)

    with closing(connect(world.writer)) as connection:
        rows = read_rows(
            connection,
            "select tenant_id, customer_id, channel, model_version, arm, "
            "day = current_date as is_today from exposure order by 1, 2",
        )
    # Whoever is excluded is not served in any way that could be compared.
    assert [tuple(row.values()) for row in rows] == [
        ("acme", "c1", "pull", 7, None, True),
        ("acme", "empty", "pull", 7, None, True),
        ("acme", "stranger", "pull", 7, None, True),
        ("beta", "c1", "pull", None, None, True),
    ]


class _Down:
    """A database that is away until it is told otherwise."""

    def __init__(self) -> None:
        self.is_away, self.calls = True, 0

    async def row(self, _query: str, _rows: str) -> dict[str, Any]:
        if self.is_away:
            raise DatabaseAwayError
        self.calls += 1
        return {"kept": 1}


def test_memory_is_bounded_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_exposures, "_MOST_WAITING", 3)
    database, now = _Down(), 1_000.0
    exposures = Exposures(database, lambda: now)  # type: ignore[arg-type]
    for customer in "aabcde":
        exposures.note(KEY, "acme", customer, (1, None))
    asyncio.run(exposures.write())
    assert (len(exposures._waiting), exposures.lost) == (3, 2)

    database.is_away = False
    asyncio.run(exposures.write())
    exposures.note(KEY, "acme", "a", (1, None))
    assert (exposures._waiting, database.calls) == ([], 1)
    now += 86_400.0
    exposures.note(KEY, "acme", "a", (1, None))
    assert len(exposures._waiting) == 1


@pytest.mark.postgres
def test_an_answer_names_the_arm_of_its_customer(world: World) -> None:
    of_live = "select release_id from live_release where tenant_id = 'acme'"
    world.do(
        f"update recommendation set arm = 'version:3' "
        f"where customer_id = 'c1' and release_id = ({of_live})",
        f"update recommendation set arm = 'nothing' "
        f"where customer_id = 'shy' and release_id = ({of_live})",
    )

    async def story(say: Say) -> list[dict[str, Any]]:
        paths = ("c1", "shy", "empty", "c1/why/p1")
        answers = [await say(f"customers/{path}/recommendations") for path in paths[:3]]
        answers.append(await say(f"customers/{paths[3]}"))
        answers.append(await say("campaigns", method="POST", json={"all": True}))
        assert [one.status_code for one in answers] == [200] * 5, answers[-1].text
        return [*(one.json() for one in answers[:4]), *map(json.loads, answers[4].iter_lines())]

    served, silent, outside, why, *sent = world.talk(story)

    keys = ("arm", "model_version", "served_by")
    assert [[one[key] for key in keys] for one in (served, silent, outside)] == [
        ["version:3", 3, "model"], ["nothing", None, "nothing"], [None, 7, "nothing"],
    ]  # fmt: skip
    assert silent["note"].startswith("An experiment shows this customer nothing")
    assert silent["items"] == []
    assert (why["arm"], why["unexplained"]) == (
        "version:3",
        "An experiment made this list with another model: the reasons name no purchases.",
    )
    arms = {"c1": ("version:3", 3), "empty": (None, 7), "shy": ("nothing", None)}
    told = {one["customer"]: (one["arm"], one["model_version"]) for one in sent}
    assert {who: told[who] for who in arms} == arms
    with closing(connect(world.writer)) as connection:
        rows = read_rows(
            connection, "select customer_id, channel, arm, model_version from exposure"
        )
    noted = {(row["customer_id"], row["channel"]): row["arm"] for row in rows}
    assert {who: noted[who, "pull"] for who in arms} == {who: arms[who][0] for who in arms}
    assert {who: noted[who, "push"] for who in arms} == {who: arms[who][0] for who in arms}
