"""Make the bucket that ``RECFLEET_ARTIFACT_ROOT`` names, when it is not there."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError


def make_bucket(root: str, endpoint_url: str | None) -> bool:
    """Make the bucket of an address ``s3://bucket/prefix``; True when it was missing."""
    place = urlsplit(root)
    if place.scheme != "s3":
        sys.exit(f"RECFLEET_ARTIFACT_ROOT is {root!r}; workers on many machines need s3://…")
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
    print("The bucket is made." if made else "The bucket is there.")
