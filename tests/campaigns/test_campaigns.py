"""Lists of many customers at once, and models, as files that others read."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from recfleet.campaigns import is_control
from recfleet.cli import app
from recfleet.contents import contents_of
from recfleet.database import Connection, read_rows, transaction
from recfleet.errors import BadInputError
from recfleet.models import read_model, trainer_of
from recfleet.recipe import Recipe
from recfleet.registry import ArtifactStore
from recfleet.releases import look_up, switch_live
from recfleet.settings import forget_settings
from tests.models._logs import AS_OF, taste_log
from tests.releases._worlds import add_night, lists_of, make_champion, stage

pytestmark = pytest.mark.postgres

LISTS = lists_of(
    {"c1": [("p1", 0.9), ("=2+2", 0.8), ("gone", 0.7), ("p4", 0.6)], "@you": [("p1", 0.5)]},
    [("p4", 0.5)],
)


@pytest.fixture
def shop(
    connection: Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Connection:
    """Live lists of acme, and its model."""
    night_id = add_night(connection)
    model = trainer_of(Recipe(factors=8), "new").train(taste_log(), before=AS_OF, seed=1)
    files = model.files()
    artifacts = ArtifactStore((tmp_path / "artifacts").as_uri())
    with transaction(connection), connection.cursor() as cursor:
        make_champion(connection, 7)
        cursor.execute(
            "update champion set model_uri = %s, contents = %s",
            (artifacts.write("als-acme/7", files), json.dumps(contents_of(files))),
        )
        switch_live(connection, {"acme": stage(connection, night_id, LISTS, version=7)})
        cursor.execute(
            "insert into product (tenant_id, product_id, name, discontinued_at) values "
            "('acme', 'p1', '+Pen', null), ('acme', 'gone', 'Gone', now())"
        )
        cursor.execute("insert into customer (tenant_id, customer_id, segment) values "
                       "('acme', 'c1', 'regulars')")  # fmt: skip
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    monkeypatch.setenv("RECFLEET_ARTIFACT_ROOT", artifacts.root)
    forget_settings()
    return connection


def _run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_campaign_in_every_format_is_what_one_customer_gets(
    shop: Connection, tmp_path: Path
) -> None:
    (tmp_path / "who.txt").write_text("c1\n stranger \n\nc1\n@you\n")
    asked = ("campaign", "acme", "--customers", tmp_path / "who.txt")

    lines = [json.loads(line) for line in _run(*asked).splitlines()]

    assert [(one["customer"], one["customer_is_known"]) for one in lines] == [
        ("c1", True), ("stranger", False), ("@you", True),
    ]  # fmt: skip
    assert [item["product"] for item in lines[0]["items"]] == ["p1", "=2+2", "p4"]
    for one in lines:
        plain = [
            place for place in look_up(shop, "acme", one["customer"]) if place.product_id != "gone"
        ]
        assert [(item["product"], item["score"], item["source"]) for item in one["items"]] == [
            (place.product_id, round(place.score, 6), place.source) for place in plain
        ]
    assert len({one["id"] for one in lines}) == 3

    _run(*asked, "--format", "csv", "--output", tmp_path / "sent.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "sent.csv").read_text())))
    assert [(row["customer"], row["product"], row["name"]) for row in rows] == [
        ("c1", "p1", "'+Pen"), ("c1", "'=2+2", ""), ("c1", "p4", ""),
        ("stranger", "p4", ""), ("'@you", "p1", "'+Pen"),
    ]  # fmt: skip
    _run(*asked, "--format", "parquet", "--output", tmp_path / "sent.parquet")
    table = parquet.read_table(tmp_path / "sent.parquet").to_pylist()
    assert [(row["customer"], row["product"], row["rank"]) for row in table] == [
        ("c1", "p1", 1), ("c1", "=2+2", 2), ("c1", "p4", 3),
        ("stranger", "p4", 1), ("@you", "p1", 1),
    ]  # fmt: skip

    regulars = _run("campaign", "acme", "--segment", "regulars", "--limit", 1).splitlines()
    assert [len(json.loads(line)["items"]) for line in regulars] == [1]
    _run("export", "lists", "acme", tmp_path / "all.parquet")
    assert Counter(parquet.read_table(tmp_path / "all.parquet")["customer"].to_pylist()) == {
        "c1": 3, "@you": 1,
    }  # fmt: skip
    with pytest.raises(BadInputError, match="Say for whom"):
        _run("campaign", "acme")
    with pytest.raises(BadInputError, match="no customer in a segment"):
        _run("campaign", "acme", "--segment", "nobody")


def test_a_control_group_is_the_same_each_time(shop: Connection) -> None:
    customers = [f"c{number}" for number in range(4_000)]
    tenth = {one for one in customers if is_control("acme", one, 0.1)}
    assert 320 < len(tenth) < 480
    assert tenth < {one for one in customers if is_control("acme", one, 0.2)}
    assert tenth != {one for one in customers if is_control("beta", one, 0.1)}

    for share, items in (("0", 4), ("1", 0)):
        lines = [json.loads(line) for line in
                 _run("campaign", "acme", "--all", "--control", share).splitlines()]  # fmt: skip
        assert sum(len(one["items"]) for one in lines) == items
        assert {one["is_control"] for one in lines} == {share == "1"}


def test_an_exported_model_ranks_as_recfleet_does(shop: Connection, tmp_path: Path) -> None:
    """By docs/api.md: numpy and JSON, and nothing of recfleet's."""
    folder = tmp_path / "model"
    assert "version 7" in _run("export", "model", "acme", folder)

    head = json.loads((folder / "model.json").read_text())
    products = json.loads((folder / "product_ids.json").read_text())
    factors = np.load(folder / "product_factors.npy").astype(np.float64)
    bought = [products.index(one) for one in ("p0003", "p0011")]
    confidence = head["recipe"]["alpha"] * np.log1p(np.ones(len(bought)))
    own = factors[bought]
    shared = factors.T @ factors + head["penalty"] * np.eye(factors.shape[1])
    customer = np.linalg.solve(
        shared + own.T @ ((confidence - 1)[:, None] * own), own.T @ confidence
    )
    ranked = np.argsort(-(factors @ customer), kind="stable")[:20]

    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    basket = read_model(files).basket()
    plain = basket.scores(np.array(bought), np.ones(2), np.ones(2))
    assert factors @ customer == pytest.approx(plain, abs=1e-5)
    assert set(ranked[:10]) <= set(np.argsort(-plain)[:20])
    with pytest.raises(BadInputError, match="is there already"):
        _run("export", "model", "acme", folder)


def test_everybody_whom_a_campaign_is_for_is_exposed(shop: Connection, tmp_path: Path) -> None:
    """Also by a second campaign of the day: the first counts."""
    for name in ("one", "two"):
        _run("campaign", "acme", "--all", "--control", 0.5, "--output", tmp_path / name)
    lists = [json.loads(line) for line in (tmp_path / "one").read_text().splitlines()]
    _run("export", "lists", "acme", tmp_path / "exported")

    rows = read_rows(shop, "select * from exposure")

    expected = {(one["id"], one["customer"], one["is_control"]) for one in lists}
    assert {
        (row["answer_id"], row["customer_id"], row["arm"] == "control") for row in rows
    } == expected
    assert {(row["channel"], row["model_version"]) for row in rows} == {("push", 7)}
