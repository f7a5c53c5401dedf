"""What a backfill would leave out, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recfleet.fleet import Prospect
    from recfleet.operations.backfill_preview import BackfillNight


def left_out_in_words(ahead: Sequence[BackfillNight]) -> str | None:
    """How much of a backfill is left out, and why, in a sentence; None: nothing is."""
    prospects = [item for night in ahead for item in night.prospects]
    idle = sum(item.idle is not None for item in prospects)
    if not idle:
        return None
    return (
        f"{idle} of {len(prospects)} tenants' nights {'is' if idle == 1 else 'are'} "
        f"left out: {why_left_out(prospects)}."
    )


def why_left_out(prospects: Sequence[Prospect]) -> str:
    """Why nights are left out, the most frequent reasons first; empty: none are."""
    reasons = Counter(item.idle.reason for item in prospects if item.idle)
    return "; ".join(
        reason if count == 1 else f"{reason} (and {count - 1} like it)"
        for reason, count in reasons.most_common(3)
    )
