"""Put a version that a person has chosen in force, with its lists.

A night moves MLflow's aliases first and changes Postgres last, because its promotions go on record
together with the lists. Here a person waits, and importing MLflow alone takes seconds, so the order
is reversed. Champion, live release, audit and ledger change in one transaction of Postgres, which
is the authority. The tenant is locked from the choice of the version until the commit. The ledger
keeps the rest of the work as an intent, ``follow``; then MLflow's aliases follow. A process that
dies before the commit has changed nothing. One that dies after it leaves the intent, and the close
of the next night moves the aliases forward to what is on record (``fleet.intents``), never back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from recfleet.audit import check_who_and_why
from recfleet.contents import digest_of
from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError, RecfleetError
from recfleet.fleet.intents import mend_intents
from recfleet.fleet.loading import check_version, is_first_seen
from recfleet.operations.champion_choice import Case, Choice
from recfleet.operations.operator_night import (
    close_operator_night,
    honours,
    open_operator_night,
    record_by_operator,
    stage_now,
    tenant_time,
)
from recfleet.operations.result import errors_of
from recfleet.operations.version_history import remarks_on, with_remark
from recfleet.record import (
    Champion,
    Coronation,
    Follow,
    Night,
    crown,
    delete_empty_night,
    get_champion,
)
from recfleet.registry import DIGEST, find_versions, open_artifacts
from recfleet.releases import kept_release, switch_live
from recfleet.settings import RegistrySettings, registry_settings
from recfleet.tenants import Tenant, get_tenant, lock_tenants

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Changed:
    """A tenant whose champion a person has changed."""

    tenant_id: str
    from_version: int | None
    to_version: int
    release_id: int
    """The release that is live from now on."""
    is_kept: bool
    """Whether the release existed already; otherwise it was made just now."""
    as_of: datetime
    """The lists know purchases up to this time."""

    @property
    def sentence(self) -> str:
        """What was done, in words."""
        before = "no model" if self.from_version is None else f"version {self.from_version}"
        lists = "kept" if self.is_kept else "made just now"
        return (
            f"{self.tenant_id}: version {self.to_version} is in force instead of {before}; its "
            f"lists as of {self.as_of:%Y-%m-%d %H:%M}, {lists}, are live."
        )


class ChampionChanges:
    """The changes of champions that one person makes, tenant after tenant.

    Each tenant's change is a transaction of its own. Changes with the same as-of time share a
    night, so that hundreds of approvals do not make hundreds of nights. Use it as a context: at its
    end MLflow follows, and nights without any change are deleted.
    """

    def __init__(self, connection: Connection, what: str, *, actor: str, reason: str) -> None:
        """Check who and why; nothing is opened yet.

        Args:
            connection: an open connection outside any transaction.
            what: one word for the nights, such as ``rollback``.
            actor: who does it.
            reason: why, in words.

        Raises:
            BadInputError: the actor or the reason is missing.
        """
        self.actor, self.reason = check_who_and_why(actor, reason)
        self._connection = connection
        self._what = what
        self._settings: RegistrySettings = registry_settings()
        self._artifacts = open_artifacts(self._settings)
        self._nights: dict[datetime, Night] = {}
        self.trouble: str | None = None
        """Why MLflow has not followed yet, in words; None: it has."""

    def change(self, tenant_id: str, choose: Callable[[Case], Choice]) -> Changed:
        """Put a version in force for one tenant, with its lists, and commit.

        Args:
            tenant_id: the tenant.
            choose: gets the case, which nobody else can change meanwhile; returns the choice, or
                raises.

        Raises:
            NotFoundError: there is no such tenant, or it has no such version.
            BadInputError: it cannot be done; says why. Nothing has been changed.
            InfrastructureError: a service is away.
        """
        connection = self._connection
        with transaction(connection):
            get_tenant(connection, tenant_id)
            as_of = tenant_time(connection, tenant_id) or datetime.now(UTC)
        night = self._night(as_of)
        with transaction(connection), errors_of(tenant_id):
            lock_tenants(connection, [tenant_id])
            if (tenant_time(connection, tenant_id) or as_of) != as_of:
                raise BadInputError(
                    "Somebody else has just published its lists: look again, and retry if you "
                    "still want the change."
                )
            case = self._case(tenant_id)
            choice = choose(case)
            known = case.versions[choice.version]
            winner = check_version(connection, tenant_id, known, self._artifacts)
            return self._put_in_force(night, case, choice, winner)

    def foresee(self, tenant_id: str, choose: Callable[[Case], Choice]) -> str:
        """What ``change`` would do, in words; changes nothing, and raises the same errors."""
        with transaction(self._connection), errors_of(tenant_id):
            case = self._case(tenant_id)
            choice = choose(case)
            known = case.versions[choice.version]
            winner = check_version(self._connection, tenant_id, known, self._artifacts)
            kept = self._kept(case.tenant, winner.version)
            known_of = remarks_on(self._connection, tenant_id, [known])
        before = f"version {case.champion.version}" if case.champion else "no model"
        lists = "are kept, and would be live at once" if kept else "would be made at once"
        return (
            f"{tenant_id}: version {with_remark(winner.version, known_of)} would be in force "
            f"instead of {before}; its lists {lists}."
        )

    def _night(self, as_of: datetime) -> Night:
        """The night of this as-of time, opened and closed at once, so that no night stays open."""
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
            made_from=choice.made_from,
            release_id=release_id,
            approval_id=choice.approval_id,
            is_first_seen=is_first_seen(connection, tenant_id, case.versions[winner.version]),
        )
        switch_live(connection, {tenant_id: release_id})
        record_by_operator(
            connection,
            night,
            case.tenant,
            outcome=choice.outcome,
            reason=f"{self._what} by {self.actor}: {self.reason}",
            release_id=release_id,
            intent=Follow(marks=self._marks(case, choice, winner)),
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
        """A release of the version that may be shown again: it has nothing the policy excludes."""
        release_id = kept_release(self._connection, tenant.tenant_id, version)
        if release_id is None:
            return None
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select policy from tenant_night join release_overview as release "
                "using (tenant_id, night_id) where release.release_id = %s",
                (release_id,),
            )
            row = cursor.fetchone()
        return release_id if honours(row[0] if row else None, tenant.policy) else None

    def _publish(self, night: Night, tenant: Tenant, winner: Champion) -> int:
        if tenant.policy_error:
            raise BadInputError(f"No lists can be made for it: {tenant.policy_error}.")
        return stage_now(self._connection, night, tenant, winner, self._artifacts)

    def _marks(self, case: Case, choice: Choice, winner: Champion) -> dict[int, dict[str, str]]:
        """Version -> tags that tell of the change in MLflow."""
        by = {"decided_by": self.actor, "decision_reason": self.reason}
        digest = {DIGEST: digest_of(winner.contents or {})}
        if choice.is_rollback and case.champion:
            return {
                case.champion.version: {"verdict": "rolled back", **by},
                winner.version: {"verdict": "rolled back to", **by, **digest},
            }
        return {winner.version: {"verdict": "promote", **by, **digest}}

    def __enter__(self) -> ChampionChanges:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection.closed:
            return
        for night in self._nights.values():
            if not self._removed_as_empty(night):
                self._let_mlflow_follow(night)

    def _let_mlflow_follow(self, night: Night) -> None:
        # The change is live; an error from here would sound as if nothing had been changed.
        try:
            mend_intents(self._connection, night, self._settings)
        except RecfleetError as error:
            self.trouble = str(error)
            log.warning("MLflow has not followed yet", reason=str(error))

    def _removed_as_empty(self, night: Night) -> bool:
        """Delete the night if nothing was changed in it; returns whether it was deleted."""
        with transaction(self._connection):
            return delete_empty_night(self._connection, night)


def _as_of(connection: Connection, release_id: int) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("select as_of from release_overview where release_id = %s", (release_id,))
        [(as_of,)] = cursor.fetchall()
    found: datetime = as_of
    return found
