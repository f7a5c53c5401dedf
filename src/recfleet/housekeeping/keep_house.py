"""Housekeeping: delete data past retention, but never what is in force or could be again.

It has four parts, each safe to kill, to run again and to run beside a night: the lists of old
nights; old versions and runs in MLflow; old rows of the ledger, of data quality and of what came of
answers; files without any reference. The history of promotions stays, and the tenants' own data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from recfleet.database import Connection, connect, transaction
from recfleet.feedback import delete_old_feedback
from recfleet.housekeeping import old_models, old_records
from recfleet.record import expire_requests
from recfleet.record.retention import runs_in_force, stuck_nights
from recfleet.registry import ArtifactStore, Retention, open_artifacts, rebuild_bloated_indexes
from recfleet.releases import drop_old_lists
from recfleet.settings import (
    RegistrySettings,
    RetentionSettings,
    registry_settings,
    retention_settings,
)
from recfleet.tenants import list_tenants

_STUCK = timedelta(days=2)
"""A night that has been running for this long is mentioned, and everything it made stays."""


@dataclass(frozen=True)
class Part:
    """What one part of housekeeping deleted, or would delete."""

    name: str
    gone: Mapping[str, int] = field(default_factory=dict)
    """What -> how many."""
    kept: Mapping[str, int] = field(default_factory=dict)
    """What stays although it is past retention, with the reason -> how many."""
    notes: tuple[str, ...] = ()
    """What a person should know."""

    def sentence(self) -> str:
        """The part in one line, for people."""
        gone = f"{self.name} gone ({_listed(self.gone)})" if any(self.gone.values()) else ""
        kept = f"kept past retention ({_listed(self.kept)})" if any(self.kept.values()) else ""
        nothing = "" if gone else f"{self.name}: nothing past retention"
        return "; ".join(filter(None, [gone or nothing, kept, *self.notes]))


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in counts.items() if count)


@dataclass(frozen=True)
class _House:
    connection: Connection
    registry: RegistrySettings
    limits: RetentionSettings
    now: datetime
    dry_run: bool

    def ago(self, days: int) -> datetime:
        """The moment this many days before now."""
        return self.now - timedelta(days=days)

    @property
    def artifacts(self) -> ArtifactStore:
        """Where models' arrays are kept."""
        return open_artifacts(self.registry)


def keep_house(part: str, *, dry_run: bool = False) -> Part:
    """Do one part of housekeeping; waits for housekeeping that is already running.

    Args:
        part: one of ``PARTS``.
        dry_run: change nothing, and report what would be done.

    Raises:
        InfrastructureError, psycopg2.OperationalError: a service is away; what is done stays done,
            and another attempt continues from there.
        ConfigurationError: MLflow's tables are missing, or the artifact root has changed.
    """
    connection = connect(purpose=f"recfleet housekeeping {part}")
    try:
        if not dry_run:
            with transaction(connection), connection.cursor() as cursor:
                # The lock ends with the connection, however this process ends.
                cursor.execute("select pg_advisory_lock(hashtextextended('housekeeping', 0))")
        now = datetime.now(UTC)
        house = _House(connection, registry_settings(), retention_settings(), now, dry_run)
        return PARTS[part](house)
    finally:
        connection.close()


def _lists(house: _House) -> Part:
    """Drop the partitions of old nights."""
    before = house.ago(house.limits.keep_lists_days)
    done = drop_old_lists(house.connection, before, dry_run=house.dry_run)
    notes = [
        f"night {night} has been running since {since:%Y-%m-%d %H:%M}: everything it made stays"
        for night, since in _stuck(house)
    ]
    if done.postponed:
        notes.append(f"put off until the next time, because {done.postponed}")
    return Part(
        "lists",
        {"nights' lists": done.dropped, "partitions of many nights rewritten": done.merged},
        {
            "releases that are live or would be rolled back to": done.kept_releases,
            "customers' lists in them": done.kept_lists,
        },
        tuple(notes),
    )


def _stuck(house: _House) -> list[tuple[int, datetime]]:
    with transaction(house.connection):
        return stuck_nights(house.connection, house.now - _STUCK)


def _models(house: _House) -> Part:
    """Delete old versions, then old runs without a version, and tidy up behind them."""
    if not house.dry_run:
        expire_requests(house.connection)  # An expired request no longer keeps its version.
    with _retention(house) as retention:
        clearing = old_models.Clearing(
            house.connection,
            retention,
            newest=house.limits.keep_versions,
            runs_before=house.ago(house.limits.keep_run_days),
            lists_before=house.ago(house.limits.keep_lists_days),
            settled_before=house.ago(1),
            dry_run=house.dry_run,
        )
        versions = clearing.versions()
        runs = clearing.runs(without=versions.gone)
    rebuilt = rebuild_bloated_indexes(house.registry.mlflow_store_url, dry_run=house.dry_run)
    busy = versions.busy | runs.busy
    return Part(
        "models",
        {
            "versions": len(versions.gone),
            "runs": len(runs.gone),
            "indexes' empty pages": len(rebuilt),
        },
        {
            **{f"versions: {why}": count for why, count in versions.kept.items()},
            **{f"runs: {why}": count for why, count in runs.kept.items()},
        },
        (f"{len(busy)} tenants were being published; they are left for the next time",)
        if busy
        else (),
    )


@contextmanager
def _retention(house: _House) -> Iterator[Retention]:
    retention = Retention(house.registry.mlflow_store_url, house.artifacts)
    try:
        yield retention
    finally:
        retention.close()


def _records(house: _House) -> Part:
    """Delete old rows of data quality, the ledger, releases and nights."""
    limits = house.limits
    gone, kept = old_records.delete_old_records(
        house.connection,
        quality_before=house.ago(limits.keep_quality_days),
        # A release stays on record as long as its lists.
        ledger_before=house.ago(max(limits.keep_ledger_days, limits.keep_lists_days)),
        dry_run=house.dry_run,
    )
    return Part("records", gone | _feedback(house), kept)


def _feedback(house: _House) -> dict[str, int]:
    """Delete what came of answers, as long ago as each tenant's policy says."""
    with transaction(house.connection):
        tenants = list_tenants(house.connection)
    of_days: dict[int, list[str]] = {}
    for tenant in tenants:
        of_days.setdefault(tenant.policy.keep_events_days, []).append(tenant.tenant_id)
    gone = Counter[str]()
    for days, tenant_ids in of_days.items():
        with transaction(house.connection):
            gone.update(delete_old_feedback(house.connection, tenant_ids, house.ago(days)))
            if house.dry_run:
                house.connection.rollback()
    return dict(gone)


def _files(house: _House) -> Part:
    """Delete folders of runs that are no longer on record, and leftovers of killed writers.

    A run goes on record after all its files are written, so leftovers of a killed writer lie in the
    folder of a run that is not on record.
    """
    with transaction(house.connection):
        in_force = runs_in_force(house.connection)
    lost = 0
    with _retention(house) as retention:
        for folder in retention.lost_folders(house.ago(1), in_force):
            lost += 1
            if not house.dry_run:
                house.artifacts.delete(folder)
    return Part("files", {"folders without a run": lost})


PARTS: dict[str, Callable[[_House], Part]] = {
    "lists": _lists,
    "models": _models,
    "records": _records,
    "files": _files,
}
"""The parts, in the order in which they run."""
