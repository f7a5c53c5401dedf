"""What ``recfleet recommend`` prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
import typer
from typer.testing import CliRunner, Result

from recfleet.cli._recommend import register
from recfleet.database import Connection, transaction
from recfleet.errors import UnknownTenantError
from recfleet.releases import NotServedError, switch_live
from recfleet.settings import forget_settings
from tests.releases._worlds import add_night, lists_of, make_champion, stage

pytestmark = pytest.mark.postgres

LISTS = lists_of(
    {"c": [("p[1]", 2.5), ("q\x1b[31m\n", 1.5)], "e": []},
    [("q\x1b[31m\n", 0.5)],
)

Recommend = Callable[..., Result]


@pytest.fixture
def recommend(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Recommend]:
    """The command, over a published night of acme."""
    with transaction(connection), connection.cursor() as cursor:
        night_id = add_night(connection, ("acme", "new"))
        make_champion(connection, 7)
        switch_live(connection, {"acme": stage(connection, night_id, LISTS, version=7)})
        cursor.execute("insert into product values ('acme', 'p[1]', 'Pen [bold]red[/bold]')")
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()
    app = typer.Typer()
    register(app)
    yield lambda *arguments: CliRunner().invoke(app, list(arguments))
    forget_settings()


def test_a_list_and_where_it_came_from(recommend: Recommend) -> None:
    result = recommend("acme", "c")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].strip() == "Customer 'c' of acme"
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert cells == [
        ["1", "p[1]", "Pen [bold]red[/bold]", "new 1", "2.5000", "taste"],
        ["2", "q\\x1b[31m\\n", "–", "new 2", "1.5000", "taste"],
    ]
    assert lines[-1].strip() == (
        "From release 1 of night 1, as of 2024-05-01 00:00 UTC: model version 7. "
        "A higher score is more likely to be bought."
    )


def test_only_so_many(recommend: Recommend) -> None:
    assert "p[1]" in recommend("acme", "c", "--n", "1").stdout
    assert "q" not in recommend("acme", "c", "--n", "1").stdout.split("score")[1].split("From")[0]
    assert recommend("acme", "c", "--n", "0").exit_code == 2


def test_an_unknown_customer(recommend: Recommend) -> None:
    said = recommend("acme", "o'brien").stdout
    assert said.startswith(
        "Customer \"o'brien\" of acme is unknown: these are the tenant's popular"
    )
    assert "popular │" in said
    assert "A higher score is more likely to be bought." in said


def test_a_customer_to_whom_nothing_is_left(recommend: Recommend) -> None:
    whom = "Customer 'e' of acme: "
    assert recommend("acme", "e").stdout.strip() == f"{whom}nothing is left to offer."
    again = recommend("acme", "e", "--kind", "again").stdout.strip()
    assert again == f"{whom}they bought nothing before that is on offer again."
    assert recommend("acme", "c", "--kind", "old").exit_code == 2


def test_json(recommend: Recommend) -> None:
    origin = {
        "known_customer": True,
        "release_id": 1,
        "model_version": 7,
        "as_of": "2024-05-01T00:00:00+00:00",
        "night_id": 1,
        "arm": None,
    }
    assert json.loads(recommend("acme", "c", "--json").stdout) == {
        "tenant_id": "acme",
        "customer_id": "c",
        "recommended": [
            {
                "rank": 1,
                "product_id": "p[1]",
                "product_name": "Pen [bold]red[/bold]",
                "score": 2.5,
                "source": "taste",
                "kind": "new",
                "rank_in_kind": 1,
                **origin,
            },
            {
                "rank": 2,
                "product_id": "q\x1b[31m\n",
                "product_name": None,
                "score": 1.5,
                "source": "taste",
                "kind": "new",
                "rank_in_kind": 2,
                **origin,
            },
        ],
    }
    [unknown] = json.loads(recommend("acme", "x", "--json").stdout)["recommended"]
    assert (unknown["source"], unknown["known_customer"]) == ("popular", False)


def test_errors_are_for_a_person(recommend: Recommend) -> None:
    assert isinstance(recommend("acne", "c").exception, UnknownTenantError)
    assert isinstance(recommend("../x", "c").exception, UnknownTenantError)
    assert isinstance(recommend("new", "c").exception, NotServedError)
