"""Folders of files on a disk or in an object store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from urllib.parse import unquote, urlsplit

from recfleet.contents import Contents, check_contents, check_sizes
from recfleet.errors import BadInputError, ConfigurationError, InfrastructureError, TenantError
from recfleet.registry._bucket import Bucket
from recfleet.registry._disk import Disk


class ArtifactStore:
    """Small folders of plain files below one root: ``file:///folder`` or ``s3://bucket/prefix``.

    A folder is written once and then read whole. On a disk it is written aside and renamed, so that
    nobody sees half of it. An object store cannot rename, so there the files are written in the
    given order. A reader is safe when it gets the address after the write, or finds every file
    through the last one.

    S3's credentials and region come from the usual AWS environment.
    """

    def __init__(self, root: str, endpoint_url: str | None = None) -> None:
        """Nothing is opened or made yet.

        Args:
            root: where everything is kept.
            endpoint_url: address of an S3-compatible store; None for S3 itself, and for files.

        Raises:
            ConfigurationError: the root or the endpoint has no known form.
        """
        self._scheme, self._base = _parse_root(root)
        if endpoint_url is not None and urlsplit(endpoint_url).scheme not in {"http", "https"}:
            raise ConfigurationError(
                f"The object store's address {endpoint_url!r} cannot be used: write it like "
                "http://host:port or https://host."
            )
        self._place = Disk() if self._scheme == "file" else Bucket(endpoint_url)

    @property
    def root(self) -> str:
        """The root's address, without a slash at its end."""
        return self._place.uri(self._base)

    def uri(self, relative: str) -> str:
        """Address of a folder below the root, whether it is there or not.

        Raises:
            BadInputError: it would be outside the root.
        """
        return self._place.uri(self._path(relative))

    def write(self, relative: str, files: Mapping[str, bytes]) -> str:
        """Write a folder; what it held before is gone.

        On a disk, two renames replace a folder with other content. Between them a reader finds no
        folder and looks again. Files are not forced to the disk: their checksums show it when a
        machine lost power too early.

        Args:
            relative: the folder, below the root.
            files: name -> content; on an object store the last one is written last.

        Returns:
            The folder's address, for ``read``.

        Raises:
            BadInputError: the folder would be outside the root, or a name is no plain file name.
            InfrastructureError: the store is away, full or refuses.
        """
        path = self._path(relative)
        for name in files:
            _check_name(name)
        uri = self._place.uri(path)
        with _trouble(f"write {uri}"):
            self._place.write(path, files)
        return uri

    def read(self, location: str, contents: Contents | None = None) -> dict[str, bytes]:
        """Read a folder's files.

        Args:
            location: the folder's address, or its place below the root.
            contents: what the folder must hold, by the record; None: nothing is on record.

        Returns:
            Name -> content.

        Raises:
            BadInputError: it is outside the root.
            TenantError: the store is there and the folder is not; or the folder holds other files
                than it must, or something that is no file.
            InfrastructureError: the store is away or refuses.
        """
        path = self._path(location)
        uri = self._place.uri(path)
        with _trouble(f"read {uri}"), _refusing(uri):
            files = self._read(path, contents)
            if files is None:
                self._place.check_root(self._base)
        if files is None:
            raise TenantError(
                f"The files of {uri} are gone: restore them, or train the model again."
            )
        return files

    def _read(self, path: str, contents: Contents | None) -> dict[str, bytes] | None:
        if contents is None:
            return self._place.read(path)
        files = self._place.read(path, partial(check_sizes, expected=contents))
        if files is not None:
            check_contents(files, contents)
        return files

    def delete(self, location: str) -> None:
        """Delete a folder and all below it; a missing folder is no error.

        Raises:
            BadInputError: it is outside the root, or the root itself.
            InfrastructureError: the store is away or refuses.
        """
        path = self._path(location)
        with _trouble(f"delete {self._place.uri(path)}"):
            self._place.delete(path)

    def list(self, location: str) -> list[str]:
        """Names of the folders directly in a folder or the root (``""``); none if it is missing.

        They include the remains of killed writers, whose names begin with a dot.

        Raises:
            BadInputError: it is outside the root.
            InfrastructureError: the store is away or refuses.
        """
        path = self._path(location) if location else self._base
        with _trouble(f"list {self._place.uri(path)}"):
            return sorted(self._place.list(path))

    def is_older(self, location: str, moment: datetime) -> bool:
        """Whether a folder and all below it were last written to before a time.

        Raises:
            BadInputError: it is outside the root.
            InfrastructureError: the store is away or refuses.
        """
        path = self._path(location)
        with _trouble(f"see {self._place.uri(path)}"):
            return self._place.last_written(path) < moment.timestamp()

    def _path(self, location: str) -> str:
        """The file system's path for an address or a place below the root."""
        relative = self._below_root(location) if "://" in location else location
        parts = relative.split("/")
        bad = {"", ".", ".."}.intersection(parts)
        if bad or "\\" in relative or not relative.isprintable():
            raise BadInputError(
                f"{location!r} is no folder of the artifact store: name one below {self.root}, "
                "without '..' in it."
            )
        return "/".join([self._base, *parts])

    def _below_root(self, uri: str) -> str:
        scheme, path = _split(uri)
        if scheme != self._scheme or not path.startswith(self._base + "/"):
            raise BadInputError(
                f"{uri!r} is outside the artifact store {self.root}: has RECFLEET_ARTIFACT_ROOT "
                "changed since it was written?"
            )
        return path[len(self._base) + 1 :].rstrip("/")


def _parse_root(root: str) -> tuple[str, str]:
    scheme, path = _split(root)
    path = path.rstrip("/")
    if scheme == "file" and path.startswith("/"):
        return scheme, path
    if scheme == "s3" and path and not path.startswith("/"):
        return scheme, path
    raise ConfigurationError(
        f"RECFLEET_ARTIFACT_ROOT is {root!r}: write a folder like file:///folder, or a place in "
        "an object store like s3://bucket/prefix."
    )


def _split(uri: str) -> tuple[str, str]:
    address = urlsplit(uri)
    if address.scheme == "file":
        return "file", address.netloc + unquote(address.path)
    return address.scheme, uri.removeprefix(f"{address.scheme}://")


def _check_name(name: str) -> None:
    if name in {"", ".", ".."} or "/" in name or "\\" in name or not name.isprintable():
        raise BadInputError(f"{name!r} cannot be the name of a file in the artifact store.")


@contextmanager
def _refusing(uri: str) -> Iterator[None]:
    """Add the folder, and what helps, to a sentence on what is wrong in it."""
    try:
        yield
    except TenantError as error:
        raise TenantError(
            f"The folder {uri} is refused: {error}. Restore its files as they were written, or "
            "put another version in force with `recfleet rollback` or `recfleet promote`."
        ) from error


@contextmanager
def _trouble(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InfrastructureError(f"The artifact store could not {action}: {error}") from error
