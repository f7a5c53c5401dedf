"""Lists of customers who are in an experiment, among those of everybody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recfleet.kinds import Offers
from recfleet.models import starts_of
from recfleet.releases._eligible import joined, pick
from recfleet.releases._lists import Lists

NOTHING = "nothing"
"""The arm whose customers are shown nothing."""
_OF_A_VERSION = "version:"
_WITHOUT_A_MODEL = (NOTHING, "popular", "no-model")


@dataclass(frozen=True, eq=False)
class ArmLists:
    """The lists of one arm's customers."""

    arm: str
    customers: NDArray[np.int32]
    """The arm's customers, by their numbers in the log."""
    lists: Lists | None
    """Everybody's lists, made the arm's way from the same log; None: they are those of everybody
    outside the experiment. Of the arm *nothing* they do not count."""


def with_arms(lists: Lists, arms: Sequence[ArmLists]) -> Lists:
    """The lists, with each experiment's customers served by their arm.

    Customers without a purchase, and those whom the policy excludes, are in no arm. Customers of
    the arm *nothing* get an empty list, which is marked as those of excluded customers are: so no
    reader shows them popular products.

    Args:
        lists: everybody's, checked.
        arms: of all the tenant's experiments; each customer is in one of them at most.
    """
    if not arms:
        return lists
    arm_of_customer = np.full(len(lists.customer_ids), -1, np.int16)
    for place, one in enumerate(arms):
        arm_of_customer[one.customers] = place
    arm_of_customer[lists.excluded] = -1
    others = [one.lists for one in arms if one.lists is not None and one.arm != NOTHING]
    parts = [pick(lists, _stay(lists, arms, arm_of_customer))]
    for place, one in enumerate(arms):
        if one.lists is not None and one.arm != NOTHING:
            parts.append(pick(one.lists, _in_arm(one.lists, arm_of_customer, place)))
    together = joined(lists, parts)
    silent = [place for place, one in enumerate(arms) if one.arm == NOTHING]
    nobody = np.flatnonzero(np.isin(arm_of_customer, silent)).astype(np.int32)
    together = _emptied(together, nobody)
    return replace(
        together,
        offers=_offers([lists, *others]),
        excluded=np.union1d(together.excluded, nobody).astype(np.int32),
        arm_names=tuple(one.arm for one in arms),
        arm_of=arm_of_customer[together.customers],
    )


def version_of(arm: str | None, released: int | None) -> int | None:
    """Version of the model behind a list; None: it was made without one.

    Args:
        arm: the list's.
        released: version of the release's model.
    """
    if arm is not None and arm.startswith(_OF_A_VERSION):
        return int(arm.removeprefix(_OF_A_VERSION))
    return None if arm in _WITHOUT_A_MODEL else released


def _stay(
    lists: Lists, arms: Sequence[ArmLists], arm_of_customer: NDArray[np.int16]
) -> NDArray[np.bool_]:
    """(m,) whether a list is everybody's, or an arm's that has none of its own."""
    own = [place for place, one in enumerate(arms) if one.lists is not None and one.arm != NOTHING]
    stays: NDArray[np.bool_] = ~np.isin(arm_of_customer[lists.customers], own)
    return stays


def _in_arm(lists: Lists, arm_of_customer: NDArray[np.int16], place: int) -> NDArray[np.bool_]:
    """(m,) whether a list's customer is in an arm; whoever is not in the log is in none."""
    inside = np.zeros(len(lists.customer_ids), bool)
    both = min(len(inside), len(arm_of_customer))
    inside[:both] = arm_of_customer[:both] == place
    chosen: NDArray[np.bool_] = inside[lists.customers]
    return chosen


def _emptied(lists: Lists, customers: NDArray[np.int32]) -> Lists:
    """The lists, with nothing in those of some customers."""
    empty = np.isin(lists.customers, customers)
    stays = ~np.repeat(empty, lists.lengths)
    return replace(
        lists,
        starts=starts_of(np.where(empty, 0, lists.lengths)),
        products=lists.products[stays],
        scores=lists.scores[stays],
        sources=lists.sources[stays],
        kinds=lists.kinds[stays],
    )


def _offers(lists: Sequence[Lists]) -> Offers:
    """The kinds that all of the lists offer together."""
    kinds = {one.offers for one in lists}
    return kinds.pop() if len(kinds) == 1 else "both"
