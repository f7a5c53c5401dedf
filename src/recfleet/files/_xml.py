"""XML read piece by piece: memory is bounded, whatever a file holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import BinaryIO
from xml.parsers import expat

from recfleet.errors import BadInputError

Start = Callable[[str, Mapping[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]

_CHUNK = 1 << 16
_LONGEST_TAG = 1 << 20
_MOST_NAMES = 2_000


class Spelling(dict[str, str]):
    """Names with their namespace -> without; a name is cut up once."""

    def __missing__(self, name: str) -> str:
        self[name] = short = name.rpartition("}")[2]
        return short


def read_xml(stream: BinaryIO, what: str, start: Start, end: End, text: Text) -> Iterator[int]:
    """Call functions for what is in a stream of XML.

    Args:
        stream: the XML.
        what: it is, as a message begins.
        start: called with an element's name and attributes; names begin with their namespace and
            ``}``.
        end: called with an element's name.
        text: called with text, at most 64 KiB at a time.

    Yields:
        After every 64 KiB: how many bytes have been read.

    Raises:
        BadInputError: it is not XML, or is made to exhaust memory: it declares entities, a tag is
            longer than a mebibyte, or there are more than 2,000 names.
    """
    names: dict[str, str] = {}
    parser = expat.ParserCreate(None, "}", names)
    parser.buffer_text = True
    parser.buffer_size = _CHUNK
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = partial(_refuse_doctype, what)
    read = 0
    try:
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk)
            read += len(chunk)
            if read - parser.CurrentByteIndex > _LONGEST_TAG:
                raise BadInputError(f"{what} has a tag of more than {_LONGEST_TAG:,} bytes.")
            if len(names) > _MOST_NAMES:
                raise BadInputError(f"{what} has more than {_MOST_NAMES:,} names of elements.")
            yield read
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise BadInputError(f"{what} is damaged: {error}.") from None
    yield read


def _refuse_doctype(what: str, *_: object) -> None:
    raise BadInputError(f"{what} declares a document type, which no workbook needs.")
