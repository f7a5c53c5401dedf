"""An Excel file as a package of parts: its sheets, styles and shared strings, within bounds."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from recfleet.errors import BadInputError
from recfleet.files._unpacked import FREE_BYTES, HIGHEST_RATIO, MOST_TEXT
from recfleet.files._xml import Spelling, read_xml

_MOST_BYTES = 2 << 30
_MOST_SMALL_BYTES = 32 << 20
_MOST_STRINGS = 2_000_000
_MOST_STRING_CHARACTERS = 128 << 20
_MOST_ENTRIES = 100_000
_WAYS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, ArithmeticError, EOFError, LookupError, OSError, ValueError,
)  # fmt: skip
INSTEAD = "Save the table alone as a new workbook, or as CSV."


@dataclass(frozen=True)
class Styles:
    """What a cell's style says about its number."""

    dates: frozenset[int] = frozenset()
    """Styles whose number is a time."""
    durations: frozenset[int] = frozenset()
    """Those whose number is a length of time."""
    zeros: Mapping[int, int] = field(default_factory=dict)
    """Style -> digits of a whole number, which begins with zeros if it is shorter."""


@dataclass(frozen=True)
class Sheet:
    """A sheet with cells."""

    title: str
    part: str


class Package:
    """The parts of a workbook that tables need."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        """Look at the list of sheets.

        Args:
            path: of the file, for messages.
            archive: its content.

        Raises:
            BadInputError: parts are larger than any table needs, or are not what they should be.
        """
        self.path = path
        self._archive = archive
        self._parts = {part.filename: part for part in archive.infolist()}
        self._workbook = self._office_document()
        self._related = self._relations(self._workbook)
        self.from_1904 = False
        self.sheets = self._sheets()

    def open_sheet(self, sheet: Sheet) -> tuple[BinaryIO, int]:
        """A sheet's XML, and its length in bytes."""
        return self._open(sheet.part, _MOST_BYTES), self._parts[sheet.part].file_size

    def epoch(self) -> datetime:
        """The day from which times are counted."""
        from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH

        epoch: datetime = MAC_EPOCH if self.from_1904 else WINDOWS_EPOCH
        return epoch

    def styles(self) -> Styles:
        """Which styles are those of times."""
        from openpyxl.styles.numbers import (
            builtin_format_code,
            is_date_format,
            is_timedelta_format,
        )

        custom: dict[int, str] = {}
        formats: list[int] = []
        for path, attributes in self._elements(self._part("styles", "xl/styles.xml")):
            if path[-2:] == ("numFmts", "numFmt"):
                custom[_whole(attributes, "numFmtId")] = attributes.get("formatCode", "")
            elif path[-2:] == ("cellXfs", "xf"):
                formats.append(_whole(attributes, "numFmtId"))
            if len(formats) + len(custom) > _MOST_ENTRIES:
                raise BadInputError(f"{self.path} has more than {_MOST_ENTRIES:,} styles.")
        codes = [custom.get(number) or builtin_format_code(number) for number in formats]
        return Styles(
            frozenset(style for style, code in enumerate(codes) if is_date_format(code)),
            frozenset(style for style, code in enumerate(codes) if is_timedelta_format(code)),
            {style: len(code) for style, code in enumerate(codes) if code and set(code) == {"0"}},
        )

    def strings(self) -> list[str]:
        """The texts that cells refer to by number."""
        part = self._part("sharedStrings", "xl/sharedStrings.xml")
        if part is None:
            return []
        reader = _Strings(f"{self.path}, {part},")
        with self._open(part, _MOST_BYTES) as stream:
            for _ in read_xml(stream, reader.what, reader.start, reader.end, reader.text):
                pass
        return reader.strings

    def _open(self, name: str, most: int) -> BinaryIO:
        part = self._parts[name]
        if part.compress_type not in _WAYS or part.flag_bits & 1:
            raise BadInputError(f"{self.path} is encrypted or packed in an unusual way. {INSTEAD}")
        if part.file_size > most:
            raise BadInputError(
                f"{self.path} is too large: unpacked, {name} has {part.file_size >> 20:,} MB, and "
                f"at most {most >> 20:,} MB are read. {INSTEAD}"
            )
        if part.file_size > max(FREE_BYTES, HIGHEST_RATIO * part.compress_size):
            raise BadInputError(
                f"{self.path} is not a table that was typed or exported: {name} unpacks from "
                f"{part.compress_size:,} to {part.file_size:,} bytes, more than "
                f"{HIGHEST_RATIO} times its size. {INSTEAD}"
            )
        return self._archive.open(part)  # type: ignore[return-value]

    def _office_document(self) -> str:
        for kind, target in self._relations("").values():
            if kind == "officeDocument" and target in self._parts:
                return target
        if "xl/workbook.xml" in self._parts:
            return "xl/workbook.xml"
        raise BadInputError(f"{self.path} is a damaged or unreadable Excel file: it has no sheets.")

    def _relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Id -> kind and part, of the parts that one refers to."""
        folder, name = posixpath.split(part)
        found: dict[str, tuple[str, str]] = {}
        for path, attributes in self._elements(posixpath.join(folder, "_rels", f"{name}.rels")):
            if path[-1] == "Relationship":
                target = posixpath.normpath(posixpath.join("/", folder, attributes["Target"]))
                kind = attributes["Type"].rpartition("/")[2]
                found[attributes["Id"]] = (kind, target.lstrip("/"))
            if len(found) > _MOST_ENTRIES:
                raise BadInputError(f"{self.path} has more than {_MOST_ENTRIES:,} parts.")
        return found

    def _part(self, kind: str, usual: str) -> str | None:
        named = [part for what, part in self._related.values() if what == kind]
        return next((part for part in [*named, usual] if part in self._parts), None)

    def _sheets(self) -> list[Sheet]:
        sheets: list[Sheet] = []
        for path, attributes in self._elements(self._workbook):
            if path[-1] == "workbookPr":
                self.from_1904 = attributes.get("date1904", "") in ("1", "true", "on")
            elif path[-2:] == ("sheets", "sheet"):
                kind, part = self._related.get(_id(attributes), ("", ""))
                if kind == "worksheet" and part in self._parts:
                    sheets.append(Sheet(attributes.get("name", ""), part))
        return sheets

    def _elements(self, part: str | None) -> Iterator[tuple[tuple[str, ...], Mapping[str, str]]]:
        """The path and the attributes of every element of a small part; of none, if it is not."""
        if part is None or part not in self._parts:
            return
        spelling = Spelling()
        path: list[str] = []
        found: list[tuple[tuple[str, ...], Mapping[str, str]]] = []

        def start(name: str, attributes: Mapping[str, str]) -> None:
            path.append(spelling[name])
            found.append((tuple(path[-2:]), attributes))

        def end(_: str) -> None:
            path.pop()

        with self._open(part, _MOST_SMALL_BYTES) as stream:
            what = f"{self.path}, {part},"
            for _ in read_xml(stream, what, start, end, _nothing):
                yield from found
                found.clear()


class _Strings:
    """Collects shared strings."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.strings: list[str] = []
        self._spelling = Spelling()
        self._characters = 0
        self._cell = CellText(what)

    def start(self, name: str, _: Mapping[str, str]) -> None:
        short = self._spelling[name]
        if short == "si":
            self._cell.begin()
        else:
            self._cell.start(short)

    def end(self, name: str) -> None:
        short = self._spelling[name]
        self._cell.end(short)
        if short == "si":
            text = self._cell.take().replace("x005F_", "")
            self.strings.append(text)
            self._characters += len(text)
            if len(self.strings) > _MOST_STRINGS:
                raise BadInputError(f"{self.what} has more than {_MOST_STRINGS:,} texts. {INSTEAD}")
            if self._characters > _MOST_STRING_CHARACTERS:
                raise BadInputError(
                    f"{self.what} has more than {_MOST_STRING_CHARACTERS:,} characters. {INSTEAD}"
                )

    def text(self, text: str) -> None:
        self._cell.text(text)


