"""The lists of customers who are in an experiment: each arm's are made its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import structlog

from recfleet.errors import TenantError
from recfleet.experiments import CHAMPION, Arm, Experiment, Pause, arms_of
from recfleet.fleet.lists import Only
from recfleet.kinds import KINDS, Offers
from recfleet.record import Champion
from recfleet.releases import NOTHING, ArmLists, with_arms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recfleet.releases import Lists

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Way:
    """How an arm's lists are made; what is None is as everybody's."""

    model: Champion | None
    """The model whose taste takes part; None: there is none."""
    offers: Offers | None = None
    only: Only | None = None


def way_of(arm: Arm, model: Champion | None) -> Way:
    """The way of an arm.

    Args:
        arm: any but the champion and nothing.
        model: of everybody's lists.

    Raises:
        TenantError: the arm names no version that was on record.
    """
    if arm.name in (*KINDS, "both"):
        offers: dict[str, Offers] = {"new": "new", "again": "again", "both": "both"}
        return Way(model, offers=offers[arm.name])
    if arm.name == "shipped-weights":
        return Way(model, only="shipped weights")
    if arm.name in ("popular", "no-model"):
        return Way(None, only="popularity" if arm.name == "popular" else None)
    if arm.model is None:
        raise TenantError(f"nothing is on record about {arm.name}")
    known = arm.model
    return Way(
        Champion(known.version, known.run_id, known.model_uri, known.train_end, known.contents)
    )


@dataclass(frozen=True)
class ServedByArms:
    """A tenant's lists with its experiments' customers served by their arms."""

    lists: Lists
    served: tuple[int, ...]
    """The experiments that are served tonight."""
    pauses: tuple[Pause, ...]
    """Of the experiments that rest tonight: all their customers get what everybody gets."""


def serve_by_arms(
    lists: Lists,
    model: Champion | None,
    experiments: Sequence[Experiment],
    *,
    tenant_id: str,
    known_customers: int,
    make: Callable[[Way], Lists],
) -> ServedByArms:
    """Make the lists of each experiment's customers by their arms.

    Where one arm cannot be made, the whole experiment rests tonight: if only that arm's customers
    got other lists, the arms could no longer be compared.

    Args:
        lists: everybody's.
        model: whose taste takes part in them.
        experiments: the tenant's that are running.
        tenant_id: the tenant.
        known_customers: customers of the log, who come first in the lists' ids.
        make: makes everybody's lists another way, and checks them as a release's.
    """
    made: dict[Way, Lists] = {}
    arms: list[ArmLists] = []
    served: list[int] = []
    pauses: list[Pause] = []
    for one in experiments:
        customers = _customers_of(one, tenant_id, lists.customer_ids[:known_customers])
        own: list[ArmLists] = []
        for arm, theirs in customers:
            try:
                own.append(ArmLists(arm.name, theirs, _lists_of(arm, model, make, made)))
            except TenantError as error:
                log.warning(
                    "experiment rests", tenant_id=tenant_id, arm=arm.name, reason=str(error)
                )
                pauses.append(Pause(one.experiment_id, arm.name, str(error)))
                break
        else:
            arms += own
            served.append(one.experiment_id)
    return ServedByArms(with_arms(lists, arms), tuple(served), tuple(pauses))


def _customers_of(
    experiment: Experiment, tenant_id: str, customer_ids: NDArray[np.object_]
) -> list[tuple[Arm, NDArray[np.int32]]]:
    """The arms that are not stopped, each with the numbers of its customers."""
    shares = experiment.phase.shares
    place_of = arms_of(
        tenant_id,
        customer_ids,
        lot=(experiment.lot_from, experiment.lot_to),
        salt=experiment.salt,
        shares=shares,
    )
    return [
        (arm, np.flatnonzero(place_of == place).astype(np.int32))
        for place, arm in enumerate(map(experiment.arm, shares))
        if arm.stopped_at is None
    ]


def _lists_of(
    arm: Arm, model: Champion | None, make: Callable[[Way], Lists], made: dict[Way, Lists]
) -> Lists | None:
    """An arm's lists of everybody; None: they are what everybody gets, or nothing.

    Raises:
        TenantError: they cannot be made, or fail their checks.
    """
    if arm.name in (CHAMPION, NOTHING):
        return None
    way = way_of(arm, model)
    if way == Way(model):
        return None
    if way not in made:
        made[way] = make(way)
    return made[way]
