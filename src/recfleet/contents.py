"""What a model consists of: each file's length and SHA-256, and one digest over all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from recfleet.errors import TenantError

Contents: TypeAlias = dict[str, str]
"""A file's name -> its length in bytes and its SHA-256, such as ``1408 9f86d08…``."""


def contents_of(files: Mapping[str, bytes]) -> Contents:
    """The contents of a folder.

    Args:
        files: name -> bytes.
    """
    return {
        name: f"{len(content)} {hashlib.sha256(content).hexdigest()}"
        for name, content in files.items()
    }


def digest_of(contents: Mapping[str, str]) -> str:
    """One SHA-256 over all contents, in hexadecimal.

    It is taken of JSON without spaces and with sorted names, so that anybody can compute it.
    """
    listing = json.dumps(dict(contents), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(listing.encode()).hexdigest()


def check_sizes(sizes: Mapping[str, int], expected: Mapping[str, str]) -> None:
    """Check names and lengths, before anything is read.

    Args:
        sizes: name -> bytes.
        expected: what is on record.

    Raises:
        TenantError: they differ; names the files.
    """
    wanted = {name: int(told.partition(" ")[0]) for name, told in expected.items()}
    _check(sizes, wanted)


def check_contents(files: Mapping[str, bytes], expected: Mapping[str, str]) -> None:
    """Check files against what is on record.

    Raises:
        TenantError: they differ; names the files.
    """
    _check(contents_of(files), expected)


def _check(found: Mapping[str, object], expected: Mapping[str, object]) -> None:
    told = "; ".join(_differences(found, expected))
    if told:
        raise TenantError(f"its files are not those on record: {told}")


def _differences(found: Mapping[str, object], expected: Mapping[str, object]) -> Iterator[str]:
    changed = [name for name in expected if name in found and found[name] != expected[name]]
    missing, strange = expected.keys() - found.keys(), found.keys() - expected.keys()
    if changed:
        yield f"{_listed(changed)} {_verb(changed, 'was', 'were')} changed"
    if missing:
        yield f"{_listed(missing)} {_verb(missing, 'is', 'are')} missing"
    if strange:
        yield f"{_listed(strange)} {_verb(strange, 'does', 'do')} not belong there"


def _listed(names: Iterable[str]) -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} and {last}" if others else last


def _verb(names: Iterable[str], one: str, several: str) -> str:
    return one if len(list(names)) == 1 else several
