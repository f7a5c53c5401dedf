"""What is attacked, and what came of one attempt."""

from __future__ import annotations

import json
import os
import site
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.stacks import Stack

CHECKOUT = Path(__file__).resolve().parents[2]
_SHORTEST_SECRET = 8


@dataclass(frozen=True)
class Attempt:
    """One attempt, or many of one kind."""

    who: str
    what: str
    met: str
    gained: tuple[str, ...] = ()
    """What it should not have got; empty if all is well."""

    def __str__(self) -> str:
        if not self.gained:
            return f"  {self.who:<12} {self.what}: {self.met}"
        more = f" and {len(self.gained) - 5} more" if len(self.gained) > 5 else ""
        return f"! {self.who:<12} {self.what}: GAINED {'; '.join(self.gained[:5])}{more}"


@dataclass(frozen=True)
class Target:
    """What anybody on the machine can know or guess of a stack; no secret is among it."""

    home: str
    checkout: str
    paths: tuple[str, ...]
    """Everything below its home."""
    code: tuple[str, ...]
    """Folders and files that its processes run."""
    processes: tuple[int, ...]
    sockets: tuple[str, ...]
    """Unix sockets on which its processes listen."""
    ports: tuple[int, ...]
    """TCP ports on which its processes listen."""
    elsewhere: tuple[str, ...]
    """Files outside its home that its processes have open for writing."""
    postgres_port: int
    airflow: str
    mlflow: str
    api: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Target:
        """As it was written in JSON."""
        lists = {name: tuple(each) for name, each in told.items() if isinstance(each, list)}
        return cls(**{**told, **lists})


@dataclass(frozen=True)
class Ground:
    """A started stack as its owner knows it."""

    stack: Stack
    own: str
    """The tenant that an analyst and a caller may see."""
    other: str
    """A tenant that they may not see."""

    @property
    def api(self) -> str:
        """Address of the HTTP service."""
        return f"http://127.0.0.1:{self.stack.setting('API_PORT')}"

    def url(self, name: str) -> str:
        """One of the stack's addresses of the database."""
        return self.stack.setting(name)

    def customer_of(self, tenant: str) -> str:
        """A customer with a live list."""
        rows = self.stack.query(
            "select customer_id from live_recommendation where tenant_id = %s limit 1", tenant
        )
        return str(rows[0][0])

    def told_in(self, text: str, *, known: frozenset[str] = frozenset()) -> list[str]:
        """The secrets that stand in a text, but for those that the reader knows."""
        return told_in(self.stack, text, known=known)

    def target(self) -> Target:
        """What others can know of it."""
        home = self.stack.home
        processes = list(processes_of(home))
        return Target(
            home=str(home),
            checkout=str(CHECKOUT),
            paths=tuple(map(str, (home, *home.rglob("*")))),
            code=tuple(sorted({*map(str, _code())})),
            processes=tuple(each.pid for each in processes),
            sockets=tuple(sorted(_sockets(processes))),
            ports=tuple(sorted(_ports(processes))),
            elsewhere=tuple(sorted(_open_elsewhere(processes, home))),
            postgres_port=int(self.stack.setting("POSTGRES_PORT")),
            airflow=self.stack.address,
            mlflow=self.stack.setting("MLFLOW_URL"),
            api=self.api,
        )


def told_in(stack: Stack, text: str, *, known: frozenset[str] = frozenset()) -> list[str]:
    """The stack's secrets that stand in a text, by their first letters."""
    hidden = _secrets(stack) - known
    return [f"a secret ({each[:2]}…)" for each in sorted(hidden) if each in text]


def _secrets(stack: Stack) -> frozenset[str]:
    found: set[str] = set()
    for value in json.loads((stack.home / "secrets.json").read_text()).values():
        found |= set(value.values()) if isinstance(value, dict) else {str(value)}
    found |= {urlsplit(value).password or "" for value in stack.variables.values()}
    found.add((stack.home / "postgres.password").read_text().strip())
    return frozenset(each for each in found if len(each) >= _SHORTEST_SECRET)


def ground_of(stack: Stack) -> Ground:
    """A stack whose fleet has at least two tenants with live lists."""
    rows = stack.query(
        "select tenant_id from live_recommendation group by tenant_id order by tenant_id limit 2"
    )
    (own,), (other,) = rows
    return Ground(stack, own, other)


def opened(home: Path) -> Stack:
    """A stack that runs already, by its folder."""
    lines = (home / "stack.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and line[0] != "#")
    variables = {name: value.strip("'\"") for name, _, value in pairs}
    outside = {name: value for name, value in os.environ.items() if name[:9] != "RECFLEET_"}
    return Stack({**outside, **_for_commands(variables)}, variables)


def _for_commands(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in variables.items() if name[:9] in ("RECFLEET_", "MLFLOW_TR")
    }


def processes_of(home: Path) -> Iterator[psutil.Process]:
    """Every process of a stack, by its working folder."""
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(home):
                yield process
        except (psutil.Error, OSError):
            continue


def _code() -> Iterator[Path]:
    """What runs in the stack's processes: whoever can write here is its operator."""
    for top in ("src", "dags", "plugins", "expectations"):
        yield CHECKOUT / top
        yield from (CHECKOUT / top).rglob("*")
    yield from CHECKOUT.iterdir()
    yield from (Path(sys.prefix), Path(sys.executable), Path(sys.executable).resolve())
    for place in (*site.getsitepackages(), str(Path(sys.prefix) / "bin")):
        yield from (Path(place), *Path(place).iterdir())
    for folder in (CHECKOUT, Path(sys.prefix), Path(sys.executable).resolve()):
        yield from (each for each in folder.parents if not _is_sticky(each))


def _is_sticky(folder: Path) -> bool:
    return bool(folder.stat().st_mode & 0o1000)


def _ports(processes: list[psutil.Process]) -> Iterator[int]:
    for process in processes:
        try:
            for each in process.net_connections("inet"):
                if each.status == psutil.CONN_LISTEN:
                    yield each.laddr.port
        except psutil.Error:
            continue


def _sockets(processes: list[psutil.Process]) -> Iterator[str]:
    for process in processes:
        try:
            for each in process.net_connections("unix"):
                if each.laddr:
                    yield str(each.laddr)
        except psutil.Error:
            continue


def _open_elsewhere(processes: list[psutil.Process], home: Path) -> Iterator[str]:
    for process in processes:
        try:
            for each in process.open_files():
                if each.mode != "r" and not Path(each.path).is_relative_to(home):
                    yield each.path
        except psutil.Error:
            continue
