"""One spelling for each id, however a spreadsheet wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

_LOST = r"^[0-9]([.,][0-9]+[eE]\+?|[eE]\+)[0-9]{1,3}$"
_WHOLE = {".": r"^([0-9]+)\.0+$", ",": r"^([0-9]+)[.,]0+$"}
_MOST_REMEMBERED = 50_000


@dataclass
class Spellings:
    """Notes on how a column's ids are spelled, while a file is read."""

    lost: str | None = None
    """The first id in scientific notation."""
    _zeros: dict[str, str] = field(default_factory=dict)
    _plain: set[str] = field(default_factory=set)

    def add(self, ids: pa.Array) -> None:
        """Note ids of digits, as far as there is room.

        Args:
            ids: (n,) different ids.
        """
        if len(self._plain) + len(self._zeros) > _MOST_REMEMBERED:
            return
        for text in ids.filter(pc.match_substring_regex(ids, "^[0-9]+$")).to_pylist():
            if text.startswith("0") and len(text) > 1:
                self._zeros.setdefault(text.lstrip("0") or "0", text)
            else:
                self._plain.add(text)

    def with_zeros(self) -> tuple[str, str] | None:
        """Two ids that differ in zeros at the beginning alone, if there are such."""
        for plain, text in self._zeros.items():
            if plain in self._plain:
                return plain, text
        return None


def one_spelling(ids: pa.Array, decimal: str, spellings: Spellings) -> tuple[pa.Array, pa.Array]:
    """Give each id one spelling: ``17850.0`` becomes ``17850``.

    Args:
        ids: (n,) ids, with nulls.
        decimal: the file's decimal mark.
        spellings: is told what was found.

    Returns:
        (n,) ids; and (n,) whether the id is in scientific notation, such as ``1.23457E+12``: its
        last digits are lost.
    """
    encoded = pc.dictionary_encode(ids)
    different = encoded.dictionary
    lost = pc.match_substring_regex(different, _LOST)
    whole = pc.replace_substring_regex(different, _WHOLE[decimal], r"\1")
    spellings.add(whole)
    if pc.any(lost).as_py():
        spellings.lost = spellings.lost or different.filter(lost)[0].as_py()
    else:
        lost = pa.array([False]).take(pa.array([0] * len(different), pa.int8()))
    if not whole.equals(different):
        ids = whole.take(encoded.indices)
    return ids, lost.take(encoded.indices)
