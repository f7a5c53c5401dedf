"""Loading files into the tables."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from openpyxl import Workbook
from pyarrow import parquet

from recfleet.database import Connection, connect
from recfleet.errors import BadInputError
from recfleet.fleet.plan import _basis, _read_data
from recfleet.interactions import (
    NO_TENANT,
    ColumnMapping,
    IngestReport,
    Progress,
    TenantReport,
    _load,
    ingest,
    read_log,
    undo_ingest,
)
from recfleet.interactions.unusable import count_unusable, read_unusable
from recfleet.tenants import add_tenants, get_tenant, get_tenants, list_tenants, slug_of
from tests.interactions._files import HEADER, MAPPING, NOW, Row, at, interactions, rows, write_csv

pytestmark = pytest.mark.postgres

PEN = ("Shop A", "c1", "p1", "Pen", "2024-01-01 10:00:00", 2, 5.0)
BACK = ("Shop A", "c1", "p1", "Pen", "2024-01-02 10:00:00", -1, -2.5)
INK = ("Shop B", "c1", "p2", "Ink", "2024-01-03 10:00:00", 1, 0.1)
GOOD = [PEN, BACK, INK]


def load(
    connection: Connection, path: Path, content: Sequence[Row], **options: Any
) -> IngestReport:
    mapping = options.pop("mapping", MAPPING)
    return ingest(connection, write_csv(path, content), mapping, now=NOW, **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.csv"


def test_a_file_arrives(connection: Connection, path: Path) -> None:
    report = load(connection, path, [*GOOD, ("Shop B", "", *INK[2:])])
    assert report == IngestReport(
        source="file.csv",
        lines=4,
        added=3,
        known=0,
        unusable={"no customer": 1},
        tenants=(TenantReport("shop-a", 2, 2, 0), TenantReport("shop-b", 1, 1, 1)),
    )
    connection.rollback()
    assert interactions(connection) == [
        ("shop-a", at("2024-01-01 10:00"), "c1", "p1", 2.0, 5.0, 1),
        ("shop-a", at("2024-01-02 10:00"), "c1", "p1", -1.0, -2.5, 1),
        ("shop-b", at("2024-01-03 10:00"), "c1", "p2", 1.0, 0.1, 1),
    ]
    assert [(t.tenant_id, t.name) for t in list_tenants(connection)] == [
        ("shop-a", "Shop A"),
        ("shop-b", "Shop B"),
    ]
    assert rows(connection, "select tenant_id, product_id, name from product order by 1") == [
        ("shop-a", "p1", "Pen"),
        ("shop-b", "p2", "Ink"),
    ]
    assert rows(connection, "select source, lines, added, known, unusable from ingest") == [
        ("file.csv", 4, 3, 0, {"no customer": 1})
    ]
    (line,) = read_unusable(connection, "shop-b", limit=5)
    assert (line.placed_at, line.reason, line.source) == (
        at("2024-01-03 10:00"),
        "no customer",
        "file.csv",
    )
    assert line.line == dict(zip(HEADER, ("Shop B", "", *map(str, INK[2:])), strict=True))


def test_every_kind_of_file_says_the_same(connection: Connection, tmp_path: Path) -> None:
    assert load(connection, tmp_path / "a.csv", GOOD).added == 3
    assert load(connection, tmp_path / "b.csv.gz", GOOD).known == 3
    typed = [(*row[:4], datetime.fromisoformat(str(row[4])), *row[5:]) for row in GOOD]
    columns = dict(zip(HEADER, map(list, zip(*typed, strict=True)), strict=True))
    parquet.write_table(pa.table(columns), tmp_path / "c.parquet")
    assert ingest(connection, tmp_path / "c.parquet", MAPPING, now=NOW).known == 3
    book = Workbook()
    for row in [HEADER, *typed]:
        book.active.append(row)
    book.create_sheet("More")
    book.save(tmp_path / "d.xlsx")
    # A time format is for text; these cells are real times.
    mapping = MAPPING.model_copy(update={"time_format": "%d/%m/%Y", "decimal": ","})
    report = ingest(connection, tmp_path / "d.xlsx", mapping, now=NOW)
    assert (report.added, report.known) == (0, 3)
    assert "'More'" in report.notes[0]
    assert len(interactions(connection)) == 3


def test_the_same_file_again_adds_nothing(connection: Connection, path: Path) -> None:
    content = [*GOOD, PEN, PEN, ("", *PEN[1:]), ("", *PEN[1:]), ("Shop A", "", *PEN[2:])]
    first = load(connection, path, content)
    before = interactions(connection)
    unusable = rows(connection, "select tenant_id, placed_at, line_hash from unusable_line")
    second = load(connection, path, content)
    assert (first.added, first.known) == (5, 0)
    assert (second.added, second.known) == (0, 5)
    assert first.unusable == second.unusable == {"no tenant": 2, "no customer": 1}
    assert interactions(connection) == before
    assert sorted(
        rows(connection, "select tenant_id, placed_at, line_hash from unusable_line")
    ) == sorted(unusable)
    assert len(unusable) == 3


def test_a_line_that_comes_while_a_file_is_written_is_known(
    connection: Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers of the HTTP service take no turns with loads: the look before sees nothing yet."""
    load(connection, path, [PEN])
    monkeypatch.setattr(_load, "_MAY_BE_KNOWN", "select false")

    report = load(connection, path, GOOD)

    assert (report.added, report.known) == (2, 1)
    assert len(interactions(connection)) == 3


