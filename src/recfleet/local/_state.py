"""The record of running processes, written by the process that started them."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

from recfleet.local._files import open_private, write_private
from recfleet.local._layout import Layout
from recfleet.local._processes import Identity


@dataclass
class State:
    """The processes of a stack, and the versions that its databases were upgraded to.

    Postgres is not among them: its own folder says whether it runs.
    """

    fingerprint: str = ""
    """Fingerprint of the processes' variables and code."""

    processes: dict[str, Identity] = field(default_factory=dict)
    """Process by service."""

    migrated: dict[str, str] = field(default_factory=dict)
    """Database -> version of the package that owns its tables."""

    @classmethod
    def read(cls, layout: Layout) -> State:
        """The last record; empty when there is none, or it is unreadable."""
        try:
            raw = json.loads(layout.state.read_text())
            processes = {name: Identity(**value) for name, value in raw["processes"].items()}
            return cls(raw["fingerprint"], processes, raw["migrated"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, layout: Layout) -> None:
        """Write the record."""
        write_private(layout.state, json.dumps(asdict(self), indent=2) + "\n")


@contextlib.contextmanager
def locked(layout: Layout, on_wait: Callable[[], None]) -> Iterator[None]:
    """Let one process at a time start or stop a stack; the lock ends with its holder.

    Args:
        layout: the stack's layout.
        on_wait: called once when another process holds the lock.
    """
    with open_private(layout.lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
