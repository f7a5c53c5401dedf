"""A prefix of an S3 bucket where files arrive."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recfleet.feeds.place import (
    ASIDE,
    DONE,
    Access,
    Arrived,
    FeedTroubleError,
    Found,
    fits,
    is_ignored,
)
from recfleet.feeds.settings import S3Part


class Bucket:
    """Objects below a prefix."""

    def __init__(self, part: S3Part, pattern: str, access: Access) -> None:
        """Open the bucket.

        Args:
            part: which one.
            pattern: only objects whose names fit.
            access: login and password are the keys; extra may have region_name, endpoint_url.

        Raises:
            FeedTroubleError: the connection's values cannot be used.
        """
        import boto3

        self._part = part
        self._pattern = pattern
        self._access = access
        with self._telling():
            self._client = boto3.client(
                "s3",
                aws_access_key_id=access.login,
                aws_secret_access_key=access.password,
                region_name=access.extra.get("region_name"),
                endpoint_url=access.extra.get("endpoint_url"),
            )

    def find(self) -> Arrived:
        """List the objects.

        Raises:
            FeedTroubleError: the bucket does not answer.
        """
        objects: dict[str, Found] = {}
        with self._telling():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._part.bucket, Prefix=self._part.prefix
            )
            for page in pages:
                for told in page.get("Contents", []):
                    item = told["Key"].removeprefix(self._part.prefix)
                    version = f"{told['Size']}-{told['ETag'].strip(chr(34))}"
                    objects[told["Key"]] = Found(item, version, told["Size"])
        complete, unfinished = [], 0
        for key, found in objects.items():
            *folders, name = found.item.split("/")
            hidden = any(folder.startswith(".") for folder in folders)
            if not name or hidden or is_ignored(name) or not fits(name, self._pattern):
                continue
            if self._part.complete == "done" and key + DONE not in objects:
                unfinished += 1
            else:
                complete.append(found)
        return Arrived(sorted(complete, key=lambda found: found.item), unfinished)

    @contextmanager
    def fetch(self, found: Found) -> Iterator[Path]:
        """The object as a file in a folder of its own, as long as it is read."""
        with tempfile.TemporaryDirectory(prefix="recfleet-feed-") as folder:
            path = Path(folder, Path(found.item).name)
            with self._telling():
                self._client.download_file(self._part.bucket, self._key(found.item), str(path))
            yield path

    def is_still(self, found: Found) -> bool:
        """Whether the object is there and the same."""
        from botocore.exceptions import ClientError

        with self._telling():
            try:
                told = self._client.head_object(Bucket=self._part.bucket, Key=self._key(found.item))
            except ClientError as error:
                if error.response["Error"]["Code"] == "404":
                    return False
                raise
        return f"{told['ContentLength']}-{told['ETag'].strip(chr(34))}" == found.version

    def set_aside(self, found: Found, reason: str) -> bool:
        """Copy the object and write the reason, then delete it; safe to repeat."""
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, key = self._part.bucket, self._key(found.item)
        target = self._key(f"{ASIDE}/{found.item}")
        try:
            self._client.put_object(
                Bucket=bucket, Key=f"{target}.reason.txt", Body=f"{reason}\n".encode()
            )
            self._client.copy_object(
                Bucket=bucket, Key=target, CopySource={"Bucket": bucket, "Key": key}
            )
            self._client.delete_object(Bucket=bucket, Key=key)
            if self._part.complete == "done":
                self._client.delete_object(Bucket=bucket, Key=key + DONE)
        except (BotoCoreError, ClientError):
            return False
        return True

    def _key(self, item: str) -> str:
        return f"{self._part.prefix}{item}"

    @contextmanager
    def _telling(self) -> Iterator[Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError, ValueError) as error:
            told = self._access.redact(str(error).splitlines()[0])
            raise FeedTroubleError(
                f"The bucket {self._part.bucket} cannot be read: {told}"
            ) from None
