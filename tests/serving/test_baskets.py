"""Products in, recommendations out; similar products; the search."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from recfleet.database import connect
from recfleet.models import read_model
from recfleet.registry import ArtifactStore
from recfleet.serving._models import Loaded, ModelAwayError, Models
from tests.models._logs import taste_log
from tests.serving.conftest import VERSION, Say, World, is_problem, products

pytestmark = pytest.mark.postgres


def _folded_in(world: World, bought: set[str]) -> list[str]:
    """The best products for a customer who bought these once, by folding in as a night does."""
    model = read_model(world.artifacts.read("als-acme/7"))
    from recfleet.registry.pyfunc import Recommender

    recommender = Recommender(model)
    ranked, _ = recommender._rank([None], ([sorted(bought)], [[]]), 40)
    [(_, best, _)] = ranked.each()
    return [product for product in model.product_ids[best].tolist() if product not in bought]


def test_products_in_recommendations_out(served: World) -> None:
    bought = {"p0001", "p0005", "p0009"}
    asked = {"products": [*sorted(bought), "unheard of"], "exclude": ["p0013"], "limit": 5}

    answer = served.ask("recommendations", method="POST", json=asked)

    wanted = [one for one in _folded_in(served, bought) if one != "p0013"][:5]
    assert products(answer) == wanted
    told = answer.json()
    assert (told["served_by"], told["model_version"], told["note"]) == ("model", VERSION, None)
    assert {(item["kind"], item["source"]) for item in told["items"]} == {("new", "taste")}
    scores = [item["score"] for item in told["items"]]
    assert scores == sorted(scores, reverse=True)


def test_what_is_said_is_added_to_what_was_bought(served: World) -> None:
    log = taste_log()
    bought = {str(log.product_ids[p]) for p in np.unique(log.product[log.customer == 3])}
    said = next(product for product in log.product_ids.tolist() if product not in bought)

    async def story(say: Say) -> None:
        asked = {"products": [said], "limit": 50}
        alone = await say("recommendations", method="POST", json=asked)
        known = await say("recommendations", method="POST", json={**asked, "customer": "c0003"})
        assert set(products(known)).isdisjoint(bought | {said})
        assert not set(products(alone)).isdisjoint(bought)
        shy = await say("recommendations", method="POST", json={**asked, "customer": "shy"})
        assert (products(shy), shy.json()["served_by"]) == ([], "nothing")
        assert "excludes this customer" in shy.json()["note"]

    served.talk(story)


def test_what_no_model_knows_gets_popular_products(served: World) -> None:
    async def story(say: Say) -> None:
        unknown = await say("recommendations", method="POST", json={"products": ["p2", "x"]})
        assert products(unknown) == ["p1"]
        assert "knows none of these products" in unknown.json()["note"]
        other = "/v1/tenants/beta/recommendations"
        beta = await say(other, method="POST", json={"products": ["p1"]}, key="beta")
        assert (products(beta), beta.json()["served_by"]) == (["p2"], "popularity")
        bare = "/v1/tenants/bare/recommendations"
        none = await say(bare, method="POST", json={"products": ["p1"]}, key="bare")
        assert (products(none), none.json()["served_by"]) == ([], "nothing")

    served.talk(story)


def test_a_model_whose_files_were_changed_is_not_asked(world: World) -> None:
    world.do("""update champion set contents = replace(contents::text, '"p', '"q')::jsonb""")
    world.do("update champion set contents = '{}'")

    answer = world.ask("recommendations", method="POST", json={"products": ["p0001"]})

    assert products(answer) == ["p2", "p1"]
    assert answer.json()["note"] == "The model is away: these are the popular products."


def test_similar_products(served: World) -> None:
    async def story(say: Say) -> None:
        like = products(await say("products/p0001/similar?limit=5"))
        assert "p0001" not in like
        # Every fourth product is of one taste.
        assert sum(int(product[1:]) % 4 == 1 for product in like) >= 3
        unknown = await say("products/p3/similar")
        assert "does not know this product" in unknown.json()["note"]

    served.talk(story)


def test_what_is_sold_in_some_regions_is_in_no_list_made_by_day(world: World) -> None:
    like = products(world.ask("products/p0001/similar?limit=5"))
    world.do(
        "insert into product (tenant_id, product_id, regions) "
        f"values ('acme', '{like[0]}', '{{DE}}')",
        "update product set regions = '{DE}' where product_id = 'p1'",
    )
    assert like[0] not in products(world.ask("products/p0001/similar?limit=5"))
    # The night has asked where a customer is.
    assert "p1" in products(world.ask("customers/c1/recommendations"))
    found = world.ask("products", params={"query": "pen"}).json()["products"]
    assert [one["is_offered"] for one in found] == [True]


def test_products_are_found_by_a_part_of_their_name(served: World) -> None:
    async def found(say: Say, query: str, **more: str) -> list[str]:
        answer = await say("products", params={"query": query}, **more)  # type: ignore[arg-type]
        return [one["product"] for one in answer.json()["products"]]

    async def story(say: Say) -> None:
        assert await found(say, "PAN") == ["p3"]
        assert await found(say, "p") == ["p3", "p1"]
        assert await found(say, "/") == ["a/b"]
        assert await found(say, "%") == []
        assert await found(say, "secret") == []
        gone = await say("products", params={"query": "gone"})
        assert gone.json()["products"][0]["is_offered"] is False

    served.talk(story)


def test_models_in_memory_keep_within_their_bound(served: World) -> None:
    import asyncio

    async def story() -> None:
        models = Models(served.artifacts, 30_000)
        uri = served.artifacts.uri("als-acme/7")
        for tenant_id, version in (("a", 1), ("b", 1), ("c", 1), ("c", 2)):
            row = {"tenant_id": tenant_id, "model_version": version, "model_uri": uri}
            await models.of({**row, "contents": None})
            assert models.size <= 30_000
        assert ("c", 2) in models._loaded
        assert ("c", 1) not in models._loaded
        assert 1 < len(models) < 4

    asyncio.run(story())


def test_a_model_is_read_once_for_all_who_wait(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from recfleet.serving import _models

    read, reads = _models._read, []

    def counted(artifacts: ArtifactStore, uri: str, contents: str | None) -> Loaded:
        reads.append(uri)
        return read(artifacts, uri, contents)

    monkeypatch.setattr(_models, "_read", counted)

    async def story(say: Say) -> None:
        asked = {"products": ["p0001"]}
        answers = await asyncio.gather(
            *(say("recommendations", method="POST", json=asked) for _ in range(4))
        )
        assert len({tuple(products(answer)) for answer in answers}) == 1
        assert len(reads) == 1

    served.talk(story)


# --- The tenant's mode ----------------------------------------------------------------------------


def test_a_tenants_own_people_switch_it(world: World) -> None:
    async def story(say: Say) -> None:
        async def put(mode: str, reason: str = "stocktaking") -> dict[str, str]:
            answer = await say(
                "mode", method="PUT", key="acme control", json={"mode": mode, "reason": reason}
            )
            assert answer.status_code == 200, answer.text
            told: dict[str, str] = answer.json()
            return told

        assert (await put("frozen"))["former"] == "on"
        assert (await put("off"))["mode"] == "off"
        off = await say("popular")
        assert (products(off), off.json()["served_by"]) == ([], "nothing")
        assert "is off" in off.json()["note"]
        back = await put("on")
        assert "2024-05-01 00:00 are shown again" in back["note"]
        assert (await put("on"))["former"] == "on"
        mode = await say("mode", key="acme control")
        assert mode.json() == {"tenant": "acme", "mode": "on", "former": "on", "note": None}
        blank = {"mode": "off", "reason": "  "}
        refused = await say("mode", method="PUT", key="acme control", json=blank)
        assert "reason" in is_problem(refused, 422)

    world.talk(story)

    from contextlib import closing

    from recfleet.audit import what_changed
    from recfleet.database import connect
    from recfleet.operations import tell_story, verify

    with closing(connect(world.writer)) as connection:
        told = [entry for entry in tell_story(connection, "acme") if entry.kind == "mode"]
        assert [what_changed(entry) for entry in told] == [
            "mode: on → frozen",
            "mode: frozen → off",
            "mode: off → on",
        ]
        assert told[0].actor.startswith("key acme control (")
        assert {entry.reason for entry in told} == {"stocktaking"}
        connection.rollback()
        # The champion of this world came without a night.
        assert {fault.entry for fault in verify(connection).faults} == {None}


@pytest.mark.parametrize(
    "change",
    [
        "update release set created_at = now() - interval '8 days'",
        "insert into audit (tenant_id, kind, numbers, facts, actor, reason) "
        "values ('acme', 'policy', '{}', '{}', 'ann', 'no pens')",
        "delete from recommendation where customer_id = 'c1'",
        "delete from live_release",
    ],
)
def test_old_lists_are_not_shown_again(world: World, change: str) -> None:
    world.do("update tenant set mode = 'off'")
    world.do(change)

    answer = world.ask(
        "mode", method="PUT", key="acme control", json={"mode": "on", "reason": "again"}
    )

    assert "whoever runs recfleet can switch acme on" in is_problem(answer, 409)


def test_two_products_of_a_new_customer_have_a_list_already(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what the model answers to them; a pair that was not made is answered by the model."""

    async def away(*_: object) -> Loaded:
        raise ModelAwayError("The model is away")

    with closing(connect(world.writer)) as connection, connection.cursor() as cursor:
        cursor.execute("select seeds from pair_lists")
        [(seeds,)] = cursor.fetchall()

    async def story(say: Say) -> None:
        for place, one in enumerate(seeds):
            for other in seeds[place + 1 :]:
                body = {"products": [one, other], "limit": 10}
                wanted = await say("recommendations", method="POST", json=body)
                with monkeypatch.context() as patch:
                    patch.setattr(Models, "of", away)
                    found = await say(f"recommendations?seed={other}&seed={one}&limit=10")
                assert products(found) == products(wanted)
                assert found.json()["served_by"] == "model"
                for made, solved in zip(found.json()["items"], wanted.json()["items"], strict=True):
                    assert made["score"] == pytest.approx(solved["score"], rel=2e-3)
        first = products(found)[0]
        asked = await say(f"recommendations?seed={other}&seed={one}&limit=10&exclude={first}")
        assert len(products(asked)) == 10
        assert first not in products(asked)
        alone = await say(f"recommendations?seed={one}&limit=3")
        unmade = await say(f"recommendations?seed={one}&seed=p0039&limit=3")
        assert len(products(alone)) == len(products(unmade)) == 3
        is_problem(await say("recommendations"), 400)
        blank = await say("recommendations?seed=%0D&seed=a&seed=b&limit=3")
        assert blank.json()["served_by"] == "popularity"

    world.talk(story)