def test_true_repetitions_stay_and_an_overlap_adds_nothing(
    connection: Connection, tmp_path: Path
) -> None:
    load(connection, tmp_path / "january.csv", [PEN, BACK, PEN])
    report = load(connection, tmp_path / "later.csv", [BACK, PEN, INK, PEN, PEN])
    assert (report.added, report.known) == (2, 3)
    counts = Counter(row[1:-1] for row in interactions(connection))
    assert sorted(counts.values()) == [1, 1, 3]
    assert [row[-1] for row in interactions(connection)] == [1, 2, 3, 1, 1]


def test_a_reference_tells_equal_lines_apart(connection: Connection, path: Path) -> None:
    mapping = MAPPING.model_copy(update={"description_column": None, "reference_column": "name"})
    content = [(*PEN[:3], invoice, *PEN[4:]) for invoice in ("1", "2", "2", "")]
    assert load(connection, path, content, mapping=mapping).added == 4
    assert [row[-1] for row in interactions(connection)] == [1, 1, 1, 2]
    assert load(connection, path, content[:2], mapping=mapping).added == 0


def test_a_description_does_not(connection: Connection, path: Path) -> None:
    load(connection, path, GOOD)
    assert load(connection, path, [(*PEN[:3], "Fountain pen", *PEN[4:])]).added == 0


def test_what_a_line_says_cannot_be_moved_between_its_cells(
    connection: Connection, path: Path
) -> None:
    content = [("s", "a,b", "c", "", *PEN[4:]), ("s", "a", "b,c", "", *PEN[4:])]
    content += [("s", 'a","b', "c", "", *PEN[4:]), ("s", "a", 'b","c', "", *PEN[4:])]
    assert load(connection, path, content).added == 4


ODD = ['"', "a,b", "a\nb", "\\", "\\Nn", "\\.", "x\n\\.\ny", "'; drop table tenant; --", "é", "🎁",
       "NULLA", "a\tb", "../x", "%s", "{}"]  # fmt: skip


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_odd_ids_arrive_exactly(connection: Connection, tmp_path: Path, suffix: str) -> None:
    content = [("s", odd, odd, odd, *PEN[4:]) for odd in ODD]
    path = tmp_path / f"file{suffix}"
    if suffix == ".csv":
        write_csv(path, content)
    else:
        columns = dict(zip(HEADER, map(list, zip(*content, strict=True)), strict=True))
        parquet.write_table(pa.table(columns), path)
    assert ingest(connection, path, MAPPING, now=NOW).added == len(ODD)
    log = read_log(connection, "s", NOW)
    assert log.customer_ids.tolist() == log.product_ids.tolist() == sorted(ODD)
    assert (log.customer == log.product).all()
    assert rows(connection, "select count(*) from product where name = product_id") == [(len(ODD),)]


def test_odd_unusable_lines_are_kept_exactly(connection: Connection, path: Path) -> None:
    load(connection, path, [PEN, *(("s", "", odd, odd, *PEN[4:]) for odd in ODD)])
    kept = {line.line["item"] for line in read_unusable(connection, "s", limit=99)}
    assert kept == set(ODD)


def test_unusable_lines_by_reason(connection: Connection, path: Path) -> None:
    content = [PEN, ("a\x07b", *PEN[1:]), (*PEN[:4], "never", 1, 1)]
    path = write_csv(path, content)
    with path.open("a") as file:
        file.write("only,two\n")
    report = ingest(connection, path, MAPPING, now=NOW)
    assert report.unusable == {
        "malformed line": 1,
        "tenant name cannot be an id": 1,
        "unreadable time": 1,
    }
    counts = {(row.tenant_id, row.reason): row.lines for row in count_unusable(connection)}
    assert counts == {
        (NO_TENANT, "malformed line"): 1,
        (NO_TENANT, "tenant name cannot be an id"): 1,
        ("shop-a", "unreadable time"): 1,
    }
    assert [tenant.tenant_id for tenant in list_tenants(connection)] == ["shop-a"]
    (only,) = read_unusable(connection, NO_TENANT, reason="malformed line", limit=9)
    assert only.line == {"line": "only,two"}


