"""The words of ``recfleet ingest``: a file's name is enough, and ``--kind`` says what is in it."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from recfleet.errors import BadInputError

_KINDS = {"purchases": "file", "customers": "customers", "products": "products"}
"""What the lines of a file are -> the command."""


MOST_NEW = 100
"""A file may add so many tenants without a question."""


class FileFirst(TyperGroup):
    """``recfleet ingest FILE`` means ``recfleet ingest file FILE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command there that is left out; ``--kind customers`` names it, too."""
        args = _kind_first(args)
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["file", *args]
        return super().parse_args(ctx, args)


def _kind_first(args: list[str]) -> list[str]:
    for place, word in enumerate(args):
        option, _, value = word.partition("=")
        if option == "--kind":
            rest = args[place + 1 :]
            kind = value or (rest.pop(0) if rest else "")
            if kind not in _KINDS:
                raise BadInputError(f"--kind is one of {', '.join(_KINDS)}; not {kind!r}.")
            return [_KINDS[kind], *args[:place], *rest]
    return args


def delimiter_of(text: str | None) -> str | None:
    """The delimiter that a person names; None: it is found out.

    Raises:
        BadInputError: it is no delimiter.
    """
    text = {"tab": "\t", r"\t": "\t"}.get(text or "", text)
    if text is not None and (not 1 <= len(text) <= 3 or set(text) & set('"\r\n')):
        raise BadInputError(f"--delimiter is one to three characters, or tab; not {text!r}.")
    return text
