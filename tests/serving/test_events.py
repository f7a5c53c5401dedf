"""Events over HTTP: stored once, each acknowledged by itself, and for one tenant alone."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

import pytest

from recfleet.answer_ids import make_answer_id
from recfleet.database import connect, read_row, transaction
from recfleet.errors import BadInputError, NotFoundError
from recfleet.feedback import delete_feedback_of
from recfleet.reasons import trace_answer
from recfleet.serving import _events, _service
from tests.serving.conftest import Say, World, is_problem

pytestmark = pytest.mark.postgres


def _event(event_id: str, **more: Any) -> dict[str, Any]:
    return {"id": event_id, "kind": "shown", "product": "p1", **more}


def _stored(world: World, what: str = "count(*)", where: str = "true") -> Any:
    with closing(connect(world.writer)) as connection:
        row = read_row(connection, f"select {what} as it from event where {where}")
    return row and row["it"]


async def _send(say: Say, *events: Any, path: str = "events", key: str = "acme events") -> Any:
    return await say(path, method="POST", key=key, json={"events": list(events)})


def test_each_event_is_acknowledged_by_itself(world: World) -> None:
    async def story(say: Say) -> None:
        first = await _send(
            say,
            _event("a", customer="c1", position=1),
            _event("b", kind="seen"),
            _event("a"),
            "no event",
            _event("c", happened_at="2020-01-01T00:00:00Z", kind="bought", amount=9.5),
        )
        assert first.status_code == 200, first.text
        told = first.json()["events"]
        assert [(one["id"], one["status"], one["standing"]) for one in told] == [
            ("a", "stored", "in time"),
            ("b", "refused", None),
            ("a", "repeated", "in time"),
            (None, "refused", None),
            ("c", "stored", "late"),
        ]
        assert "'shown'" in told[1]["detail"]
        again = (await _send(say, _event("a", kind="rejected"), _event("d"))).json()["events"]
        assert [one["status"] for one in again] == ["repeated", "stored"]

    world.talk(story)
    assert _stored(world) == 3
    assert _stored(world, "kind", "event_id = 'a'") == "shown"
    assert _stored(world, "told_by", "event_id = 'c'") == world.keys["acme events"][8:16]


def test_one_event_sent_at_once_by_many_is_stored_once(world: World) -> None:
    async def story(say: Say) -> list[str]:
        answers = await asyncio.gather(
            *(_send(say, _event("x"), _event(f"own-{n}")) for n in range(6))
        )
        return sorted(answer.json()["events"][0]["status"] for answer in answers)

    assert world.talk(story) == ["repeated"] * 5 + ["stored"]
    assert _stored(world) == 7


def test_events_of_another_tenant_are_stored_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without the service's own check: Postgres refuses it."""

    async def story(say: Say) -> None:
        path = "/v1/tenants/beta/events"
        is_problem(await _send(say, _event("a"), path=path), 404)
        is_problem(await _send(say, _event("a"), key="acme"), 403)
        for module in (_events, _service):
            monkeypatch.setattr(module, "check_opened", lambda *_: None)
        # Postgres finds no such tenant for this key.
        assert (await _send(say, _event("a"), path=path)).status_code == 500

    world.talk(story)
    assert _stored(world) == 0


@pytest.mark.parametrize(
    "body", [[], {}, {"events": []}, {"events": {}}, {"events": [1] * 1_001}, {"event": [1]}]
)
def test_a_body_without_a_list_of_events(served: World, body: object) -> None:
    answer = served.ask("events", method="POST", key="acme events", json=body)
    assert "events" in is_problem(answer, 422)


def test_a_key_says_what_it_opens(served: World) -> None:
    async def story(say: Say) -> None:
        told = (await say("/v1/key", key="acme events")).json()
        assert told == {
            "tenant": "acme",
            "tenant_name": "Acme",
            "mode": "on",
            "name": "acme events",
            "scopes": ["events"],
            "expires_at": None,
        }
        is_problem(await say("/v1/key", key=None), 401)
        unknown = say.keys["acme"]
        is_problem(await say("/v1/key", key=unknown[:-1] + "x"), 401)

    served.talk(story)


def test_events_go_with_their_tenant(world: World) -> None:
    world.talk(lambda say: _send(say, _event("a")))
    with closing(connect(world.writer)) as connection, transaction(connection):
        assert delete_feedback_of(connection, "beta")["events"] == 0
        assert delete_feedback_of(connection, "acme")["events"] == 1
    assert _stored(world) == 0


def test_a_partition_is_made_before_its_month(world: World) -> None:
    world.talk(lambda say: _send(say, _event("a")))
    with closing(connect(world.writer)) as connection:
        row = read_row(
            connection,
            "select count(*) as parts from pg_inherits "
            "where inhparent = 'recfleet.event'::regclass",
        )
    assert row == {"parts": 2}


def test_an_answer_is_traced_back_and_forward(world: World) -> None:
    async def story(say: Say) -> list[str]:
        listed = (await say("customers/c1/recommendations")).json()
        basket = await say("recommendations", method="POST", json={"products": ["p001"]})
        answers = [listed["id"], basket.json()["id"]]
        await _send(say, _event("a", answer=answers[0], position=1, customer="c1"))
        await _send(say, _event("b", answer=answers[0], kind="accepted", customer="c1"))
        return answers

    answers = world.talk(story)
    with closing(connect(world.writer)) as connection:
        listed, basket = (trace_answer(connection, "acme", answer) for answer in answers)
        assert [(event.kind, event.position) for event in listed.events] == [
            ("shown", 1),
            ("accepted", None),
        ]
        assert (listed.served_by, listed.model_version) == ("model", 7)
        assert listed.fingerprint
        assert (basket.release_id, basket.events) == (listed.release_id, [])
        with pytest.raises(NotFoundError, match="not given for beta"):
            trace_answer(connection, "beta", answers[0])
        with pytest.raises(BadInputError, match="no answer's id"):
            trace_answer(connection, "acme", "f47ac10b-58cc-4372-a567-0e02b2c3d479")
        nothing = trace_answer(connection, "acme", make_answer_id(None))
        assert (nothing.release_id, nothing.night_id, nothing.events) == (None, None, [])