def test_a_tenant_of_unusable_lines_alone_is_a_tenant(connection: Connection, path: Path) -> None:
    load(connection, path, [("Shop C", "", *PEN[2:])])
    assert get_tenant(connection, "shop-c").name == "Shop C"


def test_a_file_read_better_forgets_what_it_could_not_use(
    connection: Connection, path: Path
) -> None:
    content = [(*PEN[:4], "2024-01-01", 1, 1), (*PEN[:4], "31|01|2024", 1, 1)]
    assert load(connection, path, content).unusable == {"unreadable time": 1}
    mapping = MAPPING.model_copy(update={"time_format": "%d|%m|%Y"})
    with pytest.raises(BadInputError, match=r"read before.*time_format.*--replace.*--beside"):
        load(connection, path, content, mapping=mapping)
    report = load(connection, path, content, mapping=mapping, beside=True)
    assert (report.added, report.unusable) == (1, {"unreadable time": 1})
    (line,) = read_unusable(connection, "shop-a", limit=9)
    assert line.line["when"] == "2024-01-01"


def test_a_night_knows_that_a_load_was_taken_back(connection: Connection, path: Path) -> None:
    """The file that is read anew has as many lines, and other days."""

    def basis() -> str:
        [tenant] = get_tenants(connection, ["shop-a"])
        return _basis(tenant, _read_data(connection, [tenant], NOW)["shop-a"])

    def take_back(ingest_id: int) -> None:
        undo_ingest(connection, ingest_id, actor="me", reason="day and month were exchanged")

    mapping = MAPPING.model_copy(update={"time_format": "%m/%d/%Y"})
    content = [(*PEN[:4], "03/04/2024", 1, 1)]
    load(connection, path, content, mapping=mapping)
    before = basis()
    mapping = MAPPING.model_copy(update={"time_format": "%d/%m/%Y"})
    assert load(connection, path, content, mapping=mapping, instead=take_back).added == 1
    assert interactions(connection)[0][1] == at("2024-04-03")
    assert len(interactions(connection)) == 1
    assert basis() != before


def test_known_tenants_keep_their_names_and_ids(connection: Connection, path: Path) -> None:
    add_tenants(connection, {"shop-a": "Shop: A", "shop-b": "shop-b"})
    report = load(connection, path, [*GOOD, ("shop-a", *PEN[1:]), ("SHOP: A", *PEN[1:])])
    assert (report.added, report.unusable) == (5, {})
    names = {tenant.tenant_id: tenant.name for tenant in list_tenants(connection)}
    assert names == {
        "shop-a": "Shop: A",
        "shop-b": "Shop B",
        slug_of("Shop A", marked=True): "Shop A",
    }
    assert len({row[0] for row in interactions(connection)}) == 3


def product(connection: Connection) -> tuple[object, ...]:
    (row,) = rows(connection, "select name, discontinued_at from product")
    return row


def test_the_newest_description_is_the_name(connection: Connection, tmp_path: Path) -> None:
    def line(name: str, day: int) -> Row:
        return (*PEN[:3], name, f"2024-01-{day:02}", 1, 1)

    load(connection, tmp_path / "a.csv", [line("newer", 5), line("older", 4), line("", 6)])
    assert product(connection)[0] == "newer"
    load(connection, tmp_path / "b.csv", [line("oldest", 1), line("", 9)])
    assert product(connection)[0] == "newer"
    load(connection, tmp_path / "c.csv", [line("newest", 10)])
    assert product(connection)[0] == "newest"
    load(connection, tmp_path / "d.csv", [line("newer", 5)])
    assert product(connection)[0] == "newest"
    load(connection, tmp_path / "e.csv", [line("first", 11), line("last", 11)])
    assert product(connection)[0] == "last"


def test_whether_a_product_is_sold(connection: Connection, tmp_path: Path) -> None:
    mapping = MAPPING.model_copy(update={"description_column": None, "active_column": "name"})

    def line(active: str, day: int) -> Row:
        return (*PEN[:3], active, f"2024-01-{day:02}", 1, 1)

    def load_active(name: str, *lines: Row) -> object:
        load(connection, tmp_path / name, list(lines), mapping=mapping)
        return product(connection)[1]

    assert load_active("a.csv", line("yes", 1), line("no", 5)) == at("2024-01-05")
    assert load_active("b.csv", line("yes", 1), line("", 3)) == at("2024-01-05")
    load(connection, tmp_path / "c.csv", [line("pen", 7)])  # says nothing about it
    assert product(connection) == ("pen", at("2024-01-05"))
    assert load_active("d.csv", line("yes", 8)) is None
    assert load_active("e.csv", line("no", 5)) is None


