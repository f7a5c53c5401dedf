"""``recfleet ingest`` and ``recfleet unusable``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from recfleet.cli._ingest import _command as command
from recfleet.database import connect
from recfleet.errors import BadInputError, NotFoundError, UnknownTenantError
from recfleet.interactions import count_undone
from recfleet.settings import forget_settings
from recfleet.tenants import slug_of
from tests.interactions._files import interactions, rows, write_csv

pytestmark = pytest.mark.postgres

COLUMNS = ["--customer-column", "client", "--product-column", "item", "--time-column", "when"]
SHOP = slug_of("Shop [A]")
LINES = [
    ("Shop [A]", "c1", "[bold]", "Pen", "2024-01-01", 2, 5.0),
    ("Shop [A]", "c1", "p2", "Pen", "2024-01-31", 2, 5.0),
    ("Shop [A]", "", "p2", "Pen", "2024-01-31", 2, 5.0),
]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()
    yield Run()
    forget_settings()


class Run:
    """The commands as typed; what they print, and the errors they raise."""

    def __call__(self, *words: str | Path) -> str:
        app = typer.Typer(pretty_exceptions_enable=False)
        command.register(app)
        result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout


def test_a_file_comes_in_and_is_summed_up(run: Run, tmp_path: Path, database_url: str) -> None:
    path = write_csv(tmp_path / "file.csv", LINES)
    out = run("ingest", path, "--tenant-column", "shop", *COLUMNS)
    assert "file.csv: 3 lines; 2 added, 0 known before, 1 unusable." in out
    assert "no customer" in out
    assert SHOP in out
    report = json.loads(run("ingest", path, "--tenant-column", "shop", *COLUMNS, "--json"))
    assert report["known"] == 2
    assert report["unusable"] == {"no customer": 1}
    assert report["tenants"] == [{"tenant_id": SHOP, "usable": 2, "added": 0, "unusable": 1}]
    with closing(connect(database_url)) as connection:
        assert [row[3] for row in interactions(connection)] == ["[bold]", "p2"]


def test_unusable_lines_are_shown(run: Run, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "file.csv", LINES)
    run("ingest", path, "--tenant-column", "shop", *COLUMNS)
    assert "no customer" in run("unusable")
    assert "shop='Shop [A]'" in run("unusable", SHOP)
    (line,) = json.loads(run("unusable", SHOP, "--json"))
    assert line["line"]["item"] == "p2"
    assert json.loads(run("unusable", "-", "--json")) == []
    assert json.loads(run("unusable", SHOP, "--reason", "no product", "--json")) == []
    with pytest.raises(UnknownTenantError, match="'shop-b'"):
        run("unusable", "shop-b")


def test_a_preset_and_what_is_said_besides(run: Run, tmp_path: Path) -> None:
    header = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "Total",
              "CustomerID"]  # fmt: skip
    path = write_csv(tmp_path / "f.csv", [("1", "12345", "", 2, "2011-01-31", 5, "7.0")], header)
    out = run(
        "ingest", path, "--preset", "online-retail", "--tenant", "me", "--amount-column", "Total",
        "--json",
    )  # fmt: skip
    assert json.loads(out)["tenants"] == [
        {"tenant_id": "me", "usable": 1, "added": 1, "unusable": 0}
    ]


def test_a_delimiter_by_name(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "file.tsv"
    path.write_text("client\titem\twhen\na,b\tp\t2024-01-01\n")
    assert "1 added" in run("ingest", path, "--tenant", "t", *COLUMNS, "--delimiter", "tab")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--preset", "x"], "no preset 'x'"),
        (["--preset", "complete-journey"], "--day-one"),
        ([*COLUMNS, "--tenant", "t", "--keep", "view"], "--keep is COLUMN=VALUE"),
        ([*COLUMNS, "--tenant", "t", "--keep", "kind=1"], "no column 'kind'"),
        (["--tenant", "t", "--customer-column", "client"], "--product-column, --time-column"),
        (COLUMNS, "--tenant-column"),
        ([*COLUMNS, "--tenant", "../x"], "cannot be a tenant's id"),
        ([*COLUMNS, "--tenant", "t", "--delimiter", "abcd"], "--delimiter is one to three"),
        (["--preset", "online-retail"], "no column 'Country'"),
        ([*COLUMNS, "--tenant", "t", "--time-format", "%d.%m.%Y"], "No time in column 'when'"),
        ([*COLUMNS, "--tenant", "t", "--quantity-column", "item"], "Column 'item' has no number"),
    ],
)
def test_what_cannot_be(run: Run, tmp_path: Path, words: list[str], match: str) -> None:
    path = write_csv(tmp_path / "file.csv", LINES)
    with pytest.raises(BadInputError, match=match):
        run("ingest", path, *words)


def test_no_file(run: Run, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="There is no file"):
        run("ingest", tmp_path / "nothing.csv", "--preset", "online-retail")


LOG = """timestamp,visitorid,event,itemid,transactionid
1733221332117,7001,view,3101,
1733224214164,7002,addtocart,3102,
1733225214164,7002,transaction,3102,51
1733226276276,7003,transaction,3103,
"""


def test_a_log_of_events_is_looked_at_first(run: Run, tmp_path: Path, database_url: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(LOG)
    columns = ["--customer-column", "visitorid", "--product-column", "itemid",
               "--time-column", "timestamp"]  # fmt: skip
    with pytest.raises(BadInputError, match=r"log of events.*'event'.*--keep event=transaction"):
        run("ingest", path, "--tenant", "t", *columns)
    seen = run("ingest", path, "--tenant", "t", "--dry-run")
    words = " ".join(seen.split())
    assert "2 lines, of which 0 are unusable" in words
    assert "1 of them new (t); 2 customers, 2 of them new; 2 products." in words
    assert "From 2024-12-03 11:26" in words
    command = shlex.split(words.partition("load it so: recfleet ")[2])
    with closing(connect(database_url)) as connection:
        assert interactions(connection) == []
    assert "2 lines; 2 added" in run(*command)
    again = json.loads(run("ingest", path, "--tenant", "t", "--dry-run", "--json"))
    assert (again["usable"], again["new_customers"], again["new_tenants"]) == (2, 0, [])
    assert "2 lines; 0 added" in run("ingest", path, "--preset", "retailrocket", "--tenant", "t")
    assert "4 lines; 3 added" in run("ingest", path, "--tenant", "t", *columns, "--keep", "event=*",
                                       "--beside")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "form", "columns"),
    [
        ("Kundennr;Artikel;Datum;Betrag\n1;A;2024-12-31;5\n", "separator ';'",
         "--customer-column Kundennr --product-column Artikel --time-column Datum --amount-column "
         "Betrag"),
        ("Sales 2025;;\n;;\nuser_id;sku;created_at\n1;A;2024-12-31\n", "2 lines above it",
         "--customer-column user_id --product-column sku --time-column created_at --skip-lines 2"),
        ("1::A::5::1733221332\n", "no header", "--time-column 4"),
        ('{"reviewerID": "R", "asin": "P", "unixReviewTime": 1733221332}\n', "json",
         "--customer-column reviewerID --product-column asin --time-column unixReviewTime"),
    ],
)  # fmt: skip
def test_columns_are_proposed(run: Run, tmp_path: Path, text: str, form: str, columns: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    words = " ".join(run("ingest", path, "--tenant", "t", "--dry-run").split())
    assert form in words
    assert columns in words


def test_a_dry_run_says_what_would_be_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("customer;product;date;amount\n1;A;2024-12-31;12,50\n2;B;;1,5\n")
    words = " ".join(run("ingest", path, "--dry-run").split())
    assert "It would be refused: Column 'amount' has no number; its first value is '12,50'" in words
    words = " ".join(run("ingest", path, "--dry-run", "--tenant", "t", "--decimal", ",").split())
    assert "2 lines, of which 1 are unusable: 50.0% of the lines, 10.7% of the amount." in words


def test_a_load_is_taken_back(run: Run, tmp_path: Path, database_url: str) -> None:
    words = ["--tenant", "t", *COLUMNS]
    first = tmp_path / "first.csv"
    first.write_text("client,item,when\na,p,2024-01-01\na,q,\n")
    run("ingest", first, *words)
    path = tmp_path / "swap.csv"
    path.write_text("client,item,when\na,p,03/04/2024\nb,r,05/06/2024\n,r,05/06/2024\n")
    run("ingest", path, *words, "--time-format", "%m/%d/%Y")
    with pytest.raises(BadInputError, match=r"\(load 2 of .*'%d/%m/%Y' and not '%m/%d/%Y'"):
        run("ingest", path, *words, "--time-format", "%d/%m/%Y")
    again = run("ingest", path, *words, "--time-format", "%d/%m/%Y", "--replace")
    assert "3 lines; 2 added, 0 known before, 1 unusable" in again
    with closing(connect(database_url)) as connection:
        days = [f"{row[1]:%m-%d}" for row in interactions(connection)]
        assert days == ["01-01", "04-03", "06-05"]
        connection.rollback()
        assert _loads(run) == {
            "first.csv": [None],
            "swap.csv": [None, "swap.csv is read anew with other settings"],
        }
        told = run("ingest", "undo", "3", "--reason", "not ours")
        assert "2 interactions, 1 unusable lines, 1 products" in told
        assert [row[2:4] for row in interactions(connection)] == [("a", "p")]
        assert rows(connection, "select product_id from product") == [("p",)]
        assert rows(connection, "select kind, tenant_id, reason from audit order by 1") == [
            ("load undone", "t", "swap.csv is read anew with other settings"),
            ("load undone", "t", "not ours"),
        ]
        assert count_undone(connection, ["t", "u"]) == {"t": 2}
    assert "undone for: not ours" in run("ingest", "show", "3")
    with pytest.raises(BadInputError, match="taken back on"):
        run("ingest", "undo", "3", "--reason", "again")
    with pytest.raises(BadInputError, match="reason"):
        run("ingest", "undo", "1")
    with pytest.raises(NotFoundError, match="no load 9"):
        run("ingest", "undo", "9", "--reason", "x")
    # Read once more, the file is there again.
    assert "2 added" in run("ingest", path, *words, "--time-format", "%d/%m/%Y")


def _loads(run: Run) -> dict[str, list[str | None]]:
    loads: dict[str, list[str | None]] = {}
    for load in json.loads(run("ingest", "list", "--json")):
        loads.setdefault(load["source"], []).append(load["undone_for"])
    return loads


MANY = [(f"shop {number}", "c1", "p", "Pen", "2024-01-01", 1, 5.0) for number in range(101)]


def test_many_new_tenants_need_a_yes(
    run: Run, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write_csv(tmp_path / "f.csv", MANY))
    words = ["ingest", path, "--tenant-column", "shop", *COLUMNS]
    with pytest.raises(BadInputError, match=r"would add 101 tenants, such as 'shop 0'.*--yes"):
        run(*words)
    with closing(connect(database_url)) as connection:
        assert interactions(connection) == []

    asked: list[str] = []
    monkeypatch.setattr(command, "sys", Terminal())

    def say_no(text: str) -> bool:
        asked.append(text)
        return False

    monkeypatch.setattr(typer, "confirm", say_no)
    with pytest.raises(AssertionError, match="Nothing was loaded"):
        run(*words)
    assert "Add them?" in asked[0]

    assert "101 lines; 101 added" in run(*words, "--yes")
    # Known by now, they are no question any more.
    assert "0 added, 101 known before" in run(*words)


class Terminal:
    """A person's, as far as it is asked."""

    @property
    def stdin(self) -> Terminal:
        return self

    def isatty(self) -> bool:
        return True
