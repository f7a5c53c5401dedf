"""Why a product is in a customer's list, over HTTP."""

from __future__ import annotations

from contextlib import closing
from typing import cast

import httpx
import numpy as np
import pytest

from recfleet.database import connect
from recfleet.models import SOURCES
from recfleet.reasons import MONTH, say_why
from recfleet.releases import look_up
from recfleet.serving import _reasons, _service
from recfleet.serving._problems import DatabaseAwayError
from recfleet.serving._promised import CustomersList, Place
from tests.models._logs import AS_OF, taste_log
from tests.serving.conftest import Say, World, is_problem, products

pytestmark = pytest.mark.postgres

LIST = "customers/c0003/recommendations?explain=true"


def _show(world: World) -> None:
    """Keep the purchases that the model was made of, and give c0003 a list of every source."""
    log = taste_log()
    columns = (log.customer, log.product, log.quantity, log.occurred_at)
    lines = [
        f"('acme', to_timestamp({time / 1e6}), {place}, '{log.customer_ids[c]}', "
        f"'{log.product_ids[p]}', {q}, {q})"
        for place, (c, p, q, time) in enumerate(zip(*columns, strict=True))
    ]
    bought = {str(log.product_ids[p]) for p in np.unique(log.product[log.customer == 3])}
    sold = {str(product) for product in log.product_ids[np.unique(log.product[:-1])]}
    shown = [min(bought), *sorted(sold - bought)[:4], "unsold"]
    sources = "".join(
        str(SOURCES.index(source))
        for source in ("habit", "taste", "taste", "trend", "popular", "popular")
    )
    world.do(
        "delete from interaction",
        f"insert into interaction values {', '.join(lines)}",
        f"update release set as_of = '{AS_OF}'",
        "insert into product (tenant_id, product_id, name) select distinct 'acme', product_id, "
        "'Pen ' || product_id from interaction",
        "insert into recommendation (night_id, release_id, customer_id, products, scores, source, "
        f"sources) select night_id, release_id, 'c0003', '{{{','.join(shown)}}}', "
        f"'{{.9,.8,.7,.6,.5,.4}}', 'habit', '{sources}' from live_release "
        "where tenant_id = 'acme'",
    )


def _whys(answer: httpx.Response) -> list[dict[str, object]]:
    products(answer)
    return [item["why"] for item in answer.json()["items"]]


def test_the_sentences_are_those_of_the_command(world: World) -> None:
    _show(world)

    async def story(say: Say) -> None:
        answer = await say(LIST)
        CustomersList.model_validate(answer.json(), strict=True)
        assert answer.json()["unexplained"] is None
        with closing(connect(world.writer)) as connection:
            places = look_up(connection, "acme", "c0003", 10)
            wanted = say_why(connection, "acme", "c0003", places, world.artifacts)
            popular = look_up(connection, "acme", "nobody", 10)
            of_all = say_why(connection, "acme", "nobody", popular, world.artifacts)
        whys = _whys(answer)
        assert [why["sentence"] for why in whys] == wanted
        codes = ["bought", "because", "because", "trend", "popular", "popular"]
        assert [why["code"] for why in whys] == codes
        assert wanted[1].startswith("because they bought Pen p")
        assert [f"Pen {one}" for one in cast("list[str]", whys[1]["because"])] == (
            wanted[1].removeprefix("because they bought ").split(" and ")
        )
        assert [why["sentence"] for why in _whys(await say(LIST.replace("c0003", "nobody")))] == (
            of_all
        )

        [third] = answer.json()["items"][2:3]
        place = await say(f"customers/c0003/why/{third['product']}")
        Place.model_validate(place.json(), strict=True)
        assert place.json()["item"] == third
        absent = await say("customers/c0003/why/p2")
        assert "has no product 'p2'" in is_problem(absent, 404)

        # It is cached like a list: the reasons are a part of what the tag stands for.
        tag = answer.headers["etag"]
        assert tag != (await say(LIST.partition("?")[0])).headers["etag"]
        assert (await say(LIST, headers={"If-None-Match": tag})).status_code == 304

    world.talk(story)


def test_without_the_model_the_list_comes_with_other_reasons(world: World) -> None:
    _show(world)
    world.do("update champion set contents = '{}'")

    answer = world.ask(LIST)

    assert [why["code"] for why in _whys(answer)][:4] == ["bought", "taste", "taste", "trend"]
    assert answer.json()["unexplained"] == "The model is away: the reasons name no purchases."


def test_without_a_history_the_list_comes_without_reasons(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise DatabaseAwayError

    monkeypatch.setattr(_reasons.Reasons, "_history", away)

    answer = served.ask("customers/c1/recommendations?explain=true")

    assert _whys(answer) == [None] * 3
    assert "database is away" in answer.json()["unexplained"]


def test_a_key_of_another_tenant_sees_no_history(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without the service's own check: then Postgres still finds nothing."""
    _show(world)
    path = f"/v1/tenants/acme/{LIST}"
    release = world.ask(path).json()["release"]
    assert is_problem(world.ask(path, key="beta"), 404)
    monkeypatch.setattr(_service, "check_opened", lambda *_: None)
    monkeypatch.setattr(_reasons, "check_opened", lambda *_: None)

    async def story(say: Say) -> None:
        assert "Pen" not in (await say(path, key="beta")).text
        service = world.service()
        await service.open()
        key = service._gate._take_apart(f"Bearer {say.keys['beta']}")
        try:
            for tenant_id in ("acme", "beta"):
                row = await service._database.row(
                    _reasons._HISTORY,
                    key.key_id,
                    key.digest,
                    tenant_id,
                    "c0003",
                    release,
                    ["p1"],
                    True,
                    MONTH,
                )
                assert (row["tenant_id"] == tenant_id) == (tenant_id == "beta")
                assert (row["release_id"], row["model_uri"], row["products"]) == (None,) * 3
                assert not row["all_buyers"]
        finally:
            await service.close()

    world.talk(story)
