"""Folders in S3 or a compatible store."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from recfleet.errors import TenantError
from recfleet.registry._names import OF_MLFLOW

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem


class Bucket:
    """Objects whose keys share a prefix are a folder; paths are ``bucket/key``.

    Credentials and region come from the usual AWS environment.
    """

    def __init__(self, endpoint_url: str | None) -> None:
        self._endpoint_url = endpoint_url

    def uri(self, path: str) -> str:
        """Address of a path."""
        return f"s3://{path}"

    def write(self, path: str, files: Mapping[str, bytes]) -> None:
        """Write the files in their order, then delete what else the folder has."""
        for name, content in files.items():
            with self._files.open_output_stream(f"{path}/{name}") as stream:
                stream.write(content)
        for info in self._list(path):
            if info.is_file and info.base_name not in files:
                self._files.delete_file(info.path)

    def read(
        self, path: str, fits: Callable[[Mapping[str, int]], None] = lambda _: None
    ) -> dict[str, bytes] | None:
        """A folder's files; None when there is no such folder.

        Args:
            path: the folder.
            fits: takes the sizes of its files, and raises when they must not be read.

        Raises:
            TenantError: there is a folder in it.
        """
        files = {}
        with suppress(FileNotFoundError):
            sizes = self._sizes(path)
            if sizes:
                fits(sizes)
            for name in sizes:
                with self._files.open_input_file(f"{path}/{name}") as stream:
                    files[name] = cast("bytes", stream.read())
        return files or None

    def _sizes(self, path: str) -> dict[str, int]:
        """Name -> bytes, of the model's own files."""
        sizes = {}
        for info in self._list(path):
            if not info.is_file:
                raise TenantError(f"{info.base_name} does not belong there: it is a folder")
            if info.base_name != OF_MLFLOW:
                sizes[info.base_name] = info.size
        return sizes

    def delete(self, path: str) -> None:
        """Delete a folder and all below it; nothing when there is none."""
        with suppress(FileNotFoundError):
            self._files.delete_dir(path)

    def list(self, path: str) -> list[str]:
        """Names of the folders in a folder; none when there is no such folder."""
        with suppress(FileNotFoundError):
            return [info.base_name for info in self._list(path) if not info.is_file]
        return []

    def last_written(self, path: str) -> float:
        """When the newest object of the folder was written, in seconds since 1970."""
        with suppress(FileNotFoundError):
            return max(
                (info.mtime.timestamp() for info in self._list(path, deep=True) if info.is_file),
                default=0.0,
            )
        return 0.0

    def check_root(self, base: str) -> None:
        """Check that the bucket is there; the prefix appears with the first file.

        Raises:
            FileNotFoundError: there is no such bucket.
        """
        from pyarrow import fs

        bucket = base.partition("/")[0]
        if self._files.get_file_info(bucket).type == fs.FileType.NotFound:
            raise FileNotFoundError(f"there is no bucket {bucket!r}")

    @cached_property
    def _files(self) -> S3FileSystem:
        # Opened at first use, because its threads must not start before a process forks.
        from pyarrow import fs

        options: dict[str, object] = {"background_writes": False, "allow_delayed_open": True}
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if region:
            options["region"] = region
        if self._endpoint_url is not None:
            address = urlsplit(self._endpoint_url)
            options["scheme"] = address.scheme
            options["endpoint_override"] = address.netloc
        return fs.S3FileSystem(**options)

    def _list(self, path: str, *, deep: bool = False) -> Sequence[Any]:
        from pyarrow import fs

        found: Sequence[Any] = self._files.get_file_info(fs.FileSelector(path, recursive=deep))
        return found
