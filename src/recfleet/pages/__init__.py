"""recfleet's pages inside the Airflow UI: the fleet, a tenant, a night, what waits for approval."""

from recfleet.pages._lazy import LazyApp
from recfleet.pages._visitor import DAGS, PREFIX, Airflow, Visitor

__all__ = ["DAGS", "PREFIX", "Airflow", "LazyApp", "Visitor"]
