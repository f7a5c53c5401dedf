"""Finding the tables that SQL names, in every form in which this project writes SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tables_named import names_in, tables_named


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("select x from night where y", {"night"}),
        ("select x from night as earlier join ledger using (night_id)", {"night", "ledger"}),
        ("select key from ledger, jsonb_each_text(timings)", {"ledger", "jsonb_each_text"}),
        (
            "select 1 from release as former, night earlier, product",
            {"release", "night", "product"},
        ),
        ("select exists (select from live_release)", {"live_release"}),
        ("insert into ledger (night_id, tenant_id) values %s", {"ledger"}),
        ("update night set status = 'done' from ledger", {"night", "ledger"}),
        ("delete from champion using tenant where x", {"champion", "tenant"}),
        ("COPY product (tenant_id) FROM STDIN", {"product", "stdin"}),
        ("lock table only recfleet.recommendation in access exclusive mode", {"recommendation"}),
        ("alter table recfleet.recommendation attach partition put_in", {"recommendation"}),
        ("create table put_in (like recfleet.recommendation)", {"put_in", "recommendation"}),
        ("select 'recfleet.night'::regclass", {"night"}),
        ("select a -- from ledger\n  from night", {"night"}),
        # Text that looks like SQL and is none.
        ("select 1 where a is distinct from champion.version", set()),
        ("select extract(epoch from night.started_at)", set()),
        ("insert into put_in select 1 on conflict (x) do update set y = 1", {"put_in", "set"}),
        ("with live as materialized (select 1), old as (select 2) select * from live, old", set()),
        ("Nothing is known from night 3 on.", set()),
    ],
)
def test_names_in_a_text(text: str, names: set[str]) -> None:
    assert {name for _, name in names_in(text)} == names


def test_names_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text(
        '"""Docstrings select nothing from night."""\n'
        "ONE = (\n"
        "    'select a '\n"
        "    'from ledger'\n"
        ")\n"
        "TWO = f'''\n"
        "select {ONE}\n"
        "  from night\n"
        "  join {ONE} using (night_id)'''\n"
        "copy_rows(connection, 'product', COLUMNS, rows)\n"
        "sql.Identifier('recfleet', 'release')\n",
        encoding="utf-8",
    )

    found = {(line, name) for line, name in tables_named(file) if name != "put_in"}

    assert found == {
        (3, "ledger"), (8, "night"), (10, "product"), (11, "recfleet"), (11, "release"),
    }  # fmt: skip
