"""What is wrong with values that somebody has sent, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_MOST = 3
"""Mistakes that are told at once."""


def in_words(error: ValidationError, kind: type[BaseModel], whole: str = "it") -> str:
    """The first mistakes, each with its place; without a full stop.

    Args:
        error: of the validation.
        kind: what was expected.
        whole: what a mistake of no one field is about.
    """
    return "; ".join(
        f"there is no {place}; there are {', '.join(kind.model_fields)}"
        if one["type"] == "extra_forbidden"
        else f"{place}: {one['msg'][:1].lower()}{one['msg'][1:]}"
        for one in error.errors()[:_MOST]
        for place in [".".join(map(str, one["loc"])) or whole]
    )