def test_a_product_has_the_newest_category(connection: Connection, tmp_path: Path) -> None:
    mapping = MAPPING.model_copy(update={"description_column": None, "category_column": "name"})

    def line(category: str, day: int) -> Row:
        return (*PEN[:3], category, f"2024-01-{day:02}", 1, 1)

    def load_category(name: str, *lines: Row) -> object:
        load(connection, tmp_path / name, list(lines), mapping=mapping)
        [(category,)] = rows(connection, "select category from product")
        return category

    assert load_category("a.csv", line(" Office ", 5), line("Toys", 4), line("", 6)) == "Office"
    assert load_category("b.csv", line("Toys", 1)) == "Office"
    assert load_category("c.csv", line("Gifts", 7)) == "Gifts"
    # The same purchases again: nothing is added, but the category is now known.
    assert load_category("d.csv", line("Pens", 7)) == "Pens"
    assert len(interactions(connection)) == 5


def test_a_broken_load_leaves_nothing(connection: Connection, path: Path) -> None:
    path = write_csv(path, [PEN] * 40_000)

    def stop(progress: Progress) -> None:
        if progress.lines:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(connection, path, MAPPING, now=NOW, progress=stop)
    for table in ("interaction", "tenant", "product", "unusable_line", "ingest"):
        assert rows(connection, f"select count(*) from {table}") == [(0,)]
    connection.rollback()
    assert load(connection, path, GOOD).added == 3


def test_a_refused_file_leaves_nothing(connection: Connection, path: Path) -> None:
    mapping = MAPPING.model_copy(update={"time_format": "%d.%m.%Y"})
    with pytest.raises(BadInputError, match="No time in column 'when'"):
        load(connection, path, GOOD, mapping=mapping)
    mapping = MAPPING.model_copy(update={"customer_column": "Client"})
    with pytest.raises(BadInputError, match="Did you mean 'client'"):
        load(connection, path, GOOD, mapping=mapping)
    assert rows(connection, "select count(*) from ingest") == [(0,)]


def test_progress_is_told(connection: Connection, path: Path) -> None:
    told: list[Progress] = []
    load(connection, path, GOOD, progress=told.append)
    assert [(step.stage, step.lines) for step in told] == [
        ("looking at the file", 0),
        ("reading", 3),
        ("writing to the tables", 3),
        ("done", 3),
    ]


def test_loads_at_once_do_not_disturb_each_other(database_url: str, tmp_path: Path) -> None:
    lines: list[Row] = [
        (f"Shop {i % 7}", f"c{i % 11}", f"p{i % 13}", "", f"2024-01-{i % 28 + 1:02}", 1, 1)
        for i in range(3_000)
    ]
    contents = [lines, lines[::-1], lines[1000:], lines[:2000] + lines[:5]]
    reports: list[IngestReport] = []

    def run(number: int) -> None:
        with closing(connect(database_url)) as connection:
            reports.append(load(connection, tmp_path / f"{number}.csv", contents[number]))

    threads = [threading.Thread(target=run, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 4
    said = Counter(tuple(map(str, line)) for line in lines)
    extra = Counter(tuple(map(str, line)) for line in contents[3])
    expected = sum((said | extra).values())
    with closing(connect(database_url)) as connection:
        assert len(interactions(connection)) == expected == sum(r.added for r in reports)


def test_two_loads_that_bring_tenants_of_one_id_are_kept_apart(
    database_url: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "file.csv", [("A B", *PEN[1:])])
    with closing(connect(database_url)) as one, closing(connect(database_url)) as other:

        def meanwhile(progress: Progress) -> None:
            if progress.stage == "writing to the tables":
                add_tenants(other, {"a-b": "A&B"})
                other.commit()

        with pytest.raises(
            BadInputError, match=r"'A&B' the tenant 'a-b', and 'A B' has the same id"
        ):
            ingest(one, path, MAPPING, now=NOW, progress=meanwhile)
        assert interactions(one) == []


def test_many_equal_lines(connection: Connection, path: Path) -> None:
    assert load(connection, path, [PEN] * 33_000).added == 33_000
    assert rows(connection, "select max(repetition) from interaction") == [(32_767,)]
    assert load(connection, path, [PEN] * 33_001).added == 1


def test_one_tenant_and_only_the_needed_columns(connection: Connection, path: Path) -> None:
    mapping = ColumnMapping(
        tenant_id="me", customer_column="client", product_column="item", time_column="when"
    )
    assert load(connection, path, GOOD, mapping=mapping).added == 3
    assert {row[0] for row in interactions(connection)} == {"me"}
    assert {row[4:6] for row in interactions(connection)} == {(1.0, 1.0)}


def test_a_file_without_lines(connection: Connection, path: Path) -> None:
    report = load(connection, path, [])
    assert (report.lines, report.added, report.tenants) == (0, 0, ())
