"""The fleet's models in MLflow: their runs and their versions."""

from __future__ import annotations

from recfleet.errors import ConfigurationError
from recfleet.registry._artifacts import ArtifactStore
from recfleet.registry._library import load_library
from recfleet.registry._names import PREFIX
from recfleet.registry._runs import Runs
from recfleet.registry._stores import open_stores
from recfleet.registry._upgrade import check_store
from recfleet.registry._versions import Versions

_LONGEST_ROOT = 200 - len(f"/{PREFIX}{'x' * 63}/{'0' * 32}/artifacts")
"""Characters left for the artifact root in MLflow's column for a run's address."""


class Registry(Runs, Versions):
    """The fleet's models in MLflow, written directly to its database.

    For trusted workers: it bypasses the MLflow server and its login. One process holds two
    connections, one for runs and one for versions. Only one thread at a time may use it.
    """

    def __init__(self, store_url: str, artifacts: ArtifactStore) -> None:
        """Import MLflow and connect.

        Args:
            store_url: MLflow's database, ``postgresql://…``.
            artifacts: the store of models' arrays; a new experiment gets a folder there.

        Raises:
            InfrastructureError: the database is away.
            ConfigurationError: its tables are missing or belong to another version of MLflow; or
                the artifact root's address is too long for them.
        """
        _check_root(artifacts.root)
        load_library()
        check_store(store_url)
        runs, versions = open_stores(store_url, artifacts.root)
        Runs.__init__(self, runs, artifacts)
        Versions.__init__(self, versions)


def _check_root(root: str) -> None:
    if len(root) > _LONGEST_ROOT:
        raise ConfigurationError(
            f"RECFLEET_ARTIFACT_ROOT ({root}) is {len(root)} characters long, but MLflow has "
            f"room for {_LONGEST_ROOT}: choose a shorter path."
        )
