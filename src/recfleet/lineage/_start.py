"""What the fits of a shard begin with: each tenant's last fit, or random factors, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from recfleet.audit import FitStart, ParentFacts
from recfleet.database import Connection
from recfleet.errors import TenantError
from recfleet.lineage._remake import remake
from recfleet.lineage._renewal import RENEWAL_DAYS, last_renewal
from recfleet.record import Night
from recfleet.record.fits import LONGEST_GAP, Fit, chain_of, fits_of_same_night, last_fits
from recfleet.registry import ArtifactStore

if TYPE_CHECKING:
    from recfleet.models import InteractionLog, Model, Trainer

log = structlog.get_logger(__name__)

_COLD_THEN = "the fit of the night of that time was cold"


@dataclass(frozen=True)
class Start:
    """What one fit begins with."""

    facts: FitStart
    parent: Model | None = None
    """None: the fit is cold."""


@dataclass(frozen=True)
class Starts:
    """What the fits of a shard may begin with."""

    connection: Connection
    night: Night
    artifacts: ArtifactStore
    last: Mapping[str, Fit]
    """Tenant id -> its last fit."""
    same_night: Mapping[str, Fit]
    """For a trial: tenant id -> the fit of the fleet's night as of the same time."""

    def of(self, trainer: Trainer, interactions: InteractionLog, before: datetime) -> Start:
        """What a tenant's fit begins with; a parent that cannot be read makes it cold.

        Args:
            trainer: makes the model.
            interactions: the tenant's, up to the night's as-of.
            before: the model sees nothing of this time or later.

        Raises:
            InfrastructureError: the store of models is away.
        """
        tenant_id = interactions.tenant_id
        fit = self.last.get(tenant_id)
        why = self._why_anew(tenant_id, fit)
        if fit is None or why:
            return self._cold(why)
        try:
            parent = self._read(fit, trainer, interactions)
        except TenantError as error:
            log.warning("chain of fits broken", tenant_id=tenant_id, reason=str(error))
            return self._cold(f"the chain of its fits is broken: {error}")
        unsuited = trainer.why_not_from(parent, interactions, before=before)
        if unsuited is not None:
            return self._cold(unsuited)
        named = ParentFacts(run_id=fit.challenger.run_id, as_of=fit.as_of, digest=parent.digest)
        return Start(FitStart(parent=named, cold_since=_start_of(fit).cold_since), parent)

    def _cold(self, why: str) -> Start:
        return Start(FitStart(cold_since=self.night.as_of, because=why))

    def _why_anew(self, tenant_id: str, fit: Fit | None) -> str:
        """Why a fit is cold, as far as the record says it; empty: it may be warm."""
        again = self.same_night.get(tenant_id)
        if again is not None and _start_of(again).parent is None:
            return _start_of(again).because or _COLD_THEN
        if fit is None:
            return f"it has no fit of the {LONGEST_GAP.days} days before"
        if fit.is_undone:
            return "it went back to an earlier model since its last fit"
        if _start_of(fit).cold_since.date() < last_renewal(tenant_id, self.night.as_of.date()):
            return f"each tenant's fit begins anew once in {RENEWAL_DAYS} days"
        return ""

    def _read(self, fit: Fit, trainer: Trainer, interactions: InteractionLog) -> Model:
        """The model of a fit; in a trial, it is made again if its files are gone.

        Raises:
            TenantError: it cannot be read, or is not the one on record.
        """
        from recfleet.models import read_model

        known = fit.challenger
        try:
            model = read_model(self.artifacts.read(known.model_uri, known.contents))
        except TenantError:
            if not self.night.is_trial:
                raise
            chain = chain_of(self.connection, interactions.tenant_id, known.run_id)
            self.connection.commit()  # no transaction stays open through the computing
            return remake(chain, trainer, interactions)
        if known.digest not in (None, model.digest):
            raise TenantError(f"the last fit, run {known.run_id}, has other arrays than on record")
        return model


def read_starts(
    connection: Connection, night: Night, tenant_ids: Sequence[str], artifacts: ArtifactStore
) -> Starts:
    """What the fits of a shard may begin with; the caller ends the transaction.

    Args:
        connection: an open connection.
        night: the night that is about to fit.
        tenant_ids: the shard's.
        artifacts: where the models are.
    """
    same = fits_of_same_night(connection, night, tenant_ids) if night.is_trial else {}
    return Starts(connection, night, artifacts, last_fits(connection, night, tenant_ids), same)


def _start_of(fit: Fit) -> FitStart:
    """What a fit began with; every fit of an older release was cold."""
    return fit.challenger.start or FitStart(cold_since=fit.as_of)
