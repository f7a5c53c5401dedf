"""An expectation's meaning, unit and advice for failures, read without the library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recfleet.quality._profile import COLUMNS, Unit


@dataclass(frozen=True)
class Advice:
    """Meaning and advice of one expectation, for people who look at a failing tenant."""

    means: str
    do: str


def read_advice(folder: Path) -> dict[str, Advice]:
    """The advice in ``tenants.json``, by the expectation's name.

    Expectations without advice are left out. An unreadable file gives no advice at all; the next
    night reports it.
    """
    metas = [expectation["meta"] for expectation in _read_expectations(folder)]
    return {
        meta["name"]: Advice(str(meta["means"]), str(meta["do"]))
        for meta in metas
        if meta.get("means") and meta.get("do")
    }


def read_units(folder: Path) -> dict[str, Unit]:
    """The unit of the number that an expectation of ``tenants.json`` checks, by its name.

    Expectations without a column of the profile are left out; unreadable files as in
    ``read_advice``.
    """
    return {
        expectation["meta"]["name"]: column.unit
        for expectation in _read_expectations(folder)
        if (column := COLUMNS.get(str(expectation["kwargs"].get("column")))) is not None
    }


def _read_expectations(folder: Path) -> list[Mapping[str, Any]]:
    """All expectations of ``tenants.json`` with their required parts."""
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
