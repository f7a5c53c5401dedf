"""The experiments of a tenant, for the Tenant page: arms, curves with bounds, verdicts."""

from __future__ import annotations

from dataclasses import dataclass

from recfleet.database import Connection
from recfleet.experiments import Told, experiments_of, tell
from recfleet.pages._charts import Chart, difference_chart

_SHOWN = 10
"""The newest experiments are shown."""


@dataclass(frozen=True)
class Shown:
    """An experiment, and a chart for each arm that is compared."""

    told: Told
    charts: dict[str, Chart]


def shown_experiments(connection: Connection, tenant_id: str) -> list[Shown]:
    """A tenant's newest experiments, the newest first; the caller ends the transaction."""
    found = reversed(experiments_of(connection, tenant_id)[-_SHOWN:])
    told = [tell(connection, tenant_id, one.experiment_id) for one in found]
    return [
        Shown(one, {arm: difference_chart(one.points(arm)) for arm in one.compared}) for one in told
    ]
