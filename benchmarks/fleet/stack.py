"""The benchmark's own stack: Postgres, MLflow and Airflow in a folder of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def stack(home: Path, *, workers: int = 2) -> Iterator[None]:
    """Bring up a stack on free ports, point this process at it, and stop it at the end.

    Args:
        home: its folder; data of an earlier benchmark is used again.
        workers: how many shard tasks run at once.
    """
    from recfleet.local import down, free_port, up
    from recfleet.settings import forget_settings

    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["RECFLEET_HOME"] = str(home.absolute())
    os.environ["RECFLEET_WORKERS"] = str(workers)
    os.environ["RECFLEET_DAGS_FOLDER"] = str(_dags(home))
    for service in ("AIRFLOW", "API", "MLFLOW", "POSTGRES"):
        os.environ[f"RECFLEET_{service}_PORT"] = str(free_port())
    up(print)
    forget_settings()
    try:
        yield
    finally:
        down(print)


def _dags(home: Path) -> Path:
    """A folder with the checkout's DAGs and the benchmark's."""
    folder = home.absolute() / "dags"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in (*(HERE.parents[1] / "dags").glob("*.py"), *(HERE / "dags").glob("*.py")):
        (folder / path.name).symlink_to(path)
    return folder
