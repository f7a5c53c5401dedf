"""Whom a campaign exposes: everybody whom it is for, the control too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from recfleet.campaigns._make import Campaign, SentList
from recfleet.feedback import CONTROL, Exposure


def exposed_by(campaign: Campaign, lists: Iterable[SentList]) -> Iterator[Exposure]:
    """The exposure of each list, all at this moment.

    Args:
        campaign: says what all lists share.
        lists: of the campaign.
    """
    now = datetime.now(UTC)
    for one in lists:
        arm = CONTROL if one.is_control else None
        yield Exposure(one.customer, "push", now, one.id, campaign.model_version, arm)
