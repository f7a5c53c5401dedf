"""Make MLflow's tables, or upgrade them; its address, with a password, stays off command lines."""

from __future__ import annotations

from recfleet.registry import upgrade_store
from recfleet.settings import registry_settings

if __name__ == "__main__":
    upgrade_store(registry_settings().mlflow_store_url)
