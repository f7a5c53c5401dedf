"""What the doctor finds, and its tools."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recfleet.audit import RepairFacts
from recfleet.database import Connection
from recfleet.registry import ArtifactStore, Registry, open_registry
from recfleet.settings import RegistrySettings
from recfleet.tenants import Mode

Told = Callable[[int, int], None]
"""Called with how many items have been examined, and how many there are."""


@dataclass(frozen=True)
class Finding:
    """Something that disagrees."""

    check: str
    """The check that found it."""
    tenant_id: str | None
    """The tenant; None: it concerns the fleet."""
    what: str
    """What disagrees, in words."""
    repair: str | None
    """What a repair does about it, in words; None: it cannot be repaired."""
    advice: str | None = None
    """What a person can do without a repair or instead of it."""
    night_id: int | None = None
    """The night, if it concerns one."""
    version: int | None = None
    """The version, if it concerns one."""
    mode: Mode | None = None
    """The tenant's on record, if it is of that."""
    policy: Mapping[str, Any] | None = None
    """What is the tenant's own of its policy on record, if it is of that; flat."""


@dataclass
class Tools:
    """The doctor's tools."""

    connection: Connection
    settings: RegistrySettings
    artifacts: ArtifactStore
    quick: bool = False
    """Whether only some of the models' files are read."""
    told: Told = lambda _, __: None
    _registry: Registry | None = field(default=None, repr=False)

    @property
    def registry(self) -> Registry:
        """MLflow, imported at the first repair there."""
        if self._registry is None:
            self._registry = open_registry(self.settings)
        return self._registry

    def now(self) -> datetime:
        """The database's clock."""
        with self.connection.cursor() as cursor:
            cursor.execute("select clock_timestamp()")
            [(moment,)] = cursor.fetchall()
        found: datetime = moment
        return found


@dataclass(frozen=True)
class Check:
    """One kind of disagreement."""

    name: str
    find: Callable[[Tools, Collection[str] | None], Iterable[Finding]]
    """Takes tenants, or None for all, and returns what disagrees. It runs a second time under the
    locks of the tenants found, so that a night at work does not look like a disagreement."""
    mend: Callable[[Tools, Finding], RepairFacts | None]
    """Repairs one finding, and returns what the audit needs to know about that. If the finding is
    about a tenant, the caller holds its lock, and commits."""
    of_tenants: bool = True
    """Whether findings are repaired under the tenant's lock; otherwise ``mend`` commits itself."""
