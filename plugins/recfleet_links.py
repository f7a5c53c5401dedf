"""A link in Airflow's navigation to the models in MLflow."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from recfleet.errors import ConfigurationError
from recfleet.settings import link_settings


def _views() -> list[dict[str, Any]]:
    try:
        address = link_settings().mlflow_url
    except ConfigurationError:
        # Airflow commands unrelated to recfleet work without the link.
        return []
    return [{"name": "MLflow", "href": f"{address}/#/models", "destination": "nav"}]


class RecfleetLinks(AirflowPlugin):
    """Entries of the navigation."""

    name = "recfleet_links"
    external_views = _views()
