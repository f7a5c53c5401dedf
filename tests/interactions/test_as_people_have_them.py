"""Files as people and spreadsheets make them: read as they are meant, refused, or counted."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from openpyxl import Workbook
from pyarrow import parquet

from recfleet.errors import BadInputError
from tests.interactions._reading import Read, read

NUMBERS = {"quantity": "qty", "amount": "amount"}
LINE = "ü{0},ä{0},2025-01-01,1,5\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def of_text(path: Path, text: str | bytes, **options: Any) -> Read:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path, **options)


def of_column(path: Path, name: str, *values: str, **options: Any) -> Read:
    """A file whose lines differ in one column; the separator occurs in no value."""
    usual = {"customer": "c", "product": "p", "time": "2025-01-01"} | dict.fromkeys([name], "")
    lines = ["\t".join({**usual, name: value}.values()) for value in values]
    return of_text(path, "\n".join(["\t".join(usual), *lines]), **options)


# --- Text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [b"caf\xe9", b"\xff", b"\xc3", b"a\x80b", b"\xed\xa0\x80"])
@pytest.mark.parametrize("zipped", [False, True])
def test_one_bad_byte_is_one_unusable_line(path: Path, bad: bytes, zipped: bool) -> None:
    good = "customer,product,time\n" + "".join(f"ü{i},ä,2025-01-01\n" for i in range(20))
    content = good.encode() + bad + b",p,2025-01-02\n" + "é,p,2025-01-03\n".encode()
    result = of_text(path, gzip.compress(content) if zipped else content)
    assert result.column("customer_id") == [*(f"ü{i}" for i in range(20)), "é"]
    assert result.reasons == {"unreadable text": 1}
    assert "\\\\x" in result.lines[0]
    assert "--encoding" in result.notes[0]


def test_a_bad_byte_in_ascii_is_no_letter_of_another_encoding(path: Path) -> None:
    result = of_text(path, b"customer,product,time\na,p,2025-01-01\nb\xff,p,2025-01-01\n")
    assert result.column("customer_id") == ["a"]
    assert result.reasons == {"unreadable text": 1}


WIDE = "customer\tproduct\ttime\nMüller\tKäse\t2025-01-01\n"


@pytest.mark.parametrize(
    ("encoding", "given"),
    [
        ("utf-8-sig", None), ("utf-16", None), ("utf-16-le", None), ("utf-16-be", None),
        ("utf-32", None), ("cp1252", None), ("latin-1", None), ("utf-16-le", "utf-16-le"),
        ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp850", "cp850"),
        ("mac-roman", "mac-roman"),
    ],
)  # fmt: skip
def test_text_in_its_encoding(path: Path, encoding: str, given: str | None) -> None:
    result = of_text(path, WIDE.encode(encoding), encoding=given)
    assert (result.column("customer_id"), result.column("product_id")) == (["Müller"], ["Käse"])


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("cp1251", "Иванов"), ("shift_jis", "鈴木"), ("big5", "陳大文"), ("gb18030", "王伟")],
)
def test_another_encoding_is_asked_for_and_named(path: Path, encoding: str, name: str) -> None:
    text = f"customer,product,time\n{name},p,2025-01-01\n".encode(encoding)
    assert of_text(path, text, encoding=encoding).column("customer_id") == [name]
    assert "--encoding" in " ".join(of_text(path, text).notes)


def test_an_encoding_that_is_none(path: Path) -> None:
    for name in ("klingon", "base64", "rot13"):
        with pytest.raises(BadInputError, match="no text encoding"):
            of_text(path, WIDE, encoding=name)


# --- Missing --------------------------------------------------------------------------------------

WORDS = [
    "NULL", "null", "nan", "NaN", "None", "N/A", "n/a", "NA", r"\N", "#N/A", "<NA>", "-", "", " ",
    "nil", "(null)", "#REF!", "NaT", "undefined",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_words_that_mean_missing(path: Path, kind: str) -> None:
    columns: dict[str, list[Any]] = {
        "customer": [*WORDS, "real", "c", "c"],
        "product": ["p"] * len(WORDS) + ["p", "NULL", "p"],
        "time": [datetime(2025, 1, 1)] * (len(WORDS) + 3),  # noqa: DTZ001
        "name": [None] * len(WORDS) + ["nan", "x", "x"],
        "qty": [1] * (len(WORDS) + 2) + [None],
    }
    table(path, kind, columns)
    result = read(path, quantity="qty", description="name")
    assert result.reasons == {"no customer": len(WORDS), "no product": 1, "missing number": 1}
    assert (result.column("customer_id"), result.column("name")) == (["real"], [None])


def table(path: Path, kind: str, columns: dict[str, list[Any]]) -> None:
    if kind == "parquet":
        parquet.write_table(pa.table(columns), path)
        return
    rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    if kind == "csv":
        path.write_text("\n".join("\t".join(_text(cell) for cell in row) for row in rows))
        return
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def test_namibia_is_a_tenant(path: Path) -> None:
    assert of_column(path, "shop", "NA", "null", tenant="shop").reasons == {"no tenant": 1}


# --- Ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_an_id_is_one_id_in_every_kind_of_file(path: Path, kind: str) -> None:
    table(path, kind, {"customer": [17850.0, 13047.0], "product": ["22423.0", "22423"],
                       "time": [date(2025, 1, 1)] * 2})  # fmt: skip
    result = read(path)
    assert result.column("customer_id") == ["17850", "13047"]
    assert result.column("product_id") == ["22423", "22423"]


def test_ids_that_are_lost_are_said_to_be(path: Path) -> None:
    lost = ("1.23457E+12", "7,61231E+12", "1E+15", "1.23457E12", "9.1e+5")
    result = of_column(path, "product", *lost, "12E4", "1E5", "E+12", "00042", "42", "42.0")
    assert result.reasons == {"id lost in scientific notation": len(lost)}
    assert result.column("product_id") == ["12E4", "1E5", "E+12", "00042", "42", "42"]
    assert [note for note in result.notes if "'42' and '00042' are two products" in note]
    assert [note for note in result.notes if "'1.23457E+12'" in note and "as text" in note]


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_numbers_too_large_to_be_exact_are_no_ids(path: Path, kind: str) -> None:
    table(path, kind, {"customer": ["a", "b"], "product": [1e17, 123456789012.0],
                       "time": [date(2025, 1, 1)] * 2})  # fmt: skip
    result = read(path)
    assert result.column("product_id") == ["123456789012"]
    assert result.reasons == {"id lost in scientific notation": 1}


def test_zeros_as_the_sheet_shows_them(path: Path) -> None:
    book = Workbook()
    for row in (["customer", "product", "time", "qty"], [2494, "A", date(2025, 1, 1), 3]):
        book.active.append(row)
    book.active["A2"].number_format = "00000"
    book.active["D2"].number_format = "000"
    book.save(path)
    result = read(path, quantity="qty")
    assert (result.column("customer_id"), result.column("quantity")) == (["02494"], [3.0])


# --- Numbers --------------------------------------------------------------------------------------

GERMAN = ["12,50", "1.234,50", "1.000,00", "1.000", "8"]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_a_decimal_comma_in_every_kind_of_file(path: Path, kind: str) -> None:
    table(path, kind, {"customer": ["c"] * 5, "product": ["p"] * 5, "amount": GERMAN,
                       "time": [date(2025, 1, 1)] * 5})  # fmt: skip
    assert read(path, amount="amount", decimal=",").column("amount") == [
        12.5,
        1234.5,
        1000,
        1000,
        8,
    ]
    with pytest.raises(BadInputError, match=r"'amount'.*'12,50'.*--decimal ','"):
        read(path, amount="amount")


def test_real_numbers_beside_text_keep_their_value(path: Path) -> None:
    table(path, "xlsx", {"customer": ["c"] * 3, "product": ["p"] * 3, "amount": ["12,50", 8, 1.234],
                         "time": [date(2025, 1, 1)] * 3})  # fmt: skip
    assert read(path, amount="amount", decimal=",").column("amount") == [12.5, 8.0, 1.234]


def test_numbers_with_separators_and_currencies(path: Path) -> None:
    text = (
        "customer,product,time,qty,amount\n1,A,2025-01-02,1,12.50\n"
        '2,B,2025-01-03,"1,200","1,234.50"\n3,C,2025-01-04,1,$99.00\n'
    )
    result = of_text(path, text, **NUMBERS)
    assert result.column("quantity") == [1.0, 1200.0, 1.0]
    assert result.column("amount") == [12.5, 1234.5, 99.0]


@pytest.mark.parametrize("values", [("1.000", "5"), ("1,200", "7"), ("$1.000", "2"), ("12,500",)])
def test_numbers_that_read_both_ways_are_refused(path: Path, values: tuple[str, ...]) -> None:
    with pytest.raises(BadInputError, match=r"in two ways.*--decimal"):
        of_column(path, "amount", *values, amount="amount")
    assert of_column(path, "amount", *values, amount="amount", decimal=".").reasons == {}


@pytest.mark.parametrize("certain", ["12.50", "0.250", "1234.500", "1,234,567", "1,234.50"])
def test_one_number_that_is_certain_says_it_for_the_file(path: Path, certain: str) -> None:
    result = of_column(path, "amount", "1,200", certain, amount="amount")
    assert result.column("amount")[0] == 1200.0


def test_one_comma_among_many_points_is_one_unusable_line(path: Path) -> None:
    result = of_column(path, "amount", "12.50", "3.99", "4,50", amount="amount")
    assert (result.column("amount"), result.reasons) == ([12.5, 3.99], {"unreadable number": 1})


# --- Times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (["03/04/2025", "05/06/2025"], r"'03/04/2025'.*'%d/%m/%Y'.*'%m/%d/%Y'"),
        (["03/04/2025", "31/12/2024"], r"'31/12/2024'. Add --time-format '%d/%m/%Y'\."),
        (["12/31/2024 8:05", "3/4/2025 9:00"], r"Add --time-format '%m/%d/%Y %H:%M'\."),
        (["12-31-24 8:05 PM"], r"Add --time-format '%m-%d-%y %I:%M %p'\."),
        (["31/12/2024", "12/31/2024"], "No time format reads.*'31/12/2024'.*'12/31/2024'"),
        (["2024-12-31", "3/4/2025"], r"'3/4/2025'.*--time-format"),
    ],
)
def test_dates_of_an_unknown_order_are_refused(path: Path, values: list[str], match: str) -> None:
    with pytest.raises(BadInputError, match=match):
        of_column(path, "time", *values)


def test_the_advice_about_an_order_works(path: Path) -> None:
    with pytest.raises(BadInputError) as refused:
        of_column(path, "time", "13/1/2024 9:05:01 AM")
    form = str(refused.value).split("--time-format '")[1].split("'")[0]
    result = of_column(path, "time", "13/1/2024 9:05:01 AM", time_format=form)
    assert _times(result) == [datetime(2024, 1, 13, 9, 5, 1, tzinfo=UTC)]


def test_few_dates_of_another_order_are_unusable(path: Path) -> None:
    result = of_column(path, "time", *["2024-12-31"] * 200, "31/12/2024")
    assert (len(result.rows), result.reasons) == (200, {"unreadable time": 1})


def test_text_among_the_dates_of_a_sheet_is_asked_about(path: Path) -> None:
    times = [datetime(2025, 1, 2), "13/01/2025", datetime(2025, 5, 1)]  # noqa: DTZ001
    table(path, "xlsx", {"customer": ["c"] * 3, "product": ["p"] * 3, "time": times})
    with pytest.raises(BadInputError, match=r"exchanged day and month.*'%d/%m/%Y'"):
        read(path)
    assert len(read(path, time_format="%d/%m/%Y").rows) == 3


def test_serial_numbers_of_a_sheet_are_dates(path: Path) -> None:
    table(path, "xlsx", {"customer": [1, 2], "product": ["A", "B"], "time": [44197, 44198.5]})
    result = read(path)
    assert _times(result) == [
        datetime(2021, 1, 1, tzinfo=UTC),
        datetime(2021, 1, 2, 12, tzinfo=UTC),
    ]
    assert "Excel's day numbers" in result.notes[0]


def test_numbers_of_days_and_the_time_of_day(path: Path) -> None:
    text = "customer,product,time,clock\n1,A,1,1631\n1,A,1,905\n1,A,9,16:31:05\n1,A,9,2500\n"
    result = of_text(path, text, day_one=date(2017, 1, 1), clock="clock")
    assert [f"{time:%d %H:%M:%S}" for time in _times(result)] == [
        "01 16:31:00",
        "01 09:05:00",
        "09 16:31:05",
    ]
    assert result.reasons == {"unreadable time": 1}
    with pytest.raises(BadInputError, match="--day-one"):
        of_text(path, text)


def _times(result: Read) -> list[datetime]:
    at = result.column("occurred_at")
    return [datetime.fromtimestamp(t / 1e6, UTC) if isinstance(t, int) else t for t in at]


# --- Forms ----------------------------------------------------------------------------------------

DATA = [("7", "A"), ("8", "B")]
NUMBERED = {"customer": "1", "product": "2", "time": "3", "has_header": False}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("sep=;\ncustomer;product;time\n7;A;2025-01-01\n8;B;2025-01-02\n", {}),
        ('"sep=,"\ncustomer,product,time\n7,A,2025-01-01\n8,B,2025-01-02\n', {}),
        ("\ufeffsep=;\r\ncustomer;product;time\r\n7;A;2025-01-01\r\n8;B;2025-01-02\r\n", {}),
        ("Sales\n\ncustomer;product;time\n7;A;2025-01-01\n8;B;2025-01-02\n", {"skip_lines": 1}),
        ("7\tA\t1733221332\n8\tB\t1733221399\n", NUMBERED),
        ("7::A::1733221332\n8::B::1733221399\n", NUMBERED),
        ("x\n7,A,1733221332\n8,B,1733221399\n", NUMBERED | {"skip_lines": 1}),
        ("customer||product||time\n7||A||2025-01-01\n8||B||2025-01-01\n", {"delimiter": "||"}),
        ("customer::product::time\n7::A::2025-01-01\n8::B::2025-01-01\n", {}),
        (
            '{"customer": 7, "product": "A", "time": 1733221332, "x": [1]}\n\n'
            '{"time": "2025-01-01", "product": "B", "customer": "8"}\n',
            {},
        ),
    ],
)
def test_forms_of_one_table(path: Path, text: str, options: dict[str, Any]) -> None:
    result = of_text(path, text, **options)
    assert [(row["customer_id"], row["product_id"]) for row in result.rows] == DATA
    assert result.reasons == {}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("7\tA\t1733221332\n", r"--no-header.*--customer-column 1"),
        ("7::A::1733221332\n", r"--no-header"),
        ("Sales;;\n\n;;\ncustomer;product;time\n", r"line 4.*--skip-lines 3"),
        ("\nSales\ncustomer;product;time\n", r"line 3.*--skip-lines 2"),
        ('[{"customer": 1}]', "one JSON array.*one object a line"),
        ('{"customer": 1, "product": 2}\n', "no column 'time'"),
    ],
)
def test_what_is_missing_is_named_with_its_option(path: Path, text: str, match: str) -> None:
    with pytest.raises(BadInputError, match=match):
        of_text(path, text)


def test_lines_that_are_no_json(path: Path) -> None:
    good = '{"customer": "c", "product": "p", "time": "2025-01-01", "amount": 1.5, "qty": "2,5"}\n'
    result = of_text(path, good + "{oops\n[1]\n" + good, **NUMBERS, decimal=",")
    assert result.reasons == {"malformed line": 2}
    assert (result.column("amount"), result.column("quantity")) == ([1.5, 1.5], [2.5, 2.5])


def test_a_title_in_a_sheet(path: Path) -> None:
    book = Workbook()
    for row in (["Sales"], [], ["customer", "product", "time"], [7, "A", date(2025, 1, 1)]):
        book.active.append(row)
    book.save(path)
    with pytest.raises(BadInputError, match=r"line 3.*--skip-lines 2"):
        read(path)
    assert read(path, skip_lines=2).column("customer_id") == ["7"]
    assert read(path, skip_lines=3, **NUMBERED).column("customer_id") == ["7"]
