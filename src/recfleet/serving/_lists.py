"""Lists as they are answered: a customer's live list, and the popular one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from itertools import repeat

from recfleet.answer_ids import make_answer_id
from recfleet.kinds import KINDS
from recfleet.models import SOURCES
from recfleet.serving._asked import AskedList
from recfleet.serving._database import Row
from recfleet.serving._exposures import Given
from recfleet.serving._http import Answer, encode
from recfleet.serving._names import Described

_DEFAULT = AskedList()


@dataclass(frozen=True)
class Item:
    """A place of a list that may be offered now."""

    product: str
    category: str | None
    kind: str | None
    source: str
    rest: str
    """The fields of its JSON besides the rank, without braces."""


Place = tuple[str, Described, str | None, float, str]
"""Product, its description, kind, score and source."""


@dataclass(frozen=True)
class Listed:
    """A customer's live list, from one moment of the database.

    Ten thousand of them lie in memory. Its places are tuples of plain values, which Python's
    garbage collector does not follow.
    """

    head: str
    """The answer's JSON from the tenant to the note, without braces."""
    release_id: int | None
    places: tuple[Place, ...]
    """The best first; all of them may be offered."""
    given: Given | None = None
    """How the customer is served; None: recommending is off for the tenant or the customer."""

    @property
    def arm(self) -> str | None:
        """The arm of the experiment that the customer is in; None: they are in none."""
        return None if self.given is None else self.given[1]

    @property
    def items(self) -> list[Item]:
        """The places, each with its JSON."""
        return [make_item(*place) for place in self.places]

    @cached_property
    def by_default(self) -> tuple[bytes, str, list[tuple[bytes, bytes]]]:
        """What stands behind the id, the ``ETag``, and the headers, if no more is asked."""
        body = ranked([_rest(*place) for place in self.places[: _DEFAULT.limit]])
        tag = _tag(self.head, body)
        after = f'","channel":"pull",{self.head},"is_stale":false,"items":[{body}]}}'.encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % (len(_BEFORE) + _LENGTH_OF_AN_ID + len(after))),
            (b"etag", tag.encode()),
            (b"cache-control", b"private, no-cache"),
            (b"vary", b"Authorization"),
        ]
        return after, tag, headers


@dataclass(frozen=True)
class Explained:
    """Places with their reasons, and what these lack."""

    items: Sequence[Item]
    unexplained: str | None

    def head(self, listed: Listed) -> str:
        """As in the list."""
        return f'{listed.head},"unexplained":{encode(self.unexplained)}'


_BEFORE = b'{"id":"'
_LENGTH_OF_AN_ID = 36
_KINDS = {str(place): kind for place, kind in enumerate(KINDS)}
_SOURCES = {str(place): source for place, source in enumerate(SOURCES)}


def products_of(row: Row) -> Sequence[str]:
    """The products of a row of ``serve_list``, before any is left out."""
    return row["products"] or ()


def read_list(row: Row, customer: str | None, known: Mapping[str, Described]) -> Listed:
    """A list as ``serve_list`` has it, without what may no longer be offered.

    Args:
        row: of ``serve_list``.
        customer: whose list it is; None: it is the popular list.
        known: the row's products.
    """
    products, source, offers = products_of(row), row["source"], row["offers"]
    kinds, sources = row["kinds"], row["sources"]
    of_all = "taste" if source == "model" else source or "popular"
    kind_of_all = "new" if source is None else offers if offers in KINDS else None
    columns = zip(
        products,
        map(known.__getitem__, products),
        repeat(kind_of_all) if kinds is None else map(_KINDS.__getitem__, kinds),
        row["scores"] or (),
        repeat(of_all) if sources is None else map(_SOURCES.__getitem__, sources),
        strict=False,
    )
    places = tuple([place for place in columns if place[1][2] is not False])
    served_by = row["served_by"]
    if source is None and row["products"] is not None:
        served_by = "popularity"
    about = _about(
        row["release_id"],
        row["as_of"],
        (row["model_version"], served_by if places else "nothing", row["arm"]),
        _note(row, customer),
    )
    is_known = "false" if source is None else "true"
    head = (
        f'"tenant":{encode(row["tenant_id"])},"customer":{encode(customer)},'
        f'"customer_is_known":{is_known},{about}'
    )
    # Whom an experiment shows nothing is served, too: only that makes the arms comparable.
    is_excluded = source == "excluded" and row["arm"] is None
    is_off = row["release_id"] is None or row["mode"] == "off" or is_excluded
    given = None if is_off or customer is None else (row["model_version"], row["arm"])
    return Listed(head, row["release_id"], places, given)


