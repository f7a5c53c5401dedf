"""What the doctor finds, and what it works with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from recfleet.database import Connection
from recfleet.registry import ArtifactStore, Registry
from recfleet.settings import RegistrySettings
from recfleet.tenants import Mode

Told = Callable[[int, int], None]
"""Is told how many of how many have been looked at."""


@dataclass(frozen=True)
class Finding:
    """Something that disagrees."""

    check: str
    """Which check has found it."""
    tenant_id: str | None
    """Whose; None: the fleet's."""
    what: str
    """What disagrees, in words."""
    repair: str | None
    """What a repair does about it, in words; None: it cannot be repaired."""
    advice: str | None = None
    """What a person can do, where there is no repair, or another way than it."""
    night_id: int | None = None
    """The night that it is of, if it is of one."""
    version: int | None = None
    """The version that it is of, if it is of one."""
    mode: Mode | None = None
    """The tenant's on record, if it is of that."""


@dataclass
class Tools:
    """What the doctor works with."""

    connection: Connection
    settings: RegistrySettings
    artifacts: ArtifactStore
    quick: bool = False
    """Whether only some of the models' files are read."""
    told: Told = lambda _, __: None
    _registry: Registry | None = field(default=None, repr=False)

    @property
    def registry(self) -> Registry:
        """MLflow, imported when something is to be repaired there."""
        if self._registry is None:
            self._registry = Registry(self.settings.mlflow_store_url, self.artifacts)
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
    """Given tenants, or None for all: what disagrees. What it finds is looked at a second time with
    the tenants' locks, so that a night that is at work is not taken for a disagreement."""
    mend: Callable[[Tools, Finding], None]
    """Makes one finding agree. Of a tenant: within a transaction that has its lock, which the
    caller commits."""
    of_tenants: bool = True
    """Whether its findings are repaired under the tenant's lock; else ``mend`` commits by
    itself."""
