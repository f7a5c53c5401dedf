"""The kind of a file: recognised by its content, not by its name."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from recfleet.errors import BadInputError

Kind = Literal["csv", "excel", "parquet"]

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
    """Encoding of a CSV file's text."""
    fingerprint: str
    """SHA-256 of its bytes, hex."""
    size: int
    """Bytes on disk."""
    notes: tuple[str, ...] = ()
    """Notes for people about how it was read."""


def inspect(path: Path) -> Source:
    """Read a file once for its kind, its encoding and its fingerprint.

    Raises:
        BadInputError: it is missing, unreadable or empty, or its kind is not supported.
    """
    try:
        return _inspect(path)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise BadInputError(f"{path} is a truncated or damaged gzip file: get it again.") from None
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror or error}.") from None


def _inspect(path: Path) -> Source:
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
    encoding = _encoding(path, gzipped=gzipped) if kind == "csv" else "utf-8"
    notes: tuple[str, ...] = ()
    if encoding == "latin-1":
        notes = ("The text is not UTF-8; it was read as Latin-1.",)
    size = path.stat().st_size
    return Source(path, kind, gzipped, encoding, _fingerprint(path), size, notes)


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


def _encoding(path: Path, *, gzipped: bool) -> str:
    """The text's encoding; the whole text is checked, because even the last line may differ."""
    with open_bytes(path, gzipped=gzipped) as (content, _):
        chunk = content.read(_CHUNK)
        encoding = _encoding_mark(chunk)
        _refuse_binary(path, chunk, encoding)
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")()
        try:
            while chunk:
                decoder.decode(chunk)
                chunk = content.read(_CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            if encoding:
                raise BadInputError(
                    f"{path} begins as {encoding} text but does not continue so."
                ) from None
            _read_to_end(content)
            return "latin-1"
    return encoding or "utf-8"


def _read_to_end(content: BinaryIO) -> None:
    """Read the whole file, so that damage is found before anything is loaded."""
    while content.read(_CHUNK):
        pass


def _encoding_mark(chunk: bytes) -> str | None:
    if chunk.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return None


def _refuse_binary(path: Path, chunk: bytes, encoding: str | None) -> None:
    if not chunk.strip():
        raise BadInputError(f"{path} is empty.")
    controls = sum(chunk.count(bytes([code])) for code in range(32) if code not in _PLAIN_CONTROLS)
    if encoding != "utf-16" and b"\x00" in chunk and controls > len(chunk) / 20:
        raise BadInputError(
            f"{path} is not a table: use CSV (also gzipped), Parquet or Excel (.xlsx)."
        )


@contextmanager
def open_bytes(path: Path, *, gzipped: bool) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a file's content, and the file itself, whose position shows the progress."""
    with path.open("rb") as raw:
        if not gzipped:
            yield raw, raw
            return
        with gzip.open(raw) as content:
            yield content, raw  # type: ignore[misc]
