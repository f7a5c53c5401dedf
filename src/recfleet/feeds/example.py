"""The commented files with which a feed begins."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from recfleet.errors import BadInputError
from recfleet.feeds.settings import Kind


def example_of(kind: str) -> str:
    """A feed's TOML with a comment for each field.

    Raises:
        BadInputError: there is no such kind.
    """
    if kind not in get_args(Kind):
        raise BadInputError(f"There is no kind of feed {kind!r}: use {', '.join(get_args(Kind))}.")
    return (Path(__file__).parent / "examples" / f"{kind}.toml").read_text(encoding="utf-8")
