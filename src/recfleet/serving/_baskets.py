"""Products in, recommendations out: the champion's arrays answer at once."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from recfleet.answer_ids import make_answer_id
from recfleet.errors import TenantError
from recfleet.serving._asked import AskedBasket, AskedList, AskedPair, AskedSimilar
from recfleet.serving._database import Database, Row
from recfleet.serving._gate import Gate, check_opened
from recfleet.serving._http import Answer, encode
from recfleet.serving._lists import (
    Item,
    choose,
    make_item,
    moment,
    products_of,
    ranked,
    read_list,
)
from recfleet.serving._models import Loaded, ModelAwayError, Models, NotFromModelError
from recfleet.serving._names import Names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recfleet.keys import ShownKey

BASKET = "select * from recfleet.serve_basket($1, $2, $3, $4)"
_PAIR = "select * from recfleet.serve_pair($1, $2, $3, $4, $5)"
_LIST = "select * from recfleet.serve_list($1, $2, $3, null)"
_SPARE = 20
"""So many more candidates than asked for: some may be discontinued or excluded."""


class Baskets:
    """Answers that are computed by day."""

    def __init__(self, database: Database, models: Models, gate: Gate, names: Names) -> None:
        """Keep where to ask, and whom to tell what a key has opened."""
        self._database = database
        self._names = names
        self._gate = gate
        self._models = models

    async def recommend(self, key: ShownKey, tenant_id: str, asked: AskedBasket) -> Answer:
        """What goes with these products, and with what the customer bought."""
        customer = asked.customer.strip() if asked.customer else None
        row = await self._row(key, tenant_id, customer)
        return await self._recommend(key, row, asked, customer)

    async def pair(self, key: ShownKey, tenant_id: str, asked: AskedPair) -> Answer:
        """What goes with products that a new customer names; the night has made most pairs."""
        seeds = list(dict.fromkeys(seed.strip() for seed in asked.seed))
        if len(seeds) == 2:
            row = await self._row(key, tenant_id, *seeds, query=_PAIR)
            items = await self._prepared(key, row, asked)
            if items is not None:
                return _answer(row, items, None, "model", customer=None)
        else:
            row = await self._row(key, tenant_id, None)
        basket = AskedBasket(products=asked.seed, exclude=asked.exclude, limit=asked.limit)
        return await self._recommend(key, row, basket, None)

    async def _prepared(self, key: ShownKey, row: Row, asked: AskedPair) -> list[Item] | None:
        """The list that the night made; None: it made none, or too much of it is gone."""
        if not row["pair_products"] or row["mode"] == "off":
            return None
        scores = struct.unpack(f">{len(row['pair_scores']) // 2}e", row["pair_scores"])
        pairs = zip(row["pair_products"], scores, strict=True)
        best = [
            (product, score) for product, score in pairs if product not in (None, *asked.exclude)
        ]
        items = await self._items(key, row, best, asked.limit)
        return items if len(items) == asked.limit else None

    async def _recommend(
        self, key: ShownKey, row: Row, asked: AskedBasket, customer: str | None
    ) -> Answer:
        tenant_id = row["tenant_id"]
        bought = sums_of(row, asked.products)
        note, items, served_by = _silence(row), [], "nothing"
        if note is None:
            out = {*asked.products, *asked.exclude, *bought}
            try:
                loaded = await self._loaded(row)
                scores = _scores(loaded, bought)
                best = _best(loaded, scores, out, asked.limit + _SPARE)
                items = await self._items(key, row, best, asked.limit)
                served_by = "model"
            except (ModelAwayError, TenantError) as error:
                note = _instead(error)
                items = await self._popular(key, tenant_id, out, asked.limit)
                served_by = "popularity"
        return _answer(row, items, note, served_by, customer=customer)

    async def similar(
        self, key: ShownKey, tenant_id: str, product: str, asked: AskedSimilar
    ) -> Answer:
        """Products that the same customers buy."""
        row = await self._row(key, tenant_id, None)
        note, items, served_by = _silence(row), [], "nothing"
        if note is None:
            try:
                loaded = await self._loaded(row)
                if product not in loaded.number:
                    raise NotFromModelError("The live model does not know this product")
                scores = loaded.basket.likeness(loaded.number[product])
                best = _best(loaded, scores, {product}, asked.limit + _SPARE)
                items = await self._items(key, row, best, asked.limit, kind=None)
                served_by = "model"
            except ModelAwayError as error:
                note = f"{_instead(error)}"
                items = await self._popular(key, tenant_id, {product}, asked.limit)
                served_by = "popularity"
        return _answer(row, items, note, served_by, product=product)

    async def _row(
        self, key: ShownKey, tenant_id: str, *about: str | None, query: str = BASKET
    ) -> Row:
        row = await self._database.row(query, key.key_id, key.digest, tenant_id, *about)
        check_opened(row["trouble"], row["tenant_id"], tenant_id)
        self._gate.note(key, tenant_id, str(row["topic"]))
        return row

    async def _loaded(self, row: Row) -> Loaded:
        if row["model_uri"] is None:
            raise NotFromModelError("The tenant has no model in force")
        return await self._models.of(row)

    async def _items(
        self,
        key: ShownKey,
        row: Row,
        best: Sequence[tuple[str, float]],
        limit: int,
        kind: str | None = "new",
    ) -> list[Item]:
        """The best that may be offered now, to anybody."""
        known = await self._names.of(
            key, row["tenant_id"], str(row["topic"]), [product for product, _ in best]
        )
        offered = [place for place in best if known[place[0]][2]][:limit]
        return [
            make_item(product, known[product], kind, score, "taste") for product, score in offered
        ]

    async def _popular(
        self, key: ShownKey, tenant_id: str, out: Collection[str], limit: int
    ) -> list[Item]:
        row = await self._database.row(_LIST, key.key_id, key.digest, tenant_id)
        check_opened(row["trouble"], row["tenant_id"], tenant_id)
        known = await self._names.of(key, tenant_id, row["topic"], products_of(row))
        kept = [item for item in read_list(row, None, known).items if item.product not in out]
        return list(choose(kept, AskedList(limit=limit)))


def _silence(row: Row) -> str | None:
    """Why nothing may be recommended; None: something may."""
    if row["mode"] == "off":
        return f"{row['tenant_id']} is off: its customers get no recommendations."
    if row["release_id"] is None:
        return f"{row['tenant_id']} has no lists yet: they come with its next night."
    if row["is_excluded"]:
        return "The tenant's policy excludes this customer: they get no recommendations."
    return None


def _instead(error: Exception) -> str:
    why = str(error) if isinstance(error, NotFromModelError) else "The model is away"
    return f"{why}: these are the popular products."


def sums_of(row: Row, said: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Product -> number of purchase lines, and net quantity; what is said counts as one of each."""
    sums: dict[str, tuple[float, float]] = {}
    for product, quantity, amount in zip(
        row["products"] or (), row["quantities"] or (), row["amounts"] or (), strict=True
    ):
        lines, net = sums.get(product, (0.0, 0.0))
        if quantity < 0:
            sums[product] = (lines, net + quantity)
        elif quantity > 0 and amount > 0:
            sums[product] = (lines + 1, net + quantity)
    for product in dict.fromkeys(text.strip() for text in said):
        lines, net = sums.get(product, (0.0, 0.0))
        sums[product] = (lines + 1, max(net, 0.0) + 1)
    return {product: (lines, net) for product, (lines, net) in sums.items() if lines and net > 0}


