"""Changing champions by hand: rolling back, and promoting a version of one's choice.

A night moves MLflow's aliases first and Postgres last, for its promotions are not on record before
the lists are live. Here a person waits, and importing MLflow alone takes seconds, so it is the
other way round: champion, live release, audit and ledger change in one transaction of Postgres,
which is the authority, under the tenant's lock from choosing the version until the commit; what is
left to do is in the ledger as an intent, ``follow``. Then MLflow's aliases follow. A process that
dies before the commit has changed nothing; one that dies after it leaves an intent, by which the
close of the next night brings the aliases to what is on record (``fleet.mend``), never back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from recfleet.audit import Entry
from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError, InfrastructureError, RecfleetError, TenantError
from recfleet.fleet.mend import take_back_promotions
from recfleet.operations.by_day import (
    close_operator_night,
    honours,
    open_operator_night,
    record_by_day,
    stage_now,
    tenant_time,
)
from recfleet.operations.past import gone_back, remarks
from recfleet.operations.result import Result, check_who_and_why
from recfleet.record.champions import Champion, Coronation, crown, get_champion
from recfleet.record.ledger import Night, Outcome
from recfleet.registry import ArtifactStore, KnownVersion, find_versions
from recfleet.releases import kept_release, switch_live
from recfleet.settings import Settings, settings
from recfleet.tenants import Tenant, get_tenant, lock_tenants

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Changed:
    """A tenant whose champion a person has changed."""

    tenant_id: str
    from_version: int | None
    to_version: int
    release_id: int
    """What is live from now on."""
    is_kept: bool
    """Whether that was there already; else it was made just now."""
    as_of: datetime
    """What the lists see up to."""

    @property
    def sentence(self) -> str:
        """What was done, in words."""
        before = "no model" if self.from_version is None else f"version {self.from_version}"
        lists = "kept" if self.is_kept else "made just now"
        return (
            f"{self.tenant_id}: version {self.to_version} is in force instead of {before}; its "
            f"lists as of {self.as_of:%Y-%m-%d %H:%M}, {lists}, are live."
        )


@dataclass(frozen=True)
class Case:
    """A tenant whose lock is held, and what there is to choose from."""

    connection: Connection = field(repr=False)
    """To look its past up."""
    tenant: Tenant
    champion: Champion | None
    previous: Champion | None
    versions: Mapping[int, KnownVersion]
    """All that MLflow has of it."""

    def listed(self, *, older: bool = False) -> str:
        """The versions besides the champion, for a sentence, with what to know of them.

        Args:
            older: only those that can be gone back to.
        """
        champion = self.champion.version if self.champion else None
        others = [
            known
            for known in self.versions.values()
            if champion is None
            or (known.version < champion if older else known.version != champion)
        ]
        known_of = remarks(self.connection, self.tenant.tenant_id, others)
        return ", ".join(_with_remark(it.version, known_of) for it in others) or "none"

    def gone_back(self) -> str | None:
        """Who has rolled it back since its last night, in words; None: nobody."""
        return gone_back(self.connection, self.tenant.tenant_id)


@dataclass(frozen=True)
class Choice:
    """What is to be put in force, and how it is written down."""

    version: int
    outcome: Outcome
    is_rollback: bool = False
    numbers: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    first: Callable[[], list[Entry]] = list
    """Done in the same transaction, before the champion changes; returns what the audit says of
    it."""


class ByHand:
    """One person's changes of champions, tenant after tenant.

    Each tenant's change is a transaction of its own. They share nights, one for each as-of time, so
    that hundreds of approvals are not hundreds of nights. Use it as a context: at its end MLflow
    follows, and nights in which nothing was changed are gone.
    """

    def __init__(self, connection: Connection, what: str, *, actor: str, reason: str) -> None:
        """Nothing is opened yet.

        Args:
            connection: an open connection outside any transaction.
            what: one word for the nights, such as ``rollback``.
            actor: who does it.
            reason: why, in words.

        Raises:
            BadInputError: nobody or no reason is named.
        """
        check_who_and_why(actor, reason)
        self.actor, self.reason = actor.strip(), reason.strip()
        self._connection = connection
        self._what = what
        self._settings: Settings = settings()
        self._artifacts = ArtifactStore(
            self._settings.artifact_root, self._settings.artifact_endpoint_url
        )
        self._nights: dict[datetime, Night] = {}
        self.trouble: str | None = None
        """Why MLflow has not followed yet, in words; None: it has."""

    def change(self, tenant_id: str, choose: Callable[[Case], Choice]) -> Changed:
        """Put a version in force for one tenant, with its lists, and commit.

        Args:
            tenant_id: whose.
            choose: is shown what there is, while nobody else can change it, and says which version;
                or raises.

        Raises:
            UnknownTenantError: there is no such tenant.
            BadInputError: it cannot be done; with the reason. Nothing has been changed.
            InfrastructureError: a service is away.
        """
        connection = self._connection
        with transaction(connection):
            get_tenant(connection, tenant_id)
            as_of = tenant_time(connection, tenant_id) or datetime.now(UTC)
        night = self._night(as_of)
        with transaction(connection), said(tenant_id):
            lock_tenants(connection, [tenant_id])
            if (tenant_time(connection, tenant_id) or as_of) != as_of:
                raise BadInputError(
                    "Its lists were published by somebody else this very moment: look again, "
                    "and try again if it is still wanted."
                )
            case = self._case(tenant_id)
            choice = choose(case)
            winner = self._load(case, choice.version)
            return self._put_in_force(night, case, choice, winner)

    def foresee(self, tenant_id: str, choose: Callable[[Case], Choice]) -> str:
        """What ``change`` would do, in words; changes nothing, and raises as it does."""
        with transaction(self._connection), said(tenant_id):
            case = self._case(tenant_id)
            choice = choose(case)
            winner = self._load(case, choice.version)
            kept = self._kept(case.tenant, winner.version)
            known_of = remarks(self._connection, tenant_id, [case.versions[winner.version]])
        before = f"version {case.champion.version}" if case.champion else "no model"
        lists = "are kept, and would be live at once" if kept else "would be made at once"
        return (
            f"{tenant_id}: version {_with_remark(winner.version, known_of)} would be in force "
            f"instead of {before}; its lists {lists}."
        )

    def _night(self, as_of: datetime) -> Night:
        """The night of this as-of time, opened and closed at once, so that none is left open."""
        if as_of not in self._nights:
            with transaction(self._connection):
                night = open_operator_night(self._connection, self._what, as_of)
                close_operator_night(self._connection, night, f"{self._what} by {self.actor}")
            self._nights[as_of] = night
        return self._nights[as_of]

    def _case(self, tenant_id: str) -> Case:
        found = find_versions(self._settings.mlflow_store_url, tenant_id)
        return Case(
            connection=self._connection,
            tenant=get_tenant(self._connection, tenant_id),
            champion=get_champion(self._connection, tenant_id),
            previous=get_champion(self._connection, tenant_id, "previous"),
            versions={version.version: version for version in found},
        )

    def _load(self, case: Case, version: int) -> Champion:
        """The version, once its files are seen to be whole."""
        from recfleet.models.als import load_model

        known = case.versions[version]
        model = load_model(self._artifacts.read(known.model_uri))
        return Champion(version, known.run_id, known.model_uri, model.train_end)

    def _put_in_force(self, night: Night, case: Case, choice: Choice, winner: Champion) -> Changed:
        connection, tenant_id = self._connection, case.tenant.tenant_id
        before = choice.first()
        kept = self._kept(case.tenant, winner.version)
        release_id = kept or self._publish(night, case.tenant, winner)
        coronation = Coronation(
            tenant_id=tenant_id,
            winner=winner,
            numbers=choice.numbers,
            reason=self.reason,
            is_rollback=choice.is_rollback,
            facts={**choice.facts, "release_id": release_id},
        )
        switch_live(connection, {tenant_id: release_id})
        record_by_day(
            connection,
            night,
            case.tenant,
            outcome=choice.outcome,
            reason=f"{self._what} by {self.actor}: {self.reason}",
            release_id=release_id,
            intent={"follow": self._marks(case, choice, winner)},
        )
        crown(
            connection,
            night_id=night.night_id,
            coronations=[coronation],
            actor=self.actor,
            before=before,
        )
        return Changed(
            tenant_id=tenant_id,
            from_version=case.champion.version if case.champion else None,
            to_version=winner.version,
            release_id=release_id,
            is_kept=kept is not None,
            as_of=_as_of(connection, release_id),
        )

    def _kept(self, tenant: Tenant, version: int) -> int | None:
        """A release of the version that may be shown again: it leaves out what the policy does."""
        release_id = kept_release(self._connection, tenant.tenant_id, version)
        if release_id is None:
            return None
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select policy from ledger join release using (tenant_id, night_id) "
                "where release.release_id = %s",
                (release_id,),
            )
            row = cursor.fetchone()
        return release_id if honours(row[0] if row else None, tenant.policy) else None

    def _publish(self, night: Night, tenant: Tenant, winner: Champion) -> int:
        if tenant.policy_error:
            raise BadInputError(f"No lists can be made for it: {tenant.policy_error}.")
        return stage_now(self._connection, night, tenant, winner, self._artifacts)

    def _marks(self, case: Case, choice: Choice, winner: Champion) -> dict[int, dict[str, str]]:
        """What the versions in MLflow are to say of it."""
        by = {"decided_by": self.actor, "decision_reason": self.reason}
        if choice.is_rollback and case.champion:
            return {
                case.champion.version: {"verdict": "rolled back", **by},
                winner.version: {"verdict": "rolled back to", **by},
            }
        return {winner.version: {"verdict": "promote", **by}}

    def __enter__(self) -> ByHand:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection.closed:
            return
        for night in self._nights.values():
            if self._is_empty(night):
                continue
            # The change is live; who waits for MLflow would take it for undone.
            try:
                take_back_promotions(self._connection, night, self._settings)
            except RecfleetError as error:
                self.trouble = str(error)
                log.warning("MLflow has not followed yet", reason=str(error))

    def _is_empty(self, night: Night) -> bool:
        """Whether nothing was changed in the night; it is gone then."""
        with transaction(self._connection), self._connection.cursor() as cursor:
            cursor.execute(
                "delete from night where night_id = %(night)s and not exists "
                "(select from ledger where ledger.night_id = night.night_id)",
                {"night": night.night_id},
            )
            return bool(cursor.rowcount)


def roll_back(
    connection: Connection,
    tenant_id: str,
    *,
    to_version: int | None = None,
    actor: str,
    reason: str,
) -> Changed:
    """Put an earlier model of a tenant back in force, with its lists.

    Where its lists are kept they are switched to as they are; else they are made at once, as of the
    time that the tenant's lists have come to. The tenant has no previous model afterwards: nobody
    goes back to the one that was bad.

    Args:
        connection: an open connection outside any transaction; it commits.
        tenant_id: whose.
        to_version: of its model; None: the one before the champion.
        actor: who does it.
        reason: why, in words.

    Raises:
        UnknownTenantError: there is no such tenant.
        BadInputError: it cannot be done; with the reason. Nothing has been changed.
        InfrastructureError: a service is away.
    """
    with ByHand(connection, "rollback", actor=actor, reason=reason) as hand:
        return hand.change(tenant_id, rollback_to(to_version))


def promote(
    connection: Connection, tenant_id: str, version: int, *, actor: str, reason: str
) -> Changed:
    """Put a version of a tenant's model in force, with its lists, as ``roll_back`` does.

    The champion until then becomes the previous one.

    Args:
        connection: an open connection outside any transaction; it commits.
        tenant_id: whose.
        version: of its model.
        actor: who does it.
        reason: why, in words.

    Raises:
        UnknownTenantError, BadInputError, InfrastructureError: as ``roll_back``.
    """
    with ByHand(connection, "promote", actor=actor, reason=reason) as hand:
        return hand.change(tenant_id, promotion_of(version))


def change_all(
    connection: Connection,
    what: str,
    tenant_ids: Sequence[str],
    choose: Callable[[Case], Choice],
    *,
    actor: str,
    reason: str,
    dry_run: bool = False,
    on_each: Callable[[Result], None] = lambda _: None,
) -> tuple[list[Result], str | None]:
    """Change several tenants' champions, each for itself.

    Of several, who went back since its last night is unchanged: so a rollback that broke off can be
    asked for again.

    Args:
        connection: an open connection outside any transaction; it commits.
        what: one word for it, such as ``rollback``.
        tenant_ids: whose.
        choose: ``rollback_to`` or ``promotion_of``.
        actor: who does it.
        reason: why, in words.
        dry_run: change nothing, and say what would be done.
        on_each: is called with each one's result, when its lists are live.

    Returns:
        A result a tenant, in their order, of a dry run what it would be; and, if MLflow has not
        followed yet, why.

    Raises:
        BadInputError: nobody or no reason is named.
        InfrastructureError: a service is away; what is done is done.
    """
    results = []
    with ByHand(connection, what, actor=actor, reason=reason) as hand:
        for tenant_id in tenant_ids:
            try:
                sentence = (
                    hand.foresee(tenant_id, choose)
                    if dry_run
                    else hand.change(tenant_id, choose).sentence
                )
                results.append(Result(tenant_id, "done", sentence))
            except InfrastructureError:
                raise
            except RecfleetError as error:
                is_done = isinstance(error, GoneBackError) and len(tenant_ids) > 1
                results.append(Result(tenant_id, "unchanged" if is_done else "failed", str(error)))
            on_each(results[-1])
    return results, hand.trouble


def rollback_to(to_version: int | None) -> Callable[[Case], Choice]:
    """The choice of ``roll_back``, for ``ByHand.change``."""

    def choose(case: Case) -> Choice:
        if case.champion is None:
            raise BadInputError("It has no model in force, so there is nothing to go back from.")
        if to_version is not None:
            version = to_version
        elif case.previous is not None:
            version = case.previous.version
        else:
            raise _without_previous(case, case.champion)
        if version == case.champion.version and (gone := case.gone_back()):
            raise GoneBackError(f"{gone}.")
        _check_version(case, version)
        if version > case.champion.version:
            raise BadInputError(
                f"Version {version} is newer than its champion, version {case.champion.version}: "
                "`recfleet promote` puts it in force."
            )
        return Choice(version, "rolled back", is_rollback=True)

    return choose


class GoneBackError(BadInputError):
    """It went back already since its last night."""


def _without_previous(case: Case, champion: Champion) -> BadInputError:
    """Why a tenant cannot go back, and to what it still could."""
    older = case.listed(older=True)
    there_are = (
        "There is no older one." if older == "none" else f"Name one with --to-version: {older}."
    )
    if gone := case.gone_back():
        return GoneBackError(f"{gone}, and has no previous version since. {there_are}")
    return BadInputError(
        "It has no previous version to go back to, its champion is version "
        f"{champion.version}. {there_are}"
    )


def promotion_of(version: int) -> Callable[[Case], Choice]:
    """The choice of ``promote``, for ``ByHand.change``."""

    def choose(case: Case) -> Choice:
        _check_version(case, version)
        return Choice(version, "promoted" if case.champion else "first model")

    return choose


def _check_version(case: Case, version: int) -> None:
    if case.champion and case.champion.version == version:
        raise BadInputError(f"Version {version} is its champion already.")
    if version not in case.versions:
        raise BadInputError(
            f"It has no version {version}. Besides the champion there are: {case.listed()}."
        )


def _with_remark(version: int, known_of: Mapping[int, str]) -> str:
    return f"{version} ({known_of[version]})" if version in known_of else str(version)


@contextmanager
def said(tenant_id: str) -> Iterator[None]:
    """Say whose trouble it is, and that nothing was changed."""
    try:
        yield
    except BadInputError as error:
        raise type(error)(f"{tenant_id}: {error}") from error
    except TenantError as error:
        what = str(error).rstrip(".")
        raise BadInputError(f"{tenant_id}: {what}. Nothing was changed.") from error


def _as_of(connection: Connection, release_id: int) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("select as_of from release where release_id = %s", (release_id,))
        [(as_of,)] = cursor.fetchall()
    found: datetime = as_of
    return found
