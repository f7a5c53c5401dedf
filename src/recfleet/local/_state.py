"""What runs, as written down by whoever started it."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

from recfleet.local._files import write_private
from recfleet.local._layout import Layout
from recfleet.local._processes import Identity


@dataclass
class State:
    """The processes of a stack, and for which versions its databases have been brought up to date.

    Postgres is not among them: its own folder says whether it runs.
    """

    fingerprint: str = ""
    """Of the variables and the code that the processes were started with."""

    processes: dict[str, Identity] = field(default_factory=dict)
    """By service."""

    migrated: dict[str, str] = field(default_factory=dict)
    """By database: the version of the package that owns its tables."""

    @classmethod
    def read(cls, layout: Layout) -> State:
        """What was written last; empty when nothing was, or nothing that can be read."""
        try:
            raw = json.loads(layout.state.read_text())
            processes = {name: Identity(**value) for name, value in raw["processes"].items()}
            return cls(raw["fingerprint"], processes, raw["migrated"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, layout: Layout) -> None:
        """Write it down."""
        write_private(layout.state, json.dumps(asdict(self), indent=2) + "\n")


@contextlib.contextmanager
def locked(layout: Layout, on_wait: Callable[[], None]) -> Iterator[None]:
    """Let one process at a time start or stop a stack; the lock ends with its holder.

    Args:
        layout: of the stack.
        on_wait: called once when another process holds the lock.
    """
    with layout.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
