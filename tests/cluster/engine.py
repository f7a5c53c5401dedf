"""Docker or Podman, and the Compose that goes with it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSTALL = (
    "make cluster needs Docker with Compose, or Podman with podman-compose; neither works here. On "
    "Debian, as root: apt-get install podman runc netavark aardvark-dns debootstrap"
)

_MOST_FILES_AND_PROCESSES = 16384
"""Enough for a container, and less than machines allow."""


class ContainerError(Exception):
    """A command of the engine failed; the text has the end of what it said."""


@dataclass(frozen=True)
class Engine:
    """The program that runs containers, and the program that reads Compose files."""

    program: str
    compose: tuple[str, ...]
    environment: Mapping[str, str]
    waits: bool
    """Whether it asks health checks by itself, and Compose waits for their answers."""

    def run(self, *words: str, **options: Any) -> str:
        """Run a command of the engine; returns what it printed.

        Raises:
            ContainerError: it failed.
        """
        return self.call([self.program, *words], **options)

    def call(
        self, command: Sequence[str], stdin: Any = subprocess.DEVNULL, timeout: float = 1200
    ) -> str:
        """Run any command in the engine's environment; returns what it printed.

        Raises:
            ContainerError: it failed.
        """
        done = subprocess.run(
            command,
            stdin=stdin,
            capture_output=True,
            text=True,
            env=dict(self.environment),
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip())[-3000:]
            raise ContainerError(f"{' '.join(command[:6])} … failed:\n{said}")
        return done.stdout

    def works(self, *words: str) -> bool:
        """Whether a command of the engine succeeds."""
        try:
            self.run(*words)
        except ContainerError:
            return False
        return True

    def inspect(self, container: str) -> Any:
        """All that the engine knows of a container."""
        return json.loads(self.run("inspect", container))[0]


def find(folder: Path) -> Engine:
    """The engine of this machine.

    Args:
        folder: where Podman keeps images, containers and networks of this run.

    Raises:
        SystemExit: there is none.
    """
    docker = Engine("docker", ("docker", "compose"), dict(os.environ), waits=True)
    if shutil.which("docker") and docker.works("info") and docker.works("compose", "version"):
        return docker
    if shutil.which("podman") is None:
        raise SystemExit(INSTALL)
    podman = Engine(
        "podman",
        (sys.executable, "-m", "podman_compose", "--in-pod", "false"),
        _podman_environment(folder),
        waits=False,
    )
    if not podman.works("info"):
        raise SystemExit(INSTALL)
    return podman


def empty(folder: Path) -> None:
    """Remove the images that Podman kept in the folder, so that the folder can be deleted."""
    if (folder / "storage").exists():
        podman = Engine("podman", (), _podman_environment(folder), waits=False)
        podman.works("rmi", "--all", "--force")
        for place in ("storage/overlay", "state"):
            if os.path.ismount(folder / place):
                podman.call(["umount", str(folder / place)])


def _podman_environment(folder: Path) -> dict[str, str]:
    """Podman's own images and networks for one run, with settings for this kind of machine."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/storage"\n'
        f'runroot = "{folder}/state"\n'
    )
    (folder / "registries.conf").write_text('unqualified-search-registries = ["docker.io"]\n')
    (folder / "containers.conf").write_text(_containers_conf(folder))
    return {
        **os.environ,
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        # A build needs no more isolation than the machine that it is for.
        "BUILDAH_ISOLATION": "chroot",
    }


def _containers_conf(folder: Path) -> str:
    engine = ['events_logger = "file"']
    if shutil.which("runc"):
        # It copes with more kinds of control groups than crun.
        engine.append('runtime = "runc"')
    if not Path("/run/systemd/system").exists():
        engine.append('cgroup_manager = "cgroupfs"')
    # Podman's default may be more than this machine lets it hand on.
    limits = ", ".join(
        f'"{name}={least}:{least}"'
        for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
        if (least := min(resource.getrlimit(number)[1] % 2**63, _MOST_FILES_AND_PROCESSES))
    )
    return "\n".join(
        [
            "[engine]",
            *engine,
            "[containers]",
            f"default_ulimits = [{limits}]",
            "[network]",
            'network_backend = "netavark"',
            f'network_config_dir = "{folder}/networks"',
            "",
        ]
    )
