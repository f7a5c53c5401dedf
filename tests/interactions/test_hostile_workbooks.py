"""Small workbooks that would take all memory: they end in a sentence, within bounds."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from pathlib import Path

import pytest
from openpyxl import Workbook

from recfleet.errors import BadInputError
from recfleet.files._excel import read_excel
from recfleet.files._source import inspect
from recfleet.interactions import ColumnMapping

pytestmark = pytest.mark.slow

MAPPING = ColumnMapping(tenant_id="t", customer_column="c", product_column="p", time_column="w")
MEGABYTES = 512

# The limit is set when everything is imported: what counts is what reading needs.
CHILD = f"""
import resource, sys
from pathlib import Path
import openpyxl.styles.numbers, openpyxl.utils.datetime, pyarrow.compute
from recfleet.errors import BadInputError
from recfleet.interactions import ColumnMapping
from recfleet.files._excel import read_excel
from recfleet.files._source import inspect
mapping = ColumnMapping(tenant_id="t", customer_column="c", product_column="p", time_column="w")
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + ({MEGABYTES} << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    rows = sum(len(batch) for batch, _ in read_excel(inspect(Path(sys.argv[1])), mapping))
except BadInputError as error:
    print("refused:", error)
else:
    print("rows:", rows)
"""

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
WORKBOOK = (
    f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="s" sheetId="1" r:id="a"/></sheets></workbook>'
)
RELATIONS = (
    f'<Relationships xmlns="{PACKAGE}">'
    f'<Relationship Id="a" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="b" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    "</Relationships>"
)
HEADER = "<row>" + "".join(f'<c t="str"><v>{name}</v></c>' for name in "cpw") + "</row>"
ROW = "<row>" + '<c t="str"><v>1</v></c>' * 3 + "</row>"
MIB = 1 << 20


def book(
    path: Path,
    rows: Iterator[str] | list[str],
    strings: Iterator[str] | list[str] = (),  # type: ignore[assignment]
    *,
    before: str = "",
    packed: int = zipfile.ZIP_DEFLATED,
    others: Mapping[str, str] | None = None,
) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        archive.writestr("xl/workbook.xml", WORKBOOK)
        archive.writestr("xl/_rels/workbook.xml.rels", RELATIONS)
        for name, text in (others or {}).items():
            archive.writestr(name, text)
        with archive.open("xl/sharedStrings.xml", "w") as part:
            part.write(f'<sst xmlns="{MAIN}">'.encode())
            part.writelines(text.encode() for text in strings)
            part.write(b"</sst>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            part.write(f'{before}<worksheet xmlns="{MAIN}"><sheetData>'.encode())
            part.writelines(text.encode() for text in (HEADER, *rows))
            part.write(b"</sheetData></worksheet>")
    return path


def read_in_child(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def cell(text: str) -> str:
    return f'<row><c t="str"><v>{text}</v></c></row>'


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a row number of two billion": (
        lambda path: book(path, ['<row r="2000000000"><c t="str"><v>1</v></c></row>']),
        "row 2,000,000,000",
    ),
    "cells in the last column": (
        lambda path: book(
            path, [f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(2, 60_000)]
        ),
        "16,384th column",
    ),
    "six million shared strings": (
        lambda path: book(path, [ROW], repeat("<si><t>x</t></si>" * 100, 60_000)),
        "more than 100 times its size",
    ),
    "six million shared strings, hardly packed": (
        lambda path: book(path, [ROW], repeat("<si/>" * 100, 60_000), packed=zipfile.ZIP_STORED),
        "more than 2,000,000 texts",
    ),
    "one cell of 600 MB": (
        lambda path: book(
            path, ['<row><c t="inlineStr"><is><t>', *repeat("x" * MIB, 600), "</t></is></c></row>"]
        ),
        "more than 100 times its size",
    ),
    "one shared string of 600 MB": (
        lambda path: book(path, [ROW], ["<si><t>", *repeat("x" * MIB, 600), "</t></si>"]),
        "more than 100 times its size",
    ),
    "one cell of 32 MB, not packed": (
        lambda path: book(
            path, ["<row><c><v>", *repeat("1" * MIB, 32), "</v></c></row>"],
            packed=zipfile.ZIP_STORED,
        ),
        "more than 131,072 characters",
    ),
    "one tag of 32 MB": (
        lambda path: book(
            path, ['<row><c x="', *repeat("1" * MIB, 32), '"/></row>'], packed=zipfile.ZIP_STORED
        ),
        "a tag of more than 1,048,576 bytes",
    ),
    "a name for every element": (
        lambda path: book(path, (f"<n{number}/>" for number in range(1_000_000))),
        "more than 2,000 names",
    ),
    "entities of entities": (
        lambda path: book(
            path, [ROW], before='<!DOCTYPE w [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
        ),
        "declares a document type",
    ),
    "two million rows": (
        lambda path: book(path, repeat("<row/>" * 100, 20_000), packed=zipfile.ZIP_STORED),
        "row 1,048,577",
    ),
    "styles without end": (
        lambda path: book(
            path, [ROW], packed=zipfile.ZIP_STORED,
            others={
                "xl/styles.xml": f'<s xmlns="{MAIN}"><cellXfs>{"<xf/>" * MIB}</cellXfs></s>'
            },
        ),
        "more than 100,000 styles",
    ),
    "styles of 40 MB": (
        lambda path: book(path, [ROW], others={"xl/styles.xml": " " * 40 * MIB}),
        "has 40 MB, and at most 32 MB are read",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_workbook_is_refused(tmp_path: Path, kind: str) -> None:
    make, words = HOSTILE[kind]

    said = read_in_child(make(tmp_path / "small.xlsx"))

    assert said.startswith("refused:")
    assert words in said


def test_long_texts_that_many_cells_share_are_read_in_small_batches(tmp_path: Path) -> None:
    rows = repeat('<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>', 4_000)

    said = read_in_child(book(tmp_path / "small.xlsx", rows, [f"<si><t>{'x' * 130_000}</t></si>"]))

    assert said == "rows: 4000\n"


def test_empty_cells_to_the_right_that_only_have_a_style_do_not_matter(tmp_path: Path) -> None:
    path = book(tmp_path / "wide.xlsx", [ROW, '<row><c r="A3"/><c r="XFD3" s="0"/></row>'])

    assert [len(batch) for batch, _ in read_excel(inspect(path), MAPPING)] == [1]


@pytest.mark.parametrize("flag", ["1", "true"])
def test_days_that_are_counted_from_1904(tmp_path: Path, flag: str) -> None:
    styles = f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>'
    row = '<row><c t="str"><v>a</v></c><c t="str"><v>b</v></c><c s="0"><v>1.5</v></c></row>'
    path = book(tmp_path / "mac.xlsx", [row], others={"xl/styles.xml": styles})
    text = WORKBOOK.replace("<sheets>", f'<workbookPr date1904="{flag}"/><sheets>')
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("xl/workbook.xml", text)

    ((batch, _),) = read_excel(inspect(path), MAPPING)

    assert batch.lines([0])[0]["w"] == "1904-01-02T12:00:00"


def test_text_of_several_pieces_without_how_to_pronounce_it(tmp_path: Path) -> None:
    rich = "<si><r><t>To</t></r><r><t>kyo</t></r><rPh><t>to-kyo</t></rPh></si>"
    row = '<row><c t="s"><v>0</v></c><c t="e"><v>#N/A</v></c><c><f>1+1</f><v>2</v></c></row>'
    path = book(tmp_path / "rich.xlsx", [row], [rich])

    ((batch, _),) = read_excel(inspect(path), MAPPING)

    assert list(batch.lines([0])[0].values()) == ["Tokyo", "#N/A", "2"]


@pytest.mark.parametrize("row", ['<row><c t="s"><v>7</v></c></row>', "<row><c><v>x</v></c></row>"])
def test_a_cell_that_refers_to_nothing_is_damage(tmp_path: Path, row: str) -> None:
    with pytest.raises(BadInputError, match="damaged or unreadable Excel"):
        list(read_excel(inspect(book(tmp_path / "bad.xlsx", [row])), MAPPING))


def test_more_columns_than_a_table_has(tmp_path: Path) -> None:
    path = tmp_path / "wide.xlsx"
    page = (wide := Workbook(write_only=True)).create_sheet()
    page.append([f"column {number}" for number in range(1_025)])
    wide.save(path)

    with pytest.raises(BadInputError, match="1,025th column, and at most 1,024"):
        list(read_excel(inspect(path), MAPPING))
