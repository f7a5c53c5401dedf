"""A file that is written in any way that the options name comes back the same."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.interactions._reading import read

LETTERS = {
    "utf-8": "aé日🎁Ж",
    "utf-8-sig": "aé日",
    "utf-16": "aé日🎁",
    "utf-32": "aé日",
    "cp1252": "aéß€„",
    "latin-1": "aéß¤",
    "iso8859-15": "aéŠ€",
    "cp1250": "ařŠ€",
    "cp1251": "aЖяё",
    "koi8-r": "aЖя",
    "cp1253": "aλά",
    "shift_jis": "a日ソ表",
    "gb18030": "a日€🎁",
    "big5": "a日功",
    "cp850": "aéß",
}
FORMS = (None, "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%y %H:%M:%S", "%Y%m%d%H%M%S")
COUNTS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[tuple[str, datetime, Decimal]]]:
    encoding = draw(st.sampled_from(sorted(LETTERS)))
    ids = st.text(st.sampled_from(LETTERS[encoding] + " \"'.0;,|\t\n"), max_size=6)
    times = st.datetimes(datetime(1990, 1, 1), datetime(2025, 1, 1))  # noqa: DTZ001
    rows = st.tuples(
        ids.map("x{}x".format),
        times.map(lambda time: time.replace(microsecond=0, tzinfo=UTC)),
        st.decimals(-(10**7), 10**7, places=2),
    )
    return encoding, draw(st.lists(rows, min_size=1, max_size=8))


WAYS = st.tuples(
    st.sampled_from((",", ";", "\t", "|", "^", "::")),
    st.sampled_from((".", ",")),
    st.sampled_from(("", "other mark", " ", "'")),
    st.sampled_from((*FORMS, *COUNTS)),
    st.booleans(),
)
"""Delimiter, decimal mark, separator of thousands, form of times, whether there is a header."""


@given(tables(), WAYS)
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    table: tuple[str, list[tuple[str, datetime, Decimal]]],
    way: tuple[str, str, str, str | None, bool],
) -> None:
    encoding, rows = table
    delimiter, decimal, thousands, form, has_header = way
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\x1f" if len(delimiter) > 1 else delimiter)
    if has_header:
        writer.writerow(("customer", "product", "time", "amount"))
    for text, time, amount in rows:
        number = _number(amount, decimal, thousands)
        writer.writerow((text, text, _time(time, form), number))
    path = tmp_path_factory.getbasetemp() / "ways.csv"
    path.write_bytes(out.getvalue().replace("\x1f", delimiter).encode(encoding))
    columns = ("customer", "product", "time", "amount")
    result = read(
        path,
        **dict(zip(columns, columns if has_header else "1234", strict=True)),
        time_format=form if form in FORMS else None,
        decimal=decimal,
        delimiter=delimiter,
        encoding=encoding,
        has_header=has_header,
    )
    assert result.reasons == {}
    assert result.column("customer_id") == result.column("product_id") == [row[0] for row in rows]
    assert _moments(result.column("occurred_at")) == [row[1] for row in rows]
    assert result.column("amount") == [float(row[2]) for row in rows]


def _number(amount: Decimal, decimal: str, thousands: str) -> str:
    if not thousands:
        return f"{amount:.2f}".replace(".", decimal)
    between = {".": ",", ",": "."}[decimal] if thousands == "other mark" else thousands
    return f"{amount:,.2f}".translate(str.maketrans(",.", between + decimal))


def _time(time: datetime, form: str | None) -> str:
    if form in COUNTS:
        return str(int(time.timestamp()) * COUNTS[form])
    return time.strftime(form) if form else time.isoformat()


def _moments(times: list[object]) -> list[object]:
    return [datetime.fromtimestamp(t / 1e6, UTC) if isinstance(t, int) else t for t in times]
