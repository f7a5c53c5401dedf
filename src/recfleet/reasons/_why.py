"""Why a product is in a customer's list, in words.

The words are made when somebody looks at a list, from the purchases up to the list's as-of and from
the arrays of the model that made it. No night computes or stores them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

import humanize

from recfleet.database import Connection
from recfleet.errors import RecfleetError, TenantError
from recfleet.registry import ArtifactStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recfleet.models import InteractionLog, Model
    from recfleet.releases import Recommended

MONTH = timedelta(days=28)
"""What counts as lately."""
_NAMED = 2
"""How many of a customer's purchases a sentence names."""
_MODEL = """
select model_uri, contents
  from model_on_record
 where tenant_id = %s and version = %s and model_uri is not null
"""


@dataclass(frozen=True)
class _Purchases:
    """What a tenant's customers bought up to a list's as-of, seen from one customer."""

    log: InteractionLog
    customer: int | None
    """The customer's number; None: the customer bought nothing."""

    def times(self, product: int) -> NDArray[np.int64]:
        """(n,) times of the customer's purchases of a product, rising, in microseconds."""
        log = self.log
        lines = (log.product == product) & (log.customer == self.customer) & _is_bought(log)
        found: NDArray[np.int64] = log.occurred_at[lines]
        return found

    def buyers(self, product: int) -> tuple[int, int]:
        """Number of customers who ever bought a product, and of those who began in the month."""
        import numpy as np

        from recfleet.models import microseconds

        log = self.log
        lines = (log.product == product) & _is_bought(log)
        # Lines rise in time, so the first line of each customer is its first purchase.
        _, first = np.unique(log.customer[lines], return_index=True)
        began = log.occurred_at[lines][first] > microseconds(log.as_of - MONTH)
        return len(first), int(began.sum())

    def all_buyers(self) -> int:
        """Number of customers who bought anything."""
        import numpy as np

        return len(np.unique(self.log.customer[_is_bought(self.log)]))


def say_why(
    connection: Connection,
    tenant_id: str,
    customer_id: str,
    places: Sequence[Recommended],
    artifacts: ArtifactStore | None,
) -> list[str]:
    """Say why each product is in a customer's live list.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        customer_id: as the tenant writes it.
        places: the list, as ``look_up`` gives it.
        artifacts: where models are; None: leave the models' own reasons general.

    Returns:
        A sentence without a full stop for each place, in the same order.
    """
    from recfleet.interactions.log import read_log

    if not places:
        return []
    log = read_log(connection, tenant_id, places[0].as_of)
    number = {product_id: index for index, product_id in enumerate(log.product_ids)}
    customers = log.customer_ids.tolist()
    customer = customer_id.strip()
    purchases = _Purchases(log, customers.index(customer) if customer in customers else None)
    products = [number.get(place.product_id) for place in places]
    known = [product for product in products if product is not None]
    causes: Mapping[int, list[str]] = {}
    if artifacts is not None and purchases.customer is not None:
        with suppress(
            RecfleetError, TenantError
        ):  # without the model's arrays, the other reasons remain
            model = _model(connection, tenant_id, places[0].model_version, artifacts)
            causes = _causes(connection, model, purchases, known) if model else {}
    return [
        _sentence(place, product, purchases, causes)
        for place, product in zip(places, products, strict=True)
    ]


def _model(
    connection: Connection, tenant_id: str, version: int | None, artifacts: ArtifactStore
) -> Model | None:
    """The model of a version, if it is on record.

    Raises:
        TenantError: its folder does not hold what is on record.
    """
    from recfleet.models import read_model

    with connection.cursor() as cursor:
        cursor.execute(_MODEL, (tenant_id, version))
        row = cursor.fetchone()
    if row is None:
        return None
    return read_model(artifacts.read(*row))


def _causes(
    connection: Connection, model: Model, purchases: _Purchases, products: Sequence[int]
) -> dict[int, list[str]]:
    """Product -> names of the customer's purchases that raise its score most."""
    import numpy as np

    assert purchases.customer is not None  # noqa: S101 - the caller has looked
    bought, parts = model.because(purchases.log, purchases.customer, np.array(products, np.intp))
    found: dict[int, list[str]] = {}
    for product, row in zip(products, parts, strict=True):
        most = [place for place in np.argsort(-row, kind="stable")[: _NAMED + 1] if row[place] > 0]
        others = [int(bought[place]) for place in most if bought[place] != product]
        found[product] = [purchases.log.product_ids[other] for other in others[:_NAMED]]
    names = _names(connection, purchases.log.tenant_id, [*chain(*found.values())])
    return {
        product: [names.get(product_id) or product_id for product_id in ids]
        for product, ids in found.items()
    }


def _names(
    connection: Connection, tenant_id: str, product_ids: Sequence[str]
) -> dict[str, str | None]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select product_id, name from catalogue where tenant_id = %s and product_id = any(%s)",
            (tenant_id, list(product_ids)),
        )
        return dict(cursor.fetchall())


def _sentence(
    place: Recommended,
    product: int | None,
    purchases: _Purchases,
    causes: Mapping[int, Sequence[str]],
) -> str:
    if product is None:
        return "popular in this shop"
    times = purchases.times(product)
    if len(times):
        return _bought(times, place.as_of)
    if place.source == "trend":
        _, began = purchases.buyers(product)
        return f"{_customers(began)} began to buy it in the last {MONTH.days} days"
    if place.source != "popular":
        if causes.get(product):
            return f"because they bought {' and '.join(causes[product])}"
        return "customers who buy what they bought buy it"
    buyers, _ = purchases.buyers(product)
    return f"popular in this shop: {buyers:,} of {_customers(purchases.all_buyers())} bought it"


def _bought(times: NDArray[np.int64], as_of: datetime) -> str:
    visits = len(set(times.tolist()))
    since = as_of - datetime.fromtimestamp(int(times[-1]) / 1_000_000, UTC)
    how_often = {1: "once", 2: "twice"}.get(visits, f"{humanize.apnumber(visits)} times")
    last = "today" if since < timedelta(days=1) else f"{_age(since)} ago"
    return f"bought {how_often}, {'' if visits == 1 else 'last '}{last}"


def _age(since: timedelta) -> str:
    """Days up to a fortnight, weeks up to two months, then months and years."""
    if timedelta(days=14) <= since < timedelta(days=61):
        return f"{humanize.apnumber(since.days // 7)} weeks"
    return humanize.naturaldelta(since)


def _customers(number: int) -> str:
    return f"{number:,} customer{'' if number == 1 else 's'}"


def _is_bought(log: InteractionLog) -> NDArray[np.bool_]:
    bought: NDArray[np.bool_] = (log.quantity > 0) & (log.amount > 0)
    return bought
