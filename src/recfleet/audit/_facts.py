"""What entries of the audit say besides their columns: a type for each kind."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from recfleet.stored import Moment, Stored


class Facts(Stored):
    """What belongs to an entry's kind."""


class Span(Stored):
    """A stretch of a tenant's interactions."""

    begin: Moment = Field(validation_alias="from", serialization_alias="from")
    end: Moment = Field(validation_alias="to", serialization_alias="to")
    lines: int
    fingerprint: str


class MadeFrom(Facts):
    """What a model was made from; what is not known is absent."""

    training: Span | None = None
    holdout: Span | None = None
    recipe: dict[str, Any] | None = None
    code_version: str | None = None
    airflow_run: str | None = None
    """The night that trained it."""
    fingerprint: str | None = None
    """Of all interactions up to that night's as-of."""
    customers: int | None = None
    products: int | None = None
    pairs: int | None = None
    """Of customer and product, that it was trained on."""
    seed: int | None = None


class ChampionFacts(MadeFrom):
    """Of a change of champion: the new one."""

    run_id: str | None = None
    """MLflow's."""
    model_uri: str | None = None
    """Where its arrays are."""
    train_end: Moment | None = None
    release_id: int | None = None
    """Where a person put it in force: what is live from then on."""
    approval_id: int | None = None
    """Where a person approved it: the request."""


class AwaitingFacts(ChampionFacts):
    """Of a change of champion that waits for a person: the model that would be champion."""

    change: Literal["promotion", "rollback"] | None = None
    held_by: str | None = None


class AnswerFacts(Facts):
    """Of a request that has ended, however it did."""

    approval_id: int | None = None
    change: Literal["promotion", "rollback"] | None = None
    held_by: str | None = None
    run_id: str | None = None
    """MLflow's, of the model that would have been champion."""


class ModeFacts(Facts):
    """Of a change of mode."""

    former: str | None = Field(None, validation_alias="from", serialization_alias="from")
    new: str | None = Field(None, validation_alias="to", serialization_alias="to")
    shows: str | None = None
    """What a tenant shows that was off, in words."""


class FieldChange(Stored):
    """One field of a policy."""

    former: Any = Field(None, validation_alias="from", serialization_alias="from")
    new: Any = Field(None, validation_alias="to", serialization_alias="to")
    own: bool | None = None
    """Whether it is the tenant's own from then on; None: that has not changed."""


class PolicyFacts(Facts):
    """Of a change of policy."""

    changes: dict[str, FieldChange] | None = None
    """By the fields' names, with dots."""
    policy: dict[str, Any] | None = None
    """Of the fleet's: all of it."""


class BackfillFacts(Facts):
    """Of a backfill that was asked for."""

    first: Moment | None = Field(None, validation_alias="from", serialization_alias="from")
    last: Moment | None = Field(None, validation_alias="to", serialization_alias="to")
    step: str | int | None = None
    promote: bool | str | None = None
    force: bool | None = None
    nights: int | None = None
    run_id: str | None = None
    """Airflow's."""


class RepairFacts(Facts):
    """Of something that the doctor has repaired."""

    check: str | None = None
    """What it had disagreed by."""
    champion: int | None = None
    """The version that the story goes on from; None and set: there is none on record."""
    mode: str | None = None
    """The mode that the story goes on from."""


_OF_KIND: dict[str, type[Facts]] = {
    **dict.fromkeys(("first model", "promotion", "rollback"), ChampionFacts),
    "awaiting approval": AwaitingFacts,
    **dict.fromkeys(("approved", "rejected", "expired", "overtaken"), AnswerFacts),
    "mode": ModeFacts,
    "policy": PolicyFacts,
    "backfill": BackfillFacts,
    "repair": RepairFacts,
}


def read_facts(kind: str, stored: Any) -> Facts:
    """An entry's facts from what the audit keeps of them, as they come out of JSON.

    Args:
        kind: the entry's.
        stored: a mapping.
    """
    return _OF_KIND.get(kind, Facts).model_validate(stored)
