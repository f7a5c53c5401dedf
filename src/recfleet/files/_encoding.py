"""The encoding of a file's text, and bytes that are no text in it."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from recfleet.errors import BadInputError

_CHUNK = 1 << 20
_MARK = 0xDC00
_MARKS = re.compile("[\udc00-\udcff]")
MARKING = "recfleet.marking"
"""Error handling that puts a mark in the place of each byte that is no text."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Bytes without a meaning in Windows' Western European text, or with a very rare one.
_NOT_WESTERN = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D, 0xFE, 0xFF})


@dataclass(frozen=True)
class Encoding:
    """What a text is written in."""

    name: str
    damaged: int = 0
    """Bytes that are no text in it."""
    note: str | None = None
    """A note for people."""


def find_encoding(content: BinaryIO, given: str | None) -> Encoding:
    """Find out what a text is written in; the whole text counts, because any line may differ.

    A text with a few bytes that are not UTF-8 is a damaged UTF-8 text. Only one that has more such
    bytes than characters beyond ASCII is read as something else.

    Args:
        content: the bytes, from their beginning; they are read to the end.
        given: the encoding, if a person said it.

    Raises:
        BadInputError: there is no such encoding.
    """
    head = content.read(_CHUNK)
    marked = next((name for mark, name in _BOMS if head.startswith(mark)), None)
    if given is not None:
        given = _checked(given)
        name = marked if marked and _family(marked) == _family(given) else given
        damaged, _ = _examine(content, head, name)
        return Encoding(name, damaged.total(), _damage(damaged.total(), name))
    name = marked or _without_mark(head)
    damaged, beyond_ascii = _examine(content, head, name)
    western = not marked and damaged.total() > beyond_ascii and damaged.keys() - _NOT_WESTERN
    if name != "utf-8" or not western:
        return Encoding(name, damaged.total(), _damage(damaged.total(), name))
    undefined = sum(damaged[code] for code in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    return Encoding(
        "cp1252",
        undefined,
        "The text is not UTF-8; it was read as cp1252 (Western European). If names look wrong, say "
        "which encoding it is, such as --encoding cp1251.",
    )


def is_garbled(text: str) -> bool:
    """Whether a text has marks of bytes that are no text."""
    return _MARKS.search(text) is not None


def show_bytes(text: str) -> str:
    r"""A text with such bytes written out, as ``M\xfcller``."""
    return _MARKS.sub(lambda mark: f"\\x{ord(mark[0]) - _MARK:02x}", text)


def _checked(name: str) -> str:
    try:
        info = codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError, AttributeError):
        raise BadInputError(
            f"There is no text encoding {name!r}: use one such as utf-8, cp1252, cp1251, cp1250, "
            "latin-1, utf-16, shift_jis, gb18030 or big5."
        ) from None
    return info.name


def _family(name: str) -> str:
    return codecs.lookup(name).name.replace("-sig", "").removesuffix("-le").removesuffix("-be")


def _without_mark(head: bytes) -> str:
    """UTF-16 without its mark shows in zeros on every other place."""
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if len(head) >= 8 and zeros.count(0) > 0.4 * len(zeros) and head.count(0) < 0.6 * len(head):
            return name
    return "utf-8"


def _examine(content: BinaryIO, head: bytes, encoding: str) -> tuple[Counter[int], int]:
    """The bytes that are no text, and the number of characters beyond ASCII."""
    damaged: Counter[int] = Counter()
    decoder = codecs.getincrementaldecoder(encoding)(errors=MARKING)
    beyond = 0
    for chunk in (head, *iter(partial(content.read, _CHUNK), b""), b""):
        text = decoder.decode(chunk, final=not chunk)
        if text.isascii():
            continue
        marks = Counter(map(ord, _MARKS.findall(text)))
        damaged.update({code - _MARK: count for code, count in marks.items()})
        beyond += len(text) - len(text.encode("ascii", "ignore")) - marks.total()
    return damaged, beyond


def _damage(count: int, name: str) -> str | None:
    if not count:
        return None
    called = "UTF-8" if _family(name) == "utf-8" else name
    return (
        f"The file has {count:,} byte{'' if count == 1 else 's'} that cannot be in {called} text; "
        "such lines are unusable. If the whole text is written otherwise, say how, such as "
        "--encoding cp1252."
    )


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(_MARK + code) for code in bad), error.end


codecs.register_error(MARKING, _mark)
