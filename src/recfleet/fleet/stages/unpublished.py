"""What becomes of tenants for which a night publishes nothing, or not what was judged; and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from recfleet.record import Champion, Night, Step, TenantNight
from recfleet.tenants import Mode, Policy


def overtaken(night: Night, live: datetime | None) -> Step | None:
    """The step of a tenant for which a later night has published meanwhile; None: none has.

    Args:
        night: the night that is about to publish.
        live: as-of time of what is live; None: nothing is.
    """
    if live is None or live <= night.as_of:
        return None
    reason = f"newer lists went live meanwhile, as of {live:%Y-%m-%d %H:%M}"
    return Step("unchanged", {"outcome": "unchanged", "reason": reason})


def switched(mode: Mode) -> Step:
    """The step of a tenant that a person has meanwhile switched off or frozen."""
    if mode == "off":
        reason = "switched off since the night was planned: nothing is published"
        return Step("unchanged", {"outcome": "unchanged", "reason": reason})
    reason = "frozen while its champion was about to change: the live lists stay"
    return Step("unchanged", {"outcome": "frozen", "reason": reason})


def frozen_meanwhile(row: TenantNight, champion: Champion | None) -> TenantNight:
    """The row of a tenant frozen after the night was planned: its champion does not change."""
    verdict = "keep" if champion else "reject"
    what = "no first model is put in force" if champion is None else "the champion stays"
    reason = f"frozen since the night was planned: {what}"
    return replace(row, mode="frozen", verdict=verdict, reason=reason)


def published_meanwhile() -> Step:
    """The step of a tenant if another night has meanwhile changed its champion or lists."""
    reason = "another night published this tenant meanwhile; its lists stay"
    return Step("unchanged", {"outcome": "unchanged", "reason": reason})


def nothing_to_offer(row: TenantNight, products: int) -> Step:
    """The step of a tenant without any product that may be recommended, among so many."""
    reason = (
        f"none of its {products} products is on sale: all are discontinued, or without a "
        f"purchase for {row.policy.inactive_after_days} days{_or_excluded(row.policy)}; the live "
        "lists stay"
    )
    return Step("unchanged", {"outcome": "nothing to offer", "reason": reason})


def _or_excluded(policy: Policy) -> str:
    has_excluded = policy.excluded_products or policy.excluded_categories
    return ", or excluded by its policy" if has_excluded else ""
