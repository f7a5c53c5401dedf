"""Why a product is in a customer's list, in words.

The words are made when somebody looks at a list, from the purchases up to the list's as-of and from
the arrays of the model that made it. No night computes or stores them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from recfleet.database import Connection
from recfleet.errors import RecfleetError, TenantError
from recfleet.reasons._sentences import MONTH, Cause, make_reason, strongest
from recfleet.registry import ArtifactStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recfleet.models import InteractionLog, Model
    from recfleet.releases import Recommended

_MODEL = """
select model_uri, contents
  from model_on_record
 where tenant_id = %s and version = %s and model_uri is not null
"""


@dataclass(frozen=True)
class _Purchases:
    """What a tenant's customers bought up to a list's as-of, seen from one customer."""

    log: InteractionLog
    number: Mapping[str, int]
    """Product id -> its number."""
    customer: int | None
    """The customer's number; None: the customer bought nothing."""

    def is_sold(self, product_id: str) -> bool:
        """Whether any line has the product."""
        return product_id in self.number

    def times(self, product_id: str) -> list[int]:
        """Times of the customer's purchases of a product, rising, in microseconds."""
        log = self.log
        lines = log.product == self.number[product_id]
        found: list[int] = log.occurred_at[
            lines & (log.customer == self.customer) & _is_bought(log)
        ].tolist()
        return found

    def buyers(self, product_id: str) -> tuple[int, int]:
        """Number of customers who ever bought a product, and of those who began in the month."""
        import numpy as np

        from recfleet.models import microseconds

        log = self.log
        lines = (log.product == self.number[product_id]) & _is_bought(log)
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
    here = customers.index(customer) if customer in customers else None
    purchases = _Purchases(log, number, here)
    known = [place.product_id for place in places if place.product_id in number]
    causes: Mapping[str, list[Cause]] = {}
    if artifacts is not None and purchases.customer is not None:
        with suppress(
            RecfleetError, TenantError
        ):  # without the model's arrays, the other reasons remain
            model = _model(connection, tenant_id, places[0].model_version, artifacts)
            causes = _causes(connection, model, purchases, known) if model else {}
    return [
        make_reason(
            place.product_id,
            place.source,
            place.as_of,
            purchases,
            causes.get(place.product_id, ()),
        ).sentence
        for place in places
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
    connection: Connection, model: Model, purchases: _Purchases, product_ids: Sequence[str]
) -> dict[str, list[Cause]]:
    """Product -> the customer's purchases that raise its score most."""
    import numpy as np

    assert purchases.customer is not None  # noqa: S101 - the caller has looked
    asked = np.array([purchases.number[product_id] for product_id in product_ids], np.intp)
    bought, parts = model.because(purchases.log, purchases.customer, asked)
    ids = purchases.log.product_ids[bought].tolist()
    found = {
        product_id: strongest(product_id, ids, row)
        for product_id, row in zip(product_ids, parts.tolist(), strict=True)
    }
    names = _names(connection, purchases.log.tenant_id, [*chain(*found.values())])
    return {
        product_id: [Cause(one, names.get(one) or one) for one in causes]
        for product_id, causes in found.items()
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


def _is_bought(log: InteractionLog) -> NDArray[np.bool_]:
    bought: NDArray[np.bool_] = (log.quantity > 0) & (log.amount > 0)
    return bought
