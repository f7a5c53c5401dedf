"""What an expectation means and what to do where it fails, read without the library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


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
    try:
        suite = json.loads((folder / "tenants.json").read_text(encoding="utf-8"))
        metas = [expectation["meta"] for expectation in suite["expectations"]]
        return {
            meta["name"]: Advice(str(meta["means"]), str(meta["do"]))
            for meta in metas
            if meta.get("means") and meta.get("do")
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
