"""Create the bucket of ``RECFLEET_ARTIFACT_ROOT`` if it is missing."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError


def make_bucket(root: str, endpoint_url: str | None) -> bool:
    """Create the bucket of an address ``s3://bucket/prefix``; True if it was missing."""
    place = urlsplit(root)
    if place.scheme != "s3":
        sys.exit(
            f"RECFLEET_ARTIFACT_ROOT is {root!r}. Workers on several machines share no disk: set "
            "it to an address that begins with s3://."
        )
    store = boto3.client("s3", endpoint_url=endpoint_url)
    try:
        store.head_bucket(Bucket=place.netloc)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        store.create_bucket(Bucket=place.netloc)
        return True
    return False


if __name__ == "__main__":
    made = make_bucket(
        os.environ["RECFLEET_ARTIFACT_ROOT"], os.environ.get("RECFLEET_ARTIFACT_ENDPOINT_URL")
    )
    print("Created the bucket." if made else "The bucket exists already.")
