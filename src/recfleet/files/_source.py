"""The kind of a file: recognised by its content, not by its name."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from recfleet.errors import BadInputError
from recfleet.files._encoding import find_encoding
from recfleet.files._unpacked import Gzip

Kind = Literal["csv", "excel", "json", "parquet"]

_CHUNK = 1 << 20
_PLAIN_CONTROLS = b"\t\n\r\f"
_UNREAD = {
    b"\xd0\xcf\x11\xe0": "is an old Excel file (.xls): save it as .xlsx",
    b"BZh": "is compressed with bzip2: unpack it, or compress it with gzip",
    b"\xfd7zXZ": "is compressed with xz: unpack it, or compress it with gzip",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: unpack it, or compress it with gzip",
}


@dataclass(frozen=True)
class Source:
    """A file that can be read."""

    path: Path
    kind: Kind
    gzipped: bool
    encoding: str
    """Encoding of a text file."""
    fingerprint: str
    """SHA-256 of its bytes, hex."""
    size: int
    """Bytes on disk."""
    damaged: bool = False
    """Whether a text file has bytes that are no text in its encoding."""
    notes: tuple[str, ...] = ()
    """Notes for people about how it was read."""


def inspect(path: Path, encoding: str | None = None) -> Source:
    """Read a file once for its kind, its encoding and its fingerprint.

    Args:
        path: the file.
        encoding: of a text file, if a person said it.

    Raises:
        BadInputError: it is missing, unreadable or empty, its kind is not supported, or there is no
            such encoding.
    """
    try:
        return _inspect(path, encoding)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise BadInputError(f"{path} is a truncated or damaged gzip file: get it again.") from None
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror or error}.") from None


def _inspect(path: Path, given: str | None) -> Source:
    if path.is_dir():
        raise BadInputError(f"{path} is a folder: name one file in it.")
    if not path.is_file():
        raise BadInputError(f"There is no file {path}.")
    head = _head(path)
    if not head:
        raise BadInputError(f"{path} is empty.")
    _refuse(path, head)
    gzipped = head.startswith(b"\x1f\x8b")
    kind: Kind = "csv"
    if head.startswith(b"PAR1"):
        kind = "parquet"
    elif head.startswith(b"PK\x03\x04"):
        _refuse_other_zip(path)
        kind = "excel"
    size = path.stat().st_size
    if kind != "csv":
        return Source(path, kind, gzipped, "utf-8", _fingerprint(path), size)
    with open_bytes(path, gzipped=gzipped) as (content, _):
        beginning = content.read(_CHUNK)
        _refuse_binary(path, beginning, given)
        content.seek(0)
        found = find_encoding(content, given)
    notes = (found.note,) if found.note else ()
    kind = _kind_of_text(path, beginning.decode(found.name, "replace"))
    return Source(
        path, kind, gzipped, found.name, _fingerprint(path), size, found.damaged > 0, notes
    )


def _kind_of_text(path: Path, beginning: str) -> Kind:
    text = beginning.lstrip("\ufeff \t\r\n")
    if re.match(r"\[\s*[{\[]", text):
        raise BadInputError(
            f"{path} is one JSON array: write one object a line, as `jq -c '.[]' {path.name}` does."
        )
    return "json" if re.match(r'\{\s*"', text) else "csv"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _refuse(path: Path, head: bytes) -> None:
    for beginning, sentence in _UNREAD.items():
        if head.startswith(beginning):
            raise BadInputError(f"{path} {sentence}.")


def _refuse_other_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        raise BadInputError(
            f"{path} is a truncated or damaged Excel or zip file: get it again."
        ) from None
    if not any(name.startswith("xl/") for name in names):
        raise BadInputError(f"{path} is a zip file: unpack it and name the file inside.")


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_binary(path: Path, chunk: bytes, encoding: str | None) -> None:
    if not chunk.strip():
        raise BadInputError(f"{path} is empty.")
    if encoding is not None or chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    controls = sum(chunk.count(bytes([code])) for code in range(32) if code not in _PLAIN_CONTROLS)
    others = controls - chunk.count(0)
    if b"\x00" in chunk and controls > len(chunk) / 20 and (others or not _is_wide(chunk)):
        raise BadInputError(
            f"{path} is not a table: use CSV (also gzipped), JSON lines, Parquet or Excel (.xlsx)."
        )


def _is_wide(chunk: bytes) -> bool:
    """Whether every other byte is zero, as in UTF-16 without a mark."""
    return any(
        zeros.count(0) > 0.4 * len(zeros) and chunk.count(0) < 0.6 * len(chunk)
        for zeros in (chunk[::2], chunk[1::2])
    )


@contextmanager
def open_bytes(path: Path, *, gzipped: bool) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a file's content, and the file itself, whose position shows the progress.

    Raises:
        BadInputError: while it is read, more comes out of a gzipped file than a table has.
    """
    with path.open("rb") as raw:
        if not gzipped:
            yield raw, raw
            return
        with Gzip(path, raw) as content:
            yield content, raw  # type: ignore[misc]