class CellText:
    """The text of one cell: of ``t`` elements, except where they say how to pronounce it."""

    def __init__(self, what: str) -> None:
        """Begin with no text.

        Args:
            what: the file and the part of it, for messages.
        """
        self._what = what
        self._pieces: list[str] = []
        self._length = 0
        self._inside = False
        self._spoken = False

    def begin(self) -> None:
        """Forget what was there."""
        self._pieces.clear()
        self._length = 0
        self._inside = self._spoken = False

    def start(self, short: str) -> None:
        """Begin an element."""
        if short == "rPh":
            self._spoken = True
        elif short in ("t", "v"):
            self._inside = not self._spoken

    def end(self, short: str) -> None:
        """End an element."""
        if short == "rPh":
            self._spoken = False
        self._inside = False

    def text(self, text: str) -> None:
        """Keep text, if it is the cell's."""
        if self._inside:
            self._pieces.append(text)
            self._length += len(text)
            if self._length > MOST_TEXT:
                raise BadInputError(
                    f"{self._what} has a cell of more than {MOST_TEXT:,} characters. {INSTEAD}"
                )

    def take(self) -> str:
        """The text."""
        return "".join(self._pieces)


@contextmanager
def open_package(path: Path) -> Iterator[Package]:
    """Open an Excel file.

    Raises:
        BadInputError: it is damaged, or larger than any table needs.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield Package(path, archive)
    except _DAMAGE as error:
        raise BadInputError(f"{path} is a damaged or unreadable Excel file: {error}") from None


def _id(attributes: Mapping[str, str]) -> str:
    return next((text for name, text in attributes.items() if name.endswith("}id")), "")


def _whole(attributes: Mapping[str, str], name: str) -> int:
    return int(attributes.get(name, "0"))


def _nothing(_: str) -> None:
    pass
