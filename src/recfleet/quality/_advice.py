"""What an expectation means, what to do where it fails, and its unit, read without the library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recfleet.quality._profile import COLUMNS, Unit


@dataclass(frozen=True)
class Advice:
    """Of one expectation, for whoever looks at a tenant that failed it."""

    means: str
    do: str


def read_advice(folder: Path) -> dict[str, Advice]:
    """What ``tenants.json`` says, by the expectation's name.

    Expectations that say neither are left out; so are all where the file cannot be read, which is
    for the next night to complain of.
    """
    metas = [expectation["meta"] for expectation in _read_expectations(folder)]
    return {
        meta["name"]: Advice(str(meta["means"]), str(meta["do"]))
        for meta in metas
        if meta.get("means") and meta.get("do")
    }


def read_units(folder: Path) -> dict[str, Unit]:
    """The unit of the number that an expectation of ``tenants.json`` looks at, by its name.

    Expectations of no column of the profile are left out; so are all as in ``read_advice``.
    """
    return {
        expectation["meta"]["name"]: column.unit
        for expectation in _read_expectations(folder)
        if (column := COLUMNS.get(str(expectation["kwargs"].get("column")))) is not None
    }


def _read_expectations(folder: Path) -> list[Mapping[str, Any]]:
    """All of ``tenants.json`` that have the parts that they must have."""
    try:
        suite = json.loads((folder / "tenants.json").read_text(encoding="utf-8"))
        return [expectation for expectation in suite["expectations"] if _has_parts(expectation)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _has_parts(expectation: object) -> bool:
    if not isinstance(expectation, dict):
        return False
    meta, kwargs = expectation.get("meta"), expectation.get("kwargs")
    return isinstance(meta, dict) and isinstance(meta.get("name"), str) and isinstance(kwargs, dict)
