"""Lists as they are answered: a customer's live list, and the popular one."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from recfleet.kinds import KINDS
from recfleet.models import SOURCES
from recfleet.serving._asked import AskedList
from recfleet.serving._database import Row
from recfleet.serving._http import Answer

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Item:
    """A place of a list that may be offered now."""

    product: str
    category: str | None
    kind: str | None
    told: Mapping[str, Any]
    """The fields of its JSON besides the rank."""

    @cached_property
    def rest(self) -> str:
        """These fields as they are sent."""
        return _encode(self.told)[1:-1]


@dataclass(frozen=True)
class Listed:
    """A customer's live list, from one moment of the database."""

    head: str
    """The answer's JSON from the tenant to the note, without braces."""
    release_id: int | None
    items: tuple[Item, ...]

    @cached_property
    def by_default(self) -> tuple[str, str]:
        """The items' JSON and the ``ETag``, as the list is answered when nothing else is asked."""
        return _written(self, AskedList())

    def with_reasons(self, items: Sequence[Item], unexplained: str | None) -> Listed:
        """The same list with other items, and what their reasons lack."""
        head = f'{self.head},"unexplained":{_encode(unexplained)}'
        return Listed(head, self.release_id, tuple(items))


def read_list(row: Row, customer: str | None) -> Listed:
    """A list as ``serve_list`` has it, without what may no longer be offered."""
    note, served_by, items = _note(row, customer), row["served_by"], tuple(_items(row))
    if row["source"] is None and row["products"] is not None:
        served_by = "popularity"
    head = {
        "tenant": row["tenant_id"],
        "customer": customer,
        "customer_is_known": row["source"] is not None,
        "release": row["release_id"],
        "model_version": row["model_version"],
        "as_of": moment(row["as_of"]),
        "served_by": served_by if items else "nothing",
        "note": note,
    }
    return Listed(_encode(head)[1:-1], row["release_id"], items)


def answer_list(
    listed: Listed, asked: AskedList | None, seen: str | None, age: float | None
) -> Answer:
    """Answer with a list.

    Args:
        listed: the list.
        asked: how it is wanted; None: as it is by default.
        seen: the ``ETag`` that the caller has kept.
        age: seconds since it was read, if nobody knows whether it still holds.
    """
    body, tag = listed.by_default if asked is None else _written(listed, asked)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if age is not None:
        headers["Age"] = str(int(age))
    if seen is not None and tag in seen and age is None:
        return Answer(b"", 304, headers=headers)
    stale = "false" if age is None else "true"
    head = f'"id":"{answer_id()}","channel":"pull",{listed.head},"is_stale":{stale}'
    text = f'{{{head},"items":[{body}]}}'
    return Answer(text.encode(), headers=headers)


def answer_place(listed: Listed, rank: int, item: Item, age: float | None) -> Answer:
    """Answer with one place of a list; the arguments are those of ``answer_list``."""
    stale = "false" if age is None else "true"
    text = f'{{{listed.head},"is_stale":{stale},"item":{{"rank":{rank},{item.rest}}}}}'
    headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if age is not None:
        headers["Age"] = str(int(age))
    return Answer(text.encode(), headers=headers)


def _written(listed: Listed, asked: AskedList) -> tuple[str, str]:
    """The items' JSON, and the ``ETag``."""
    items = choose(listed.items, asked)
    body = ",".join(f'{{"rank":{rank},{item.rest}}}' for rank, item in enumerate(items, start=1))
    digest = hashlib.blake2b(f"{listed.head}{body}".encode(), digest_size=9).hexdigest()
    return body, f'W/"{digest}"'


def choose(items: Sequence[Item], asked: AskedList) -> Sequence[Item]:
    """The items that are asked for, in their order."""
    if asked.kind != "both" or asked.category or asked.exclude:
        out, within = set(asked.exclude), set(asked.category)
        items = [
            item
            for item in items
            if asked.kind in ("both", item.kind)
            and item.product not in out
            and (not within or item.category in within)
        ]
    return items[: asked.limit]


def describe(row: Row) -> tuple[dict[str, tuple[str | None, str | None]], set[str]]:
    """Product -> name and category, and the products that may not be offered now."""
    described = zip(
        row["described"] or (),
        row["names"] or (),
        row["categories"] or (),
        row["is_offered"] or (),
        strict=True,
    )
    known, withheld = {}, set()
    for product, name, category, is_offered in described:
        known[product] = (name, category)
        if not is_offered:
            withheld.add(product)
    return known, withheld


def make_item(
    product: str,
    described: tuple[str | None, str | None],
    kind: str | None,
    score: float,
    source: str,
) -> Item:
    """A place of a list."""
    name, category = described
    told = {
        "product": product,
        "name": name,
        "category": category,
        "kind": kind,
        "score": round(float(score), 6),
        "source": source,
    }
    return Item(product, category, kind, told)


def moment(time: datetime | None) -> str | None:
    """A time as JSON has it."""
    return None if time is None else time.isoformat()


_random = random.Random()  # noqa: S311 - an answer's id is no secret


def answer_id() -> str:
    """A UUID of version 7 (RFC 9562): later answers have greater ids."""
    number = (time.time_ns() // 1_000_000) << 80 | _random.getrandbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(3 << 62) | 2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _items(row: Row) -> Collection[Item]:
    if row["mode"] == "off" or row["source"] == "excluded" or not row["products"]:
        return []
    known, withheld = describe(row)
    source, kinds, sources, offers = row["source"], row["kinds"], row["sources"], row["offers"]
    of_all = "taste" if source == "model" else source or "popular"
    kind_of_all = "new" if source is None else offers if offers in KINDS else None
    return [
        make_item(
            product,
            known.get(product, (None, None)),
            kind_of_all if kinds is None else KINDS[int(kinds[place])],
            score,
            of_all if sources is None else SOURCES[int(sources[place])],
        )
        for place, (product, score) in enumerate(zip(row["products"], row["scores"], strict=True))
        if product not in withheld
    ]


def _note(row: Row, customer: str | None) -> str | None:
    tenant_id = row["tenant_id"]
    if row["mode"] == "off":
        return f"{tenant_id} is off: its customers get no recommendations until it is switched on."
    if row["release_id"] is None:
        return f"{tenant_id} has no lists yet: they come with its next night."
    if row["source"] == "excluded":
        return "The tenant's policy excludes this customer: they get no recommendations."
    if row["source"] is None and customer is not None:
        return "The live lists do not know this customer: these are the popular products."
    return None
