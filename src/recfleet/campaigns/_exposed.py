"""Whom a campaign exposes: everybody whom it is for, the control too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from recfleet.campaigns._make import SentList
from recfleet.feedback import CONTROL, Exposure


def exposed_by(lists: Iterable[SentList]) -> Iterator[Exposure]:
    """The exposure of each list, all at this moment.

    Args:
        lists: of the campaign.
    """
    now = datetime.now(UTC)
    for one in lists:
        arm = CONTROL if one.is_control else one.arm
        yield Exposure(one.customer, "push", now, one.id, one.model_version, arm)
