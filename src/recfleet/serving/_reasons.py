"""Why products are in a customer's list: the words of every face, from the model in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from recfleet.errors import TenantError
from recfleet.reasons import MONTH, Cause, Reason, make_reason, strongest
from recfleet.serving._baskets import sums_of
from recfleet.serving._database import Database, Row
from recfleet.serving._gate import Gate, check_opened
from recfleet.serving._http import encode
from recfleet.serving._lists import Explained, Item, Listed
from recfleet.serving._models import Loaded, ModelAwayError, Models
from recfleet.serving._problems import DatabaseAwayError

if TYPE_CHECKING:
    from recfleet.keys import ShownKey

_HISTORY = "select * from recfleet.serve_history($1, $2, $3, $4, $5, $6, $7, $8)"
_COUNTED = ("trend", "popular")
_AWAY = "The database is away, so there are no reasons."
_CHANGED = "The lists have changed just now, so there are no reasons: ask again."
_OTHER_MODEL = "An experiment made this list with another model: the reasons name no purchases."
_MODEL_AWAY = "The model is away: the reasons name no purchases."


@dataclass(frozen=True)
class _Purchases:
    """What the database says of a customer's purchases, and of those of the others."""

    row: Row
    counted: Mapping[str, tuple[int, int]]
    """Product -> its buyers, and those of the month."""
    without_line: frozenset[str]
    """Products that were counted, and that nobody bought or returned."""
    own: Mapping[str, list[int]]
    """Product -> times of the customer's purchases."""

    @classmethod
    def of(cls, row: Row, counted: Sequence[str]) -> _Purchases:
        """From a row of ``serve_history``."""
        from recfleet.models import microseconds

        sold = row["sold"] or ()
        counts = zip(row["buyers"] or (), row["began"] or (), strict=True)
        own: dict[str, list[int]] = {}
        columns = (row[name] or () for name in ("products", "times", "quantities", "amounts"))
        for product, time, quantity, amount in zip(*columns, strict=True):
            if quantity > 0 and amount > 0:
                own.setdefault(product, []).append(microseconds(time))
        known = dict(zip(sold, counts, strict=True))
        return cls(row, known, frozenset(counted).difference(known, own), own)

    def is_sold(self, product_id: str) -> bool:
        """Whether any line has the product."""
        return product_id not in self.without_line

    def times(self, product_id: str) -> Sequence[int]:
        """Times of the customer's purchases of a product, rising, in microseconds since 1970."""
        return self.own.get(product_id, ())

    def buyers(self, product_id: str) -> tuple[int, int]:
        """Number of customers who ever bought a product, and of those who began in the month."""
        return self.counted[product_id]

    def all_buyers(self) -> int:
        """Number of customers who bought anything."""
        return int(self.row["all_buyers"])


class Reasons:
    """Explains lists."""

    def __init__(self, database: Database, models: Models, gate: Gate) -> None:
        """Keep where to ask, and whom to tell what a key has opened."""
        self._database = database
        self._gate = gate
        self._models = models

    async def explain(
        self, key: ShownKey, tenant_id: str, customer: str, listed: Listed, items: Sequence[Item]
    ) -> Explained:
        """Some of a list's items, and the reason of each.

        Whatever fails, the items are there: ``unexplained`` says what their reasons lack.
        """
        reasons: Sequence[Reason | None] = [None] * len(items)
        unexplained = None
        if items:
            try:
                row = await self._history(key, tenant_id, customer, listed, items)
                if row["release_id"] is None:
                    unexplained = _CHANGED
                else:
                    reasons, unexplained = await self._reasons(row, items, listed.arm)
            except DatabaseAwayError:
                unexplained = _AWAY
        return Explained(
            [
                replace(item, rest=f'{item.rest},"why":{encode(_told(reason))}')
                for item, reason in zip(items, reasons, strict=True)
            ],
            unexplained,
        )

    async def _history(
        self, key: ShownKey, tenant_id: str, customer: str, listed: Listed, items: Sequence[Item]
    ) -> Row:
        row = await self._database.row(
            _HISTORY,
            key.key_id,
            key.digest,
            tenant_id,
            customer,
            listed.release_id,
            _counted(items),
            any(item.source == "popular" for item in items),
            MONTH,
        )
        check_opened(row["trouble"], row["tenant_id"], tenant_id)
        self._gate.note(key, tenant_id, str(row["topic"]))
        return row

    async def _reasons(
        self, row: Row, items: Sequence[Item], arm: str | None
    ) -> tuple[Sequence[Reason], str | None]:
        purchases = _Purchases.of(row, _counted(items))
        asked = [
            item.product
            for item in items
            if item.source != "popular" and not purchases.times(item.product)
        ]
        causes: Mapping[str, list[Cause]] = {}
        unexplained = None
        if arm is not None and arm.startswith("version:"):
            unexplained = _OTHER_MODEL
        elif asked and purchases.own and row["model_version"] is not None:
            try:
                if row["model_uri"] is None:
                    raise ModelAwayError("it is not on record")
                causes = _causes(await self._models.of(row), row, asked)
            except (ModelAwayError, TenantError):
                unexplained = _MODEL_AWAY
        reasons = [
            make_reason(
                item.product,
                item.source,
                row["as_of"],
                purchases,
                causes.get(item.product, ()),
            )
            for item in items
        ]
        return reasons, unexplained


def _counted(items: Sequence[Item]) -> list[str]:
    """The products whose reason may be a number of buyers."""
    return [item.product for item in items if item.source in _COUNTED]


def _causes(loaded: Loaded, row: Row, asked: Sequence[str]) -> dict[str, list[Cause]]:
    """Product -> the customer's purchases that raise its score most, of those the model knows."""
    import numpy as np

    number = loaded.number
    bought = {product: counts for product, counts in sums_of(row, ()).items() if product in number}
    wanted = [product for product in asked if product in number]
    if not bought or not wanted:
        return {}
    ids = list(bought)
    lines, net = np.array(list(bought.values()), dtype=np.float64).T
    places, about = (
        np.array([number[product] for product in some], np.intp) for some in (ids, wanted)
    )
    parts = loaded.basket.because(places, lines, net, about)
    names = dict(zip(row["products"], row["names"], strict=True))
    return {
        product: [Cause(one, names[one] or one) for one in strongest(product, ids, part)]
        for product, part in zip(wanted, parts.tolist(), strict=True)
    }


def _told(reason: Reason | None) -> dict[str, Any] | None:
    if reason is None:
        return None
    return {
        "code": reason.code,
        "sentence": reason.sentence,
        "because": [cause.product_id for cause in reason.causes],
    }
