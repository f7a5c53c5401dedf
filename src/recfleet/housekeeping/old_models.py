"""Delete old versions and runs in MLflow.

Postgres is the authority on what is in force. A night that publishes a tenant holds the tenant's
lock while champion and live release change. Clearing takes the same lock: under it, it reads again
what the tenant needs, and deletes before anybody can change that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Generic, TypeVar

from recfleet.database import Connection, transaction
from recfleet.experiments import models_of_arms
from recfleet.record.retention import (
    NeededModel,
    models_in_force,
    models_under_way,
    nights_since,
    tried_runs,
)
from recfleet.registry import OldRun, OldVersion, Retention

_AT_ONCE = 200
"""This many versions or runs are deleted under their tenants' locks; it takes a second at most."""

# A live release belongs to the champion or to popularity, so it adds nothing to the champions.
_OF_KEPT_LISTS = """
select tenant_id, run_id, model_version, 'of a release whose lists are kept'
  from release_overview where tenant_id = any(%(tenants)s) and run_id is not null
                          and night_id = any(%(nights)s)
"""


@dataclass
class Needed:
    """Which models a tenant needs, each with the reason."""

    runs: dict[str, str] = field(default_factory=dict)
    versions: dict[int, str] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    """Runs with versions only for a trial's lists; these do not count among the newest."""


Item = TypeVar("Item", OldVersion, OldRun)


@dataclass
class Cleared(Generic[Item]):
    """What was deleted, which old items were kept, and which tenants were skipped."""

    gone: list[Item] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    busy: set[str] = field(default_factory=set)


def old_versions(
    versions: Sequence[OldVersion], needed: Needed, *, newest: int, before: datetime
) -> tuple[list[OldVersion], Counter[str]]:
    """Sort out one tenant's versions.

    Args:
        versions: all of them, newest first.
        needed: what the tenant needs.
        newest: how many stay besides the needed ones.
        before: versions from after this time stay.

    Returns:
        Those that may go, and the reason -> how many others stay beyond the newest.
    """
    reasons = [_why_version(version, needed, before) for version in versions]
    idle = [version for version, why in zip(versions, reasons, strict=True) if why is None]
    free = [version for version in idle if version.run_id not in needed.tried]
    tried = [version for version in idle if version.run_id in needed.tried]
    first_old = free[newest - 1].version if len(free) >= newest > 0 else None
    oldest = [
        why
        for version, why in zip(versions, reasons, strict=True)
        if why and (newest == 0 or (first_old is not None and version.version < first_old))
    ]
    return [*free[newest:], *tried], Counter(oldest)


def _why_version(version: OldVersion, needed: Needed, before: datetime) -> str | None:
    """Why a version stays, however many newer ones there are; None: it may go."""
    if version.aliases:
        return version.aliases[0]
    why = needed.versions.get(version.version) or needed.runs.get(version.run_id)
    if why is None and version.created_at >= before:
        return "too new"
    return why


def old_runs(
    runs: Sequence[OldRun], needed: Needed, gone_versions: Collection[int]
) -> tuple[list[OldRun], Counter[str]]:
    """Sort out one tenant's runs that are past retention.

    Args:
        runs: those past retention.
        needed: what the tenant needs.
        gone_versions: versions that are deleted, or would be in a dry run.

    Returns:
        Those that may go, and the reason -> how many stay.
    """
    gone, kept = [], Counter[str]()
    for run in runs:
        why = needed.runs.get(run.run_id)
        if why is None and set(run.versions).difference(gone_versions):
            why = "of a version that is kept"
        if why is None:
            gone.append(run)
        else:
            kept[why] += 1
    return gone, kept


