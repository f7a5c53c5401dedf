"""Arms: the ways of serving that an experiment compares."""

from __future__ import annotations

import re

from recfleet.contents import Contents
from recfleet.errors import BadInputError
from recfleet.stored import Moment, Stored

CHAMPION = "champion"
"""What everybody outside the experiment gets."""

MEANINGS = {
    CHAMPION: "what everybody outside the experiment gets",
    "version:N": "the lists of that version of the tenant's model",
    "no-model": "lists from habit, trend and popularity",
    "popular": "the most popular products",
    "nothing": "no recommendation at all",
    "new": "only products new to the customer",
    "again": "only products bought before",
    "both": "products of both kinds",
    "shipped-weights": "the champion's taste, with the weights that ship",
}
"""Each arm that may be named, in words."""

_VERSION = re.compile(r"version:([1-9][0-9]{0,8})")


class ArmModel(Stored):
    """The version that an arm serves, as it was when the experiment was started."""

    version: int
    run_id: str
    model_uri: str
    train_end: Moment
    contents: Contents | None = None
    """What its folder must hold."""


class Arm(Stored):
    """One of the ways of serving."""

    name: str
    model: ArmModel | None = None
    """Of the arms ``version:N`` alone."""
    stopped_at: Moment | None = None
    """As-of of the night that stopped it; its customers get what everybody gets since then."""
    stopped_because: str | None = None


def version_in(arm: str) -> int | None:
    """The version that an arm's name says; None: it says none."""
    found = _VERSION.fullmatch(arm)
    return int(found[1]) if found else None


def check_arm(name: str) -> str:
    """Check that there is such an arm.

    Raises:
        BadInputError: there is none; names those that there are.
    """
    if version_in(name) is not None or (name in MEANINGS and name != "version:N"):
        return name
    raise BadInputError(
        f"There is no arm {name!r}. Arms are: "
        f"{'; '.join(f'{known} ({what})' for known, what in MEANINGS.items())}."
    )
