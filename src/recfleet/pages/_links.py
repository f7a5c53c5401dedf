"""Links to the rest of a story: Airflow's runs and logs, MLflow's models and runs."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from recfleet.reasons import airflow_page
from recfleet.registry import model_page, version_page


@dataclass(frozen=True)
class Links:
    """Addresses outside these pages."""

    airflow: str
    """Path of Airflow's own pages, without a slash at the end."""
    mlflow: str
    """Address of MLflow's pages."""

    def run(self, kind: str | None, run_id: str | None) -> str | None:
        """An Airflow run; None for a night without one."""
        return airflow_page(self.airflow, kind, run_id)

    def task(self, kind: str | None, run_id: str | None, stage: str, place: int) -> str | None:
        """A shard's task in a night of the fleet, with its log."""
        run = self.run(kind, run_id)
        if run is None or kind != "fleet":
            return run
        task = "publish" if stage == "publish" else f"shard_night.{stage}"
        return f"{run}/tasks/{task}/mapped/{place}"

    def required_actions(self) -> str:
        """Airflow's questions to people."""
        return f"{self.airflow}/required_actions"

    def model(self, tenant_id: str) -> str:
        """A tenant's registered model."""
        return model_page(self.mlflow, tenant_id)

    def version(self, tenant_id: str, version: int) -> str:
        """One version of a tenant's model."""
        return version_page(self.mlflow, tenant_id, version)

    def model_run(self, run_id: str) -> str:
        """The MLflow run of a challenger."""
        return f"{self.mlflow}/#/runs/{quote(run_id, safe='')}"
