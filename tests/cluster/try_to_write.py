"""Runs in a container that only reads models: says what of its attempts to write succeeded.

Prints a list of words as JSON; it is empty when the container can do no more than read.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

_BESIDE = {"master": 9333, "volume server": 8080, "filer": 8888, "filer's gRPC": 18888}
"""Ports of SeaweedFS that ask for no key."""


def _attempts() -> Iterator[tuple[str, Callable[[], object]]]:
    root = urlsplit(os.environ["RECFLEET_ARTIFACT_ROOT"])
    bucket, address = root.netloc, os.environ["RECFLEET_ARTIFACT_ENDPOINT_URL"]
    store = boto3.client("s3", endpoint_url=address)
    first = store.list_objects_v2(Bucket=bucket, MaxKeys=1)["Contents"][0]["Key"]
    there = {"Bucket": bucket, "Key": first}
    content = store.get_object(**there)["Body"].read()
    aside = {"Bucket": bucket, "Key": f"{first}.copy"}

    def put() -> object:
        return store.put_object(**there, Body=content)

    def copy() -> object:
        return store.copy_object(**aside, CopySource=there)

    def delete() -> object:
        return store.delete_object(**aside)

    def upload() -> object:
        return store.create_multipart_upload(**aside)

    def opened() -> object:
        return store.put_bucket_acl(Bucket=bucket, ACL="public-read-write")

    for attempt in (put, copy, delete, upload, opened):
        yield attempt.__name__, attempt
    host = urlsplit(address).hostname or ""
    for name, port in _BESIDE.items():
        yield f"connect to the {name}", partial(_connect, host, port)


def _connect(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=3).close()


def main() -> None:
    """Try all of it."""
    done = []
    for name, attempt in _attempts():
        with suppress(ClientError, OSError):
            attempt()
            done.append(name)
    print(json.dumps(done))


if __name__ == "__main__":
    main()
