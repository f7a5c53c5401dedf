"""The plugins as Airflow reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.dags.conftest import RunPython

pytestmark = [pytest.mark.airflow, pytest.mark.postgres, pytest.mark.slow]

VIEWS = """
import json
from pathlib import Path
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
views = [view for plugin in plugins for view in plugin.external_views]
print(json.dumps([errors, [(view["name"], view["href"]) for view in views]]))
icons = [view.get("icon") for view in views]
assert len(set(icons)) == len(icons), "each entry looks like itself"
"""


def test_the_navigation_leads_to_the_fleet_and_to_mlflow(run_python: RunPython) -> None:
    settings = {
        f"RECFLEET_{name}": "unused"
        for name in ("DATABASE_URL", "MLFLOW_STORE_URL", "ARTIFACT_ROOT", "AIRFLOW_URL")
    }
    printed = run_python(VIEWS, **settings, RECFLEET_MLFLOW_URL="http://127.0.0.1:5999")
    errors, views = json.loads(printed)
    assert errors == {}
    assert sorted(views) == [
        ["Fleet", "/recfleet/fleet"],
        ["MLflow", "http://127.0.0.1:5999/#/models"],
    ]


def test_airflow_goes_on_without_recfleets_settings(run_python: RunPython, tmp_path: Path) -> None:
    printed = run_python(VIEWS, RECFLEET_HOME=str(tmp_path))
    # The pages themselves say what is missing.
    assert json.loads(printed) == [{}, [["Fleet", "/recfleet/fleet"]]]
