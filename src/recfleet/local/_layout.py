"""The places of the stack's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recfleet.errors import ConfigurationError
from recfleet.local._folders import make_home, make_private


@dataclass(frozen=True)
class Layout:
    """The folder of one stack and its content."""

    home: Path

    @property
    def environment(self) -> Path:
        """The environment of every process of the stack, for sh and dotenv."""
        return self.home / "stack.env"

    @property
    def state(self) -> Path:
        """The running processes: pids and start times."""
        return self.home / "stack.json"

    @property
    def lock(self) -> Path:
        """Held while the stack is started or stopped."""
        return self.home / "stack.lock"

    @property
    def secrets(self) -> Path:
        """Generated keys and passwords."""
        return self.home / "secrets.json"

    @property
    def airflow_home(self) -> Path:
        """Airflow's own folder."""
        return self.home / "airflow"

    @property
    def airflow_passwords(self) -> Path:
        """Airflow's users and passwords, as its simple auth manager reads them."""
        return self.airflow_home / "passwords.json"

    @property
    def artifacts(self) -> Path:
        """Models' arrays."""
        return self.home / "artifacts"

    @property
    def logs(self) -> Path:
        """A log for each service, and those of Airflow's tasks."""
        return self.home / "logs"

    @property
    def postgres(self) -> Path:
        """Postgres's data."""
        return self.home / "postgres"

    def log(self, service: str) -> Path:
        """A service's log."""
        return self.logs / f"{service}.log"

    def make(self) -> None:
        """Make the folders, private to their owner; those of an earlier release are closed.

        Raises:
            ConfigurationError: one of them is not recfleet's; it was not changed.
        """
        make_home(self.home, self._names())
        for folder in (self.airflow_home, self.artifacts, self.logs):
            make_private(folder)

    def _names(self) -> set[str]:
        """Of everything that is in the folder itself."""
        names = (name for name, value in vars(Layout).items() if isinstance(value, property))
        paths = [getattr(self, name) for name in names]
        ours = {path.relative_to(self.home).parts[0] for path in paths}
        password = f"{self.postgres.name}.password"
        return ours | {password, f"{password}.next"}


def checkout() -> Path:
    """The checkout that this package runs from, with ``dags/`` and ``plugins/``.

    Raises:
        ConfigurationError: the package was installed without them.
    """
    folder = Path(__file__).resolve().parents[3]
    if not (folder / "dags").is_dir():
        raise ConfigurationError(
            "the stack runs the dags/ of a checkout of recfleet, but this installation is not in "
            "one; install it from a clone with `pip install -e .`"
        )
    return folder
