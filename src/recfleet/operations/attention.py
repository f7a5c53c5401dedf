"""Which tenants need a person, and why: the rules and their words.

A rule is SQL over the facts of ``standing``, because it sorts and counts a fleet of thousands. Its
sentence is Python, and is made only for the few tenants on show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from recfleet.record import Outcome
from recfleet.releases import ServedBy
from recfleet.tenants import Mode

OLD_NIGHTS = 3
"""Live lists are old once this many nights of the fleet had newer data."""


@dataclass(frozen=True)
class Standing:
    """Where a tenant stands."""

    tenant_id: str
    name: str
    mode: Mode
    outcome: str | None
    """The outcome of its latest night except trials; ``not approved`` if that night's request was
    not approved. None: it had no night."""
    reason: str | None
    """That night's reason; if that night made a request that has ended, how it was answered."""
    skill: float | None
    """How much lower the error (RMSE) of the model in force is than popularity's, as a share of
    popularity's."""
    release_id: int | None
    """The live release; None while the tenant is off."""
    live_as_of: datetime | None
    """The live lists know purchases up to this time."""
    served_by: ServedBy | None
    model_version: int | None
    customers: int | None
    """How many customers have a list of their own in the live release."""
    waiting_version: int | None
    """The version that waits for a person."""
    waits_until: datetime | None
    attention: Attention | None
    """Why it needs a person; None: it needs nobody."""
    list_gain: float | None = None
    """How much higher the NDCG@10 of its lists is, as served, than that of popular products, as a
    share; by its latest night. None: they were not judged."""

    @property
    def attention_reason(self) -> str | None:
        """Why it needs a person, in a sentence."""
        return self.attention.sentence(self) if self.attention else None


def _reason(standing: Standing) -> str | None:
    return standing.reason


def _waits(standing: Standing) -> str:
    reason = standing.reason or ""
    return (
        f"Version {standing.waiting_version} waits for a person until "
        f"{standing.waits_until:%Y-%m-%d %H:%M} UTC, then it is rejected. "
        f"{reason[:1].upper()}{reason[1:]}"
    )


def _is_worse(standing: Standing) -> str:
    return (
        "The served model's error (RMSE) is "
        f"{-100 * (standing.skill or 0):.2f}% above that of popular products."
    )


def _is_old(standing: Standing) -> str:
    return (
        f"The live lists are of {standing.live_as_of:%Y-%m-%d}; the last night that tried to "
        f"renew them ended as {standing.outcome or 'none'}: {standing.reason or ''}"
    )


def _is_not_served(standing: Standing) -> str:
    return f"No lists are live: {standing.reason or 'nothing has been published yet'}"


@dataclass(frozen=True)
class Attention:
    """A reason why a tenant needs a person."""

    key: str
    """Its name in addresses."""
    title: str
    """Its name in lists of tenants."""
    condition: str
    """SQL over the facts of ``standing``."""
    sentence: Callable[[Standing], str | None] = _reason
    """The reason in words."""
    outcome: Outcome | None = None
    """A night's outcome that is this reason; None: the reason is no outcome."""


ATTENTION = (
    Attention("failed", "failed", "outcome = 'failed'", outcome="failed"),
    Attention("quarantined", "quarantined", "outcome = 'quarantined'", outcome="quarantined"),
    Attention(
        "awaiting-approval",
        "awaiting approval",
        "waits_until is not null",
        _waits,
        outcome="awaiting approval",
    ),
    Attention(
        "rolled-back",
        "rolled back",
        "outcome = 'rolled back' and night_kind = 'fleet'",
        outcome="rolled back",
    ),
    Attention(
        "worse-than-popularity",
        "worse than popularity",
        "skill < 0 and champion_version is not null",
        _is_worse,
    ),
    Attention(
        "old-lists",
        "old lists",
        "live_as_of < old_before and outcome is distinct from 'unchanged'"
        " and outcome is distinct from 'no data'",
        _is_old,
    ),
    Attention(
        "nothing-to-offer",
        "nothing to offer",
        "outcome = 'nothing to offer'",
        outcome="nothing to offer",
    ),
    Attention(
        "nothing-live",
        "nothing live",
        "release_id is null and outcome is not null and outcome <> 'no data'",
        _is_not_served,
    ),
    Attention("no-data", "no data", "outcome = 'no data'", outcome="no data"),
)
"""The most urgent first; the first that fits counts. A tenant that is off needs nobody."""

URGENT_OUTCOMES = tuple(it.outcome for it in ATTENTION if it.outcome is not None)
"""Outcomes that need a person, the most urgent first."""

URGENCY = (
    "case when mode = 'off' then null "
    + " ".join(f"when {it.condition} then {place}" for place, it in enumerate(ATTENTION, 1))
    + " end"
)
"""SQL over the facts of ``standing``: the reason's place in ``ATTENTION``, from 1; null: none."""


def urgency_of(key: str) -> int | None:
    """The place of the reason with that key, from 1; None: there is no such reason."""
    places = (place for place, it in enumerate(ATTENTION, 1) if it.key == key)
    return next(places, None)
