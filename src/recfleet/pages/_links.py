"""Where the rest of a story is: Airflow's runs and logs, MLflow's models and runs."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

DAG_OF_KIND = {"fleet": "nightly_fleet", "backfill": "tenant_backfill"}
"""Kind of night -> the DAG whose run it is; a person's own night has none."""


@dataclass(frozen=True)
class Links:
    """Addresses outside of these pages."""

    airflow: str
    """Path of Airflow's own pages, without a slash at the end."""
    mlflow: str
    """Address of MLflow's pages."""

    def run(self, kind: str | None, run_id: str | None) -> str | None:
        """An Airflow run; None for a night that is none."""
        dag = DAG_OF_KIND.get(kind or "")
        return f"{self.airflow}/dags/{dag}/runs/{_quoted(run_id)}" if dag and run_id else None

    def task(self, kind: str | None, run_id: str | None, stage: str, place: int) -> str | None:
        """A shard's task of a night of the fleet, with its log."""
        run = self.run(kind, run_id)
        if run is None or kind != "fleet":
            return run
        task = "publish" if stage == "publish" else f"shard_night.{stage}"
        return f"{run}/tasks/{task}/mapped/{place}"

    def required_actions(self) -> str:
        """What Airflow asks people."""
        return f"{self.airflow}/required_actions"

    def model(self, tenant_id: str) -> str:
        """A tenant's registered model."""
        return f"{self.mlflow}/#/models/als-{_quoted(tenant_id)}"

    def version(self, tenant_id: str, version: int) -> str:
        """One version of it."""
        return f"{self.model(tenant_id)}/versions/{version}"

    def model_run(self, run_id: str) -> str:
        """The MLflow run of a challenger."""
        return f"{self.mlflow}/#/runs/{_quoted(run_id)}"


def _quoted(text: str | None) -> str:
    return quote(text or "", safe="")
