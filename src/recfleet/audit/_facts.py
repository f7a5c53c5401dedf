"""What entries of the audit say besides their columns, with a type for each kind."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from recfleet.contents import Contents
from recfleet.stored import Moment, Stored


class Facts(Stored):
    """The facts that belong to an entry's kind."""


class Span(Stored):
    """A stretch of a tenant's interactions."""

    begin: Moment = Field(validation_alias="from", serialization_alias="from")
    end: Moment = Field(validation_alias="to", serialization_alias="to")
    lines: int
    fingerprint: str


class ParentFacts(Stored):
    """The model whose factors another one's fit began with."""

    run_id: str
    """The run in MLflow."""
    as_of: Moment
    """Of the night that fitted it."""
    digest: str
    """The digest of its arrays."""


class FitStart(Stored):
    """What a model's fit began with."""

    parent: ParentFacts | None = None
    """None: the fit was cold, it began with random factors."""
    cold_since: Moment
    """As-of of the night in which the chain of fits began cold: this night's, if it was cold."""
    because: str | None = None
    """Why the fit was cold, after "because"."""


class MadeFrom(Facts):
    """What a model was made from; unknown facts are absent."""

    training: Span | None = None
    holdout: Span | None = None
    recipe: dict[str, Any] | None = None
    code_version: str | None = None
    airflow_run: str | None = None
    """The night that trained it."""
    fingerprint: str | None = None
    """The fingerprint of all interactions up to that night's as-of."""
    customers: int | None = None
    products: int | None = None
    pairs: int | None = None
    """How many pairs of customer and product it was trained on."""
    seed: int | None = None
    digest: str | None = None
    """The digest of the model's arrays."""
    start: FitStart | None = None


class ChampionFacts(MadeFrom):
    """Facts of a change of champion, about the new champion."""

    run_id: str | None = None
    """The run in MLflow."""
    model_uri: str | None = None
    """Where its arrays are."""
    train_end: Moment | None = None
    contents: Contents | None = None
    """What its folder holds: each file's length and SHA-256."""
    first_seen: bool | None = None
    """True: nothing was on record about its folder before, so ``contents`` is what was found."""
    release_id: int | None = None
    """The release that went live, if a person put the model in force."""
    approval_id: int | None = None
    """The request, if a person approved it."""


class AwaitingFacts(ChampionFacts):
    """Facts of a change of champion that waits, about the model that would be champion."""

    change: Literal["promotion", "rollback"] | None = None
    held_by: str | None = None


class AnswerFacts(Facts):
    """Facts of a request that has ended, in whatever way."""

    approval_id: int | None = None
    change: Literal["promotion", "rollback"] | None = None
    held_by: str | None = None
    run_id: str | None = None
    """The run in MLflow of the model that would have been champion."""


class ModeFacts(Facts):
    """Facts of a change of mode."""

    former: str | None = Field(None, validation_alias="from", serialization_alias="from")
    new: str | None = Field(None, validation_alias="to", serialization_alias="to")
    shows: str | None = None
    """What a tenant shows after it was off, in words."""


class FieldChange(Stored):
    """One field of a policy."""

    former: Any = Field(None, validation_alias="from", serialization_alias="from")
    new: Any = Field(None, validation_alias="to", serialization_alias="to")
    own: bool | None = None
    """Whether the value is the tenant's own from then on; None: that has not changed."""


class PolicyFacts(Facts):
    """Facts of a change of policy."""

    changes: dict[str, FieldChange] | None = None
    """Field -> its change; fields are named with dots."""
    policy: dict[str, Any] | None = None
    """The whole policy, if it is the fleet's."""


class BackfillFacts(Facts):
    """Facts of a request for a backfill."""

    first: Moment | None = Field(None, validation_alias="from", serialization_alias="from")
    last: Moment | None = Field(None, validation_alias="to", serialization_alias="to")
    step: str | int | None = None
    promote: bool | str | None = None
    force: bool | None = None
    nights: int | None = None
    run_id: str | None = None
    """The run in Airflow."""


class RepairFacts(Facts):
    """Facts of a repair by the doctor."""

    check: str | None = None
    """The check that found it."""
    champion: int | None = None
    """The version from which the story continues; None and set: there is none on record."""
    mode: str | None = None
    """The mode that the story goes on from."""
    contents: Contents | None = None
    """What a model's folder was found to hold when nothing was on record about it."""
    policy: dict[str, Any] | None = None
    """The policy of its own that the story goes on from, by the fields' names, with dots."""


class DeletionFacts(Facts):
    """Facts of the deletion of a tenant."""

    name: str | None = None
    """The tenant's name for people."""
    rows: dict[str, int] | None = None
    """What was deleted -> how many."""


class ForgettingFacts(Facts):
    """Facts of a customer who was forgotten; the id is not among them."""

    rows: dict[str, int] | None = None
    """What was deleted -> how many."""


class AnalystFacts(Facts):
    """Facts of a login that sees one tenant's lists."""

    login: str | None = None
    change: Literal["added", "dropped"] | None = None


class KeyFacts(Facts):
    """Facts of a key of the HTTP service; its secret is nowhere."""

    key_id: str | None = None
    change: Literal["created", "revoked"] | None = None
    name: str | None = None
    """What it is for."""
    scopes: list[str] | None = None
    expires_at: Moment | None = None
    replaces: str | None = None
    """The key in whose place it was made, and which ends soon."""


class LoadFacts(Facts):
    """Facts of a load that was taken back."""

    ingest_id: int | None = None
    source: str | None = None
    """The file's name."""
    rows: dict[str, int] | None = None
    """What was deleted of the tenant -> how many."""


class FeedFacts(Facts):
    """Facts of a change of a feed."""

    feed: str | None = None
    """Its name."""
    change: Literal["added", "changed", "paused", "resumed", "rewound", "removed"] | None = None
    toml: str | None = None
    """Its settings: the new ones, or the last before it was removed."""
    to: str | None = None
    """Value of the cursor that it is read again from; None: the beginning."""


class ExperimentFacts(Facts):
    """Facts of what happened to an experiment."""

    experiment_id: int | None = None
    change: Literal["started", "next phase", "arm stopped", "stopped", "decided"] | None = None
    experiment: str | None = None
    """Its kind."""
    kpi: str | None = None
    arms: list[str] | None = None
    """Those that are compared; the first is the control. Of *arm stopped*, that arm."""
    share: float | None = None
    """The part of the tenant's customers that takes part."""
    shares: dict[str, float] | None = None
    """Arm -> its part of these, in the phase that begins."""
    winner: str | None = None


_OF_KIND: dict[str, type[Facts]] = {
    **dict.fromkeys(("first model", "promotion", "rollback"), ChampionFacts),
    "awaiting approval": AwaitingFacts,
    **dict.fromkeys(("approved", "rejected", "expired", "overtaken"), AnswerFacts),
    "mode": ModeFacts,
    "policy": PolicyFacts,
    "backfill": BackfillFacts,
    "repair": RepairFacts,
    "deletion": DeletionFacts,
    "analyst": AnalystFacts,
    "customer forgotten": ForgettingFacts,
    "key": KeyFacts,
    "load undone": LoadFacts,
    "experiment": ExperimentFacts,
    "feed": FeedFacts,
}


def read_facts(kind: str, stored: Any) -> Facts:
    """Read an entry's facts as the audit stores them, already parsed from JSON.

    Args:
        kind: the entry's kind.
        stored: a mapping.
    """
    return _OF_KIND.get(kind, Facts).model_validate(stored)
