"""recfleet's pages inside the Airflow UI: the fleet, tenants, nights, approvals."""

from recfleet.pages._airflow import DAGS, PREFIX, Airflow, Visitor
from recfleet.pages._lazy import LazyApp

__all__ = ["DAGS", "PREFIX", "Airflow", "LazyApp", "Visitor"]
