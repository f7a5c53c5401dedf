"""The persons who attack, and what each has to begin with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Thread
from urllib.parse import urlsplit

import psutil

from recfleet.database import connect
from recfleet.errors import NotFoundError
from recfleet.keys import create_key, read_key, revoke_key
from recfleet.operations import add_analyst, drop_analyst
from tests.attack import caller, local_user, readers, viewer
from tests.attack.ground import Attempt, Ground, processes_of, told_in
from tests.stacks import Stack

_WHY = {"actor": "tests", "reason": "an attack on purpose"}


def attempts(ground: Ground) -> list[Attempt]:
    """Attack as each person; keys and analysts that are made for it are ended afterwards."""
    found = _as_local_user(ground)
    found += viewer.attempt(ground)
    found += readers.attempt_as_application(ground)
    with _analysts(ground) as (address, others):
        found += readers.attempt_as_analyst(ground, address, others)
    with _key(ground) as key:
        found += caller.attempt(ground, key)
    return found


def _as_local_user(ground: Ground) -> list[Attempt]:
    if os.geteuid() == 0:
        return local_user.attempt(ground)
    return [Attempt(local_user.WHO, "everything", "SKIPPED: only root can become another user")]


@contextmanager
def _analysts(ground: Ground) -> Iterator[tuple[str, str]]:
    """An analyst's address; and the name of one of another tenant."""
    names = {ground.own: "attacker", ground.other: "zoltan"}
    with closing(connect(ground.url("DATABASE_URL"))) as connection:
        try:
            address, _ = (add_analyst(connection, *each, **_WHY) for each in names.items())
            yield _at_the_stack(ground, address), names[ground.other]
        finally:
            for each in names.items():
                with suppress(NotFoundError):
                    drop_analyst(connection, *each, **_WHY)


def _at_the_stack(ground: Ground, address: str) -> str:
    """The same login at the server of the stack; this process may know another one."""
    server = urlsplit(ground.url("APPLICATION_DATABASE_URL")).netloc.rpartition("@")[2]
    known = urlsplit(address)
    login = known.netloc.rpartition("@")[0]
    return known._replace(netloc=f"{login}@{server}").geturl()


@contextmanager
def _key(ground: Ground) -> Iterator[str]:
    with closing(connect(ground.url("DATABASE_URL"))) as connection:
        key = create_key(
            connection, ground.own, scopes=["read"], name="attacker", expires_at=None, **_WHY
        )
        try:
            yield key
        finally:
            revoke_key(connection, ground.own, read_key(key).key_id, **_WHY)


@contextmanager
def watching(stack: Stack) -> Iterator[list[Attempt]]:
    """Read command lines as another user while the block runs; what came of it is added after."""
    lines: set[str] = set()
    over = Event()

    def look() -> None:
        while not over.wait(0.2):
            for process in processes_of(stack.home):
                with suppress(psutil.Error):
                    lines.add(" ".join(process.cmdline()))

    watcher = Thread(target=look, daemon=True)
    found: list[Attempt] = []
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()
    met = f"none in {len(lines)} command lines"
    gained = tuple(told_in(stack, "\n".join(lines)))
    found.append(Attempt(local_user.WHO, "secrets on command lines during a night", met, gained))
