"""A place where files arrive: what is there, and when a file is complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

from recfleet.errors import RecfleetError

ASIDE = ".unusable"
"""Folder below a feed's own, with what could not be read and the reasons."""
DONE = ".done"
_BEING_WRITTEN = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".swp", "~")


class FeedTroubleError(RecfleetError):
    """A feed as a whole cannot be read now; other feeds go on."""


@dataclass(frozen=True)
class Found:
    """A complete file."""

    item: str
    """Its name below the feed's place, with / between folders."""
    version: str
    """Changes with the file."""
    size: int
    """Bytes."""

    @property
    def folder(self) -> str | None:
        """The first folder of its name; None: it is in none."""
        first, slash, _ = self.item.partition("/")
        return first if slash else None


@dataclass(frozen=True)
class Arrived:
    """What is in a place."""

    complete: list[Found]
    """In the order in which they are read: by their names."""
    unfinished: int
    """Files that are still being written, or wait for their mark."""
    misnamed: int = 0
    """Files whose names are no text, so that nobody can note them."""


class Place(Protocol):
    """Files of one feed."""

    def find(self) -> Arrived:
        """What is there now."""

    def fetch(self, found: Found) -> AbstractContextManager[Path]:
        """The file on this machine's disk."""

    def is_still(self, found: Found) -> bool:
        """Whether the file is the one that was found."""

    def set_aside(self, found: Found, reason: str) -> bool:
        """Move a file to ``ASIDE`` with the reason beside it; False: the place refuses that."""


@dataclass(frozen=True)
class Access:
    """What an Airflow connection opens; nothing of it is stored or shown."""

    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    open_database: Callable[[], Any] | None = field(default=None, repr=False)
    """Opens the database by its driver."""
    placeholder: str = "%s"
    """Stands for a parameter in the driver's statements."""

    def redact(self, text: str) -> str:
        """A text without any credential."""
        secrets = [self.password, *(v for v in self.extra.values() if isinstance(v, str))]
        for secret in sorted((s for s in secrets if s), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def is_ignored(name: str) -> bool:
    """Whether a file's own name says that it is not to be read: hidden, or being written."""
    return name.startswith((".", "_")) or name.lower().endswith((*_BEING_WRITTEN, DONE))


def fits(name: str, pattern: str) -> bool:
    """Whether a file's own name fits the feed's pattern."""
    return fnmatchcase(name, pattern)
