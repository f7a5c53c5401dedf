"""MLflow's tables are made once, by the first process."""

from __future__ import annotations

import subprocess
import sys

import psycopg2
import pytest

from recfleet.errors import InfrastructureError
from recfleet.local import PostgresServer, free_port
from recfleet.registry import ArtifactStore, Registry, upgrade_store

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

_UPGRADE = """
import sys
from recfleet.registry import upgrade_store
upgrade_store(sys.argv[1])
"""


@pytest.mark.slow
def test_two_at_once_on_an_empty_database(
    postgres_server: PostgresServer, artifacts: ArtifactStore
) -> None:
    postgres_server.create_database("mlflow_race")
    url = postgres_server.url("mlflow_race")
    command = [sys.executable, "-c", _UPGRADE, url]
    racers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [racer.communicate(timeout=300) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], said
    assert Registry(url, artifacts).versions("germany") == []
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=url, registry_uri=url)
    assert [experiment.name for experiment in client.search_experiments()] == ["Default"]


def test_an_upgraded_database_stays_as_it_is(store_url: str) -> None:
    def tables() -> object:
        with psycopg2.connect(store_url) as connection, connection.cursor() as cursor:
            cursor.execute(
                "select table_name, column_name, data_type from information_schema.columns "
                "where table_schema = 'public' order by 1, 2"
            )
            return cursor.fetchall()

    before = tables()
    upgrade_store(store_url)
    assert tables() == before


def test_a_database_that_is_away() -> None:
    with pytest.raises(InfrastructureError, match="MLflow's database does not answer"):
        upgrade_store(f"postgresql://recfleet@127.0.0.1:{free_port()}/mlflow")