@dataclass(frozen=True)
class Clearing:
    """One clearing of MLflow, batch of tenants by batch of tenants."""

    connection: Connection
    retention: Retention
    newest: int
    """How many versions of each tenant stay besides the needed ones."""
    runs_before: datetime
    """Runs that ended earlier are past retention."""
    lists_before: datetime
    """Nights that ended later keep their lists, and the models behind these lists."""
    settled_before: datetime
    """Younger versions stay: their night may still be using them."""
    dry_run: bool = False

    def versions(self) -> Cleared[OldVersion]:
        """Delete each tenant's versions beyond the newest, except the needed ones."""
        cleared = Cleared[OldVersion]()
        by_tenant = _by_tenant(self.retention.versions(), more_than=self.newest)
        for tenants in _batches(by_tenant):
            with self._held(tenants, cleared.busy) as needed:
                for tenant_id, needs in needed.items():
                    gone, kept = old_versions(
                        by_tenant[tenant_id],
                        needs,
                        newest=self.newest,
                        before=self.settled_before,
                    )
                    cleared.gone += gone
                    cleared.kept += kept
                    if not self.dry_run:
                        self.retention.delete_versions(gone)
        return cleared

    def runs(self, without: Sequence[OldVersion]) -> Cleared[OldRun]:
        """Delete each tenant's old runs, except those that are needed or have a version.

        Args:
            without: versions that are deleted, or would be in a dry run.
        """
        cleared = Cleared[OldRun]()
        dropped = _by_tenant(without)
        by_tenant = _by_tenant(self.retention.runs(self.runs_before))
        for tenants in _batches(by_tenant):
            old: list[OldRun] = []
            with self._held(tenants, cleared.busy) as needed:
                for tenant_id, needs in needed.items():
                    versions = {version.version for version in dropped.get(tenant_id, ())}
                    gone, kept = old_runs(by_tenant[tenant_id], needs, versions)
                    old += gone
                    cleared.kept += kept
                if not self.dry_run:
                    self.retention.delete_runs(old)
            # After the locks are free: deleting files is slow, and nothing refers to them any more.
            if not self.dry_run:
                self.retention.delete_files(old)
            cleared.gone += old
        return cleared

    @contextmanager
    def _held(self, tenants: Sequence[str], busy: set[str]) -> Iterator[dict[str, Needed]]:
        """What tenants need, while their locks are held; tenants being published are left out."""
        with transaction(self.connection):
            held = self._lock(tenants)
            busy.update(set(tenants).difference(held))
            yield self._needed(held)

    def _lock(self, tenants: Sequence[str]) -> list[str]:
        """Lock those tenants that nobody is publishing, until the transaction ends."""
        if self.dry_run:
            return list(tenants)
        with self.connection.cursor() as cursor:
            cursor.execute(
                "select tenant_id from unnest(%s) as tenant_id "
                "where pg_try_advisory_xact_lock(hashtextextended('publish ' || tenant_id, 0))",
                (list(tenants),),
            )
            return [tenant_id for (tenant_id,) in cursor]

    def _needed(self, tenants: Sequence[str]) -> dict[str, Needed]:
        needed = {tenant_id: Needed() for tenant_id in tenants}
        found = [
            *models_in_force(self.connection, tenants),
            *self._of_kept_lists(tenants),
            *models_under_way(self.connection, tenants),
            *(
                NeededModel(*model, "an arm of an experiment")
                for model in models_of_arms(self.connection, tenants)
            ),
        ]
        for tenant_id, run_id, version, why in found:
            needed[tenant_id].runs.setdefault(run_id, why)
            if version is not None:
                needed[tenant_id].versions.setdefault(version, why)
        for tenant_id, run_id in tried_runs(self.connection, tenants):
            needed[tenant_id].tried.add(run_id)
        return needed

    def _of_kept_lists(self, tenants: Sequence[str]) -> list[NeededModel]:
        nights = nights_since(self.connection, self.lists_before)
        with self.connection.cursor() as cursor:
            cursor.execute(_OF_KEPT_LISTS, {"tenants": list(tenants), "nights": nights})
            return [NeededModel(*row) for row in cursor]


def _by_tenant(items: Sequence[Item], *, more_than: int = 0) -> dict[str, list[Item]]:
    """Group items, sorted by tenant, by tenant; tenants with few items are left out."""
    groups = groupby(items, key=lambda item: item.tenant_id)
    lists = {tenant_id: list(of_tenant) for tenant_id, of_tenant in groups}
    return {tenant_id: found for tenant_id, found in lists.items() if len(found) > more_than}


def _batches(by_tenant: Mapping[str, Sequence[object]]) -> Iterator[list[str]]:
    """Batches of tenants with some two hundred items together."""
    batch: list[str] = []
    size = 0
    for tenant_id, items in by_tenant.items():
        batch.append(tenant_id)
        size += len(items)
        if size >= _AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
