"""Rows of recommendations in COPY's binary format, which Postgres reads fastest.

Every field is its length in four bytes and then its value; an array is a header and such fields.
Nothing is quoted or escaped, so an id cannot be mistaken for anything else. A product's bytes are
made once for each release, not once for each list.
https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS-BINARY-FORMAT
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from psycopg2.extensions import encodings

from recfleet.database import Connection, Cursor
from recfleet.models import SOURCES
from recfleet.releases._lists import Lists

_COPY = (
    "copy recommendation (night_id, release_id, customer_id, products, scores, source, kinds, "
    "sources, arm) from stdin with (format binary)"
)
_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_TEXT, _REAL = 25, 700
"""Types of array elements, as numbers in pg_type."""
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_ARRAY = struct.Struct(">6i")
_PIECE = 10_000
"""Customers whose rows are made at once: about ten megabytes."""
_BYTES = 4_000_000
"""Bytes to collect before sending."""


def copy_lists(
    connection: Connection, releases: Sequence[tuple[int, Lists]], *, night_id: int
) -> None:
    """Write every customer's list as a row of ``recommendation``; the caller commits.

    Args:
        connection: an open connection.
        releases: the number of each release, and its lists.
        night_id: the night's number in the ledger.
    """
    encoding = encodings[connection.encoding]
    with connection.cursor() as cursor:
        pieces: list[bytes] = []
        for release_id, lists in releases:
            products = _fields(lists.product_ids, encoding)
            customers = _fields(lists.customer_ids[lists.customers], encoding)
            start = struct.pack(">hiqiq", 9, 8, night_id, 8, release_id)
            for first in range(0, len(lists), _PIECE):
                piece = slice(first, first + _PIECE)
                pieces.append(_rows(lists, piece, start, customers, products))
                if sum(map(len, pieces)) > _BYTES:
                    _send(cursor, pieces)
        _send(cursor, pieces)


def _send(cursor: Cursor, pieces: list[bytes]) -> None:
    """Send the collected bytes and clear them."""
    if pieces:
        cursor.copy_expert(_COPY, io.BytesIO(b"".join((_HEADER, *pieces, _TRAILER))))
        pieces.clear()


def _rows(
    lists: Lists,
    piece: slice,
    start: bytes,
    customers: NDArray[np.object_],
    products: NDArray[np.object_],
) -> bytes:
    starts = lists.starts[piece.start : piece.stop + 1]
    places = slice(starts[0], starts[-1])
    product = products[lists.products[places]].tolist()
    score = _real_fields(lists.scores[places])
    names = [*(_field(name.encode()) for name in SOURCES), _field(b"excluded")]
    kinds = _digits(lists.kinds[places]) if lists.offers == "both" else None
    sources, is_mixed = _digits(lists.sources[places]), lists.is_mixed[piece].tolist()
    fields: list[bytes] = []
    for customer, name, mixed, arm, first, last in zip(
        customers[piece].tolist(),
        _names_of(lists)[piece].tolist(),
        is_mixed,
        _arms(lists, piece),
        (starts[:-1] - starts[0]).tolist(),
        (starts[1:] - starts[0]).tolist(),
        strict=True,
    ):
        fields += (
            start,
            customer,
            _array(_TEXT, last - first, b"".join(product[first:last])),
            _array(_REAL, last - first, score[8 * first : 8 * last]),
            names[name],
            _NULL if kinds is None else _field(kinds[first:last]),
            _field(sources[first:last]) if mixed else _NULL,
            arm,
        )
    return b"".join(fields)


def _names_of(lists: Lists) -> NDArray[np.intp]:
    """(m,) index into SOURCES of each list's first source, or the next one for the excluded."""
    excluded = np.isin(lists.customers, lists.excluded)
    return np.where(excluded, len(SOURCES), lists.first_sources)


def _arms(lists: Lists, piece: slice) -> Iterable[bytes]:
    """The field of each list's arm."""
    if lists.arm_of is None:
        return repeat(_NULL, len(lists.customers[piece]))
    fields = [*(_field(name.encode()) for name in lists.arm_names), _NULL]  # -1 is the last
    return (fields[arm] for arm in lists.arm_of[piece].tolist())


def _digits(codes: NDArray[np.int8]) -> bytes:
    """Each code below ten as a digit."""
    return (codes + ord("0")).astype(np.uint8).tobytes()


def _array(element_type: int, length: int, fields: bytes) -> bytes:
    if not length:
        return struct.pack(">4i", 12, 0, 0, element_type)
    # One dimension, no NULL among the elements, numbered from 1.
    return _ARRAY.pack(20 + len(fields), 1, 0, element_type, length, 1) + fields


def _real_fields(values: NDArray[np.float32]) -> bytes:
    """Each value as a field of eight bytes."""
    fields = np.empty(len(values), dtype=[("length", ">i4"), ("value", ">f4")])
    fields["length"], fields["value"] = 4, values
    return fields.tobytes()


def _fields(texts: NDArray[np.object_], encoding: str) -> NDArray[np.object_]:
    """Each text as a field."""
    fields = np.empty(len(texts), dtype=object)
    fields[:] = [_field(text.encode(encoding)) for text in texts]
    return fields


def _field(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value
