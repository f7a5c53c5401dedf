"""Which customers a campaign is for."""

from __future__ import annotations

from pathlib import Path

from recfleet.errors import BadInputError


def customers_in_file(path: Path) -> list[str]:
    """The customers of a text file, one in a line, each once, in its order.

    Raises:
        BadInputError: the file cannot be read, or names nobody.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{path} cannot be read as text in UTF-8 ({error}): write one customer in a line."
        ) from error
    named = list(dict.fromkeys(line.strip() for line in text.splitlines()))
    if wrong := [one for one in named if "\x00" in one]:
        raise BadInputError(f"{path} has a NUL character in {wrong[0]!r}, which is in no id.")
    if not (customers := [one for one in named if one]):
        raise BadInputError(f"{path} names nobody: write one customer in a line.")
    return customers