@lru_cache(maxsize=10_000)
def _about(
    release_id: int | None,
    as_of: datetime | None,
    made_by: tuple[int | None, str, str | None],
    note: str | None,
) -> str:
    """What many lists of a release say; version, what served it and arm made them."""
    model_version, served_by, arm = made_by
    told = {
        "release": release_id,
        "model_version": model_version,
        "as_of": moment(as_of),
        "served_by": served_by,
        "arm": arm,
        "note": note,
    }
    return encode(told)[1:-1]


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
    if asked is None and age is None:
        after, tag, raw = listed.by_default
        if seen is None or tag not in seen:
            return Answer(_BEFORE + make_answer_id(listed.release_id).encode() + after, raw=raw)
        return Answer(b"", 304, headers=_headers(tag))
    items = choose(listed.items, asked or _DEFAULT)
    return _answer_items(listed, listed.head, items, seen, age)


def answer_explained(
    listed: Listed, explained: Explained, seen: str | None, age: float | None
) -> Answer:
    """Answer with reasons; the other arguments are those of ``answer_list``."""
    return _answer_items(listed, explained.head(listed), explained.items, seen, age)


def _answer_items(
    listed: Listed, head: str, items: Sequence[Item], seen: str | None, age: float | None
) -> Answer:
    body = ranked([item.rest for item in items])
    tag = _tag(head, body)
    headers = _headers(tag)
    if age is not None:
        headers["Age"] = str(int(age))
    if seen is not None and tag in seen and age is None:
        return Answer(b"", 304, headers=headers)
    stale = "false" if age is None else "true"
    head = f'"id":"{make_answer_id(listed.release_id)}","channel":"pull",{head},"is_stale":{stale}'
    return Answer(f'{{{head},"items":[{body}]}}'.encode(), headers=headers)


def answer_place(listed: Listed, rank: int, explained: Explained, age: float | None) -> Answer:
    """Answer with one place of a list; the other arguments are those of ``answer_list``."""
    stale = "false" if age is None else "true"
    [item] = explained.items
    text = f'{{{explained.head(listed)},"is_stale":{stale},"item":{{"rank":{rank},{item.rest}}}}}'
    headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if age is not None:
        headers["Age"] = str(int(age))
    return Answer(text.encode(), headers=headers)


def ranked(rests: Sequence[str]) -> str:
    """The items' JSON."""
    return ",".join([f'{{"rank":{rank},{rest}}}' for rank, rest in enumerate(rests, start=1)])


def _tag(head: str, body: str) -> str:
    digest = hashlib.blake2b(f"{head}{body}".encode(), digest_size=9).hexdigest()
    return f'W/"{digest}"'


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}


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


def make_item(
    product: str, described: Described, kind: str | None, score: float, source: str
) -> Item:
    """A place of a list."""
    return Item(product, described[1], kind, source, _rest(product, described, kind, score, source))


def _rest(_product: str, described: Described, kind: str | None, score: float, source: str) -> str:
    told_kind = "null" if kind is None else f'"{kind}"'
    return f'{described[0]},"kind":{told_kind},"score":{round(score, 6)},"source":"{source}"'


def moment(time: datetime | None) -> str | None:
    """A time as JSON has it."""
    return None if time is None else time.isoformat()


def _note(row: Row, customer: str | None) -> str | None:
    tenant_id = row["tenant_id"]
    if row["mode"] == "off":
        return f"{tenant_id} is off: its customers get no recommendations until it is switched on."
    if row["release_id"] is None:
        return f"{tenant_id} has no lists yet: they come with its next night."
    if row["arm"] == "nothing":
        return "An experiment shows this customer nothing, to learn what recommending brings."
    if row["source"] == "excluded":
        return "The tenant's policy excludes this customer: they get no recommendations."
    if row["source"] is None and customer is not None:
        return "The live lists do not know this customer: these are the popular products."
    return None
