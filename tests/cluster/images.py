"""The images of docker-compose.yaml: pulled where a registry answers, else stand-ins."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.cluster.engine import ContainerError, Engine

CHECKOUT = Path(__file__).resolve().parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
_SUITE = "bookworm"
"""Debian's release whose Python recfleet supports."""
_PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
_LABEL = "recfleet.stand-in"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

Say = Callable[[str], None]


def bases(dockerfile: str) -> list[str]:
    """The images that a Dockerfile begins with, each once."""
    return list(dict.fromkeys(re.findall(r"(?m)^FROM (\S+)", dockerfile)))


def stores(services: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Service -> its image, of the services that are not built here."""
    return {name: said["image"] for name, said in services.items() if "build" not in said}


def full(image: str) -> str:
    """An image's whole name: ``redis:8`` is ``docker.io/library/redis:8``."""
    return f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"


def provide(
    engine: Engine, services: Mapping[str, Mapping[str, Any]], work: Path, say: Say
) -> dict[str, str]:
    """Have every image of the file.

    Args:
        engine: runs the containers.
        services: the services of docker-compose.yaml.
        work: an empty folder.
        say: shows progress.

    Returns:
        Image -> what stands in for it, of those that could not be pulled.

    Raises:
        ContainerError: an image could not be built.
    """
    stood_in = {}
    base, *_ = wanted = bases((CHECKOUT / "Dockerfile").read_text())
    what = dict.fromkeys(wanted, "")
    what |= {image: service for service, image in stores(services).items()}
    for image, service in what.items():
        if not (engine.works("image", "inspect", full(image)) or _pull(engine, image)):
            if service:
                _store(engine, image, service, base, work)
            else:
                _python(engine, image, work)
        if stands := _stands(engine, image):
            stood_in[image] = stands
        say(f"{image}: {stands or 'pulled'}")
    build = next(said for said in services.values() if "build" in said)
    _build(engine, build["image"], CHECKOUT / "Dockerfile", CHECKOUT, work)
    say(f"built {build['image']} from the Dockerfile")
    return stood_in


def _pull(engine: Engine, image: str) -> bool:
    return engine.works("pull", "--quiet", full(image))


def _stands(engine: Engine, image: str) -> str:
    """What stands in for an image; empty if it is the image itself."""
    described = json.loads(engine.run("image", "inspect", full(image)))[0]
    # Podman keeps the quotes of a label that is set on import.
    return str((described["Config"].get("Labels") or {}).get(_LABEL, "")).strip("'")


def _python(engine: Engine, image: str, work: Path) -> None:
    if shutil.which("debootstrap") is None:
        raise ContainerError(
            f"{image} cannot be pulled, and its stand-in needs debootstrap: apt-get install "
            "debootstrap"
        )
    root = work / "base"
    mirror = _mirror()
    engine.call(
        ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root)]
        + ([mirror] if mirror else [])
    )
    # As in the image that it stands for: `python` and `pip` are there, and pip may install.
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as packed:
        label = f"LABEL {_LABEL}='Debian {_SUITE} by debootstrap, with its own Python'"
        engine.run("import", "--change", label, "-", full(image), stdin=packed.stdout)
    shutil.rmtree(root)


def _store(engine: Engine, image: str, service: str, base: str, work: Path) -> None:
    context = work / service
    shutil.copytree(STAND_INS / service, context, dirs_exist_ok=True)
    shutil.copy(CHECKOUT / "requirements.lock", context)
    file = context / "Containerfile"
    about = file.read_text().splitlines()[0].removeprefix("# ").partition(",")[0]
    label = ("--label", f"{_LABEL}={about}", "--build-arg", f"BASE={full(base)}")
    _build(engine, full(image), file, context, work, *label)


def _build(
    engine: Engine, image: str, dockerfile: Path, context: Path, work: Path, *more: str
) -> None:
    words = ["build", "--tag", image, "--file", str(dockerfile), *more]
    if engine.program == "podman":
        for source, target in _configuration(work).items():
            words += ["--volume", f"{source}:{target}:ro"]
    engine.run(*words, str(context), timeout=1800)


def _mirror() -> str | None:
    """The mirror that this machine's apt uses, if it runs the same release; else None."""
    asked = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {_SUITE}",
         "Component: main", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    return next(iter(asked.stdout.split()), None) if asked.returncode == 0 else None


def _configuration(work: Path) -> dict[Path, str]:
    """Files that let a build reach the package index as this machine does: file -> its place."""
    said = pip_configuration()
    pip = configparser.ConfigParser(interpolation=None)
    pip["global"] = {name: value for name, value in said.items() if name.endswith("index-url")}
    files = {work / "pip.conf": "/etc/pip.conf", work / "uv.toml": "/etc/uv/uv.toml"}
    lines = []
    if _CERTIFICATES.exists():
        # Also those that this machine trusts besides Debian's.
        files[_CERTIFICATES] = str(_CERTIFICATES)
        pip["global"]["cert"] = str(_CERTIFICATES)
        lines.append("native-tls = true")
    if "index-url" in said:
        lines.append(f'index-url = "{said["index-url"]}"')
    if "extra-index-url" in said:
        quoted = ", ".join(f'"{address}"' for address in said["extra-index-url"].split())
        lines.append(f"extra-index-url = [{quoted}]")
    with (work / "pip.conf").open("w") as file:
        pip.write(file)
    (work / "uv.toml").write_text("\n".join([*lines, ""]))
    return files


def pip_configuration(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What this machine's pip is told about package indexes, without those on its own disk."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        env=dict(environment),
        check=False,
    )
    said: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        found = re.fullmatch(r"(?:global|:env:)\.([\w-]+)='(.*)'", line)
        if found:
            # pip lists an address of several lines with its line ends written out.
            words = found[2].replace("\\n", " ").split()
            kept = " ".join(word for word in words if not word.startswith("file:"))
            if kept:
                said[found[1]] = kept
    return said