def _scores(loaded: Loaded, bought: dict[str, tuple[float, float]]) -> NDArray[np.float32]:
    import numpy as np

    known = [
        (loaded.number[product], *counts)
        for product, counts in bought.items()
        if product in loaded.number
    ]
    if not known:
        raise NotFromModelError("The live model knows none of these products")
    products, lines, net = (np.array(column) for column in zip(*known, strict=True))
    return loaded.basket.scores(products.astype(np.intp), lines, net)


def _best(
    loaded: Loaded, scores: NDArray[np.float32], out: Collection[str], most: int
) -> list[tuple[str, float]]:
    """The products of the highest scores, without some."""
    import numpy as np

    from recfleet.models import top_k

    hidden = [loaded.number[product] for product in out if product in loaded.number]
    shown = scores.copy()
    shown[hidden] = -np.inf
    [best] = top_k(shown[None, :], most)
    found = zip(loaded.basket.product_ids[best].tolist(), shown[best].tolist(), strict=True)
    return [(product, score) for product, score in found if score > -np.inf]


def _answer(
    row: Row, items: Sequence[Item], note: str | None, served_by: str, **about: str | None
) -> Answer:
    told = {
        "id": make_answer_id(row["release_id"]),
        "channel": "pull",
        "tenant": row["tenant_id"],
        **about,
        "release": row["release_id"],
        "model_version": row["model_version"],
        "as_of": moment(row["as_of"]),
        "served_by": served_by if items else "nothing",
        "note": note,
    }
    body = f'{encode(told)[:-1]},"items":[{ranked([item.rest for item in items])}]}}'
    return Answer(body.encode(), headers={"Cache-Control": "private, no-store"})
