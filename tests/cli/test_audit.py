"""``recfleet audit`` and ``recfleet trace`` on a database with nights in it."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from recfleet.audit import Entry, FieldChange, ModeFacts, PolicyFacts, append_entries, read_head
from recfleet.cli import app
from recfleet.database import Connection
from recfleet.errors import BadInputError, UnknownTenantError
from recfleet.operations.champions import roll_back
from recfleet.settings import RegistrySettings
from recfleet.tenants import add_tenants
from tests.nights import START, WEEK, query, run_night, shop
from tests.pasts import past
from tests.roles import administer

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

AS_OF = START + 12 * WEEK


@past
def fleet(connection: Connection) -> None:
    """A tenant with a model and one that is too thin, after one night."""
    shop(connection, "alpha")
    shop(connection, "thin", customers=5)
    run_night("one", AS_OF)


def _run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_a_tenants_story(fleet: Connection, connection: Connection) -> None:
    story = _run("audit", "alpha")
    assert re.search(r"first model: version 1  by scheduler, night 1", story)
    assert re.search(
        r"With the challenger's taste, the lists' NDCG@10 is 0\.\d+ higher than without", story
    )
    assert re.search(
        r"RMSE: challenger 0\.\d{4} \(0\.\d{4} to 0\.\d{4}\), popularity 0\.\d{4} \(.*"
        r"\(bounds at 99\.5% each\)",
        story,
    )
    assert re.search(r"NDCG@10: challenger", story)
    assert re.search(
        r"trained on 2,400 lines from 2026-01-05 09:00 to 2026-03-16 09:00 \(fingerprint \w{32}\)",
        story,
    )
    assert re.search(r"judged by \d+ customers of 480 lines from 2026-03-16 09:00", story)
    assert re.search(r"recipe .*\bfactors 128\b", story)
    assert "Airflow run one" in story

    [entry] = json.loads(_run("audit", "alpha", "--json"))
    assert (entry["kind"], entry["to_version"], entry["audit_id"]) == ("first model", 1, 1)
    facts, numbers = entry["facts"], entry["numbers"]
    assert facts["training"]["fingerprint"] != facts["holdout"]["fingerprint"]
    assert facts["recipe"]["holdout_days"] == 14
    assert facts["airflow_run"] == "one"
    assert facts["code_version"]
    assert set(numbers["intervals"]) == {"challenger", "popularity"}
    assert json.loads(_run("audit", "--json", "alpha")) == [entry]
    assert "The audit has no entry of thin" in _run("audit", "thin")


def test_limits_and_everybodys(fleet: Connection, connection: Connection) -> None:
    append_entries(
        connection,
        [
            Entry(
                "mode", "alpha", "mara", "[red]sale\n", facts=ModeFacts(former="on", new="frozen")
            ),
            Entry("policy", None, "mara", "fleet-wide"),
            Entry(
                "policy",
                "alpha",
                "mara",
                "ask first",
                facts=PolicyFacts(changes={"approval": FieldChange(former="none", new="every")}),
            ),
            Entry("rejected", "alpha", "mara", "no", from_version=1, to_version=2),
        ],
    )
    connection.commit()
    last = _run("audit", "alpha", "--limit", "3")
    assert "first model" not in last
    assert "mode: on → frozen  by mara" in last
    assert "[red]sale\\n" in last
    assert "policy: approval none → every  by mara" in last
    assert "rejected: version 1 → 2" in last
    recent = _run("audit", "recent", "--limit", "3")
    assert "the fleet" in recent
    assert "alpha" in recent
    assert "frozen" not in recent


def test_a_tenant_with_the_name_of_a_command(
    connection: Connection, stack: RegistrySettings
) -> None:
    add_tenants(connection, {"verify": "Verify"})
    append_entries(connection, [Entry("policy", "verify", "mara", "because")])
    connection.commit()
    assert "because" in _run("audit", "tenant", "verify")
    assert "The audit is complete" in _run("audit", "verify")
    assert "recfleet audit tenant verify" in " ".join(_run("audit", "--help").split())


def test_verify_says_the_head_and_remembers_one(fleet: Connection, connection: Connection) -> None:
    head = str(read_head(connection))
    connection.rollback()
    assert f"1 entry, head {head}. The audit is complete" in _run("audit", "verify")
    assert "It contains the head you noted" in _run("audit", "verify", "--head", head)
    # The night has it too, for readers of Airflow's logs.
    assert query(connection, "select summary ->> 'audit_head' from night") == [(head,)]
    administer(
        connection,
        "alter table audit disable trigger append_only",
        "update audit set actor = 'nobody'",
        "alter table audit enable always trigger append_only",
    )
    said = _run("audit", "verify", code=1)
    assert "Entry 1 was changed: its hash is not of what it says." in said
    assert "1 thing is wrong" in said
    report = json.loads(_run("audit", "verify", "--head", head, "--json", code=1))
    assert (report["entries"], report["head"]) == (1, head)
    assert report["faults"][0]["entry"] == 1


def test_from_a_list_to_where_it_came_from(fleet: Connection, connection: Connection) -> None:
    told = _run("trace", "alpha", "c0001")
    assert re.search(r"list +the customer's own, 38 products: p\d{3}, ", told)
    assert re.search(r"release +1, served by model, as of 2026-03-30 09:00, live since", told)
    assert re.search(r"night +1 \(the fleet's\), run one", told)
    assert "http://127.0.0.1:8080/dags/nightly_fleet/runs/one" in told
    assert re.search(r"model +version 1", told)
    assert "http://127.0.0.1:5000/#/models/als-alpha/versions/1" in told
    assert re.search(r"trained on +2,400 lines from .* to 2026-03-16 09:00", told)
    assert re.search(r"http://127.0.0.1:5000/#/experiments/\d+/runs/[0-9a-f]{32}", told)
    assert re.search(r"in force +since .* by scheduler \(first model, entry 1 of the audit\)", told)

    found = json.loads(_run("trace", "alpha", "c0001", "--json"))
    live = query(
        connection,
        "select product_id from live_recommendation "
        "where tenant_id = 'alpha' and customer_id = 'c0001' order by rank",
    )
    assert [(product,) for product in found["products"]] == live
    [(run_id, fingerprint)] = query(
        connection, "select run_id, fingerprint from release where tenant_id = 'alpha'"
    )
    assert found["model"]["run_id"] == run_id
    assert found["model"]["recipe"]["factors"] == 128
    assert found["release"]["fingerprint"] == fingerprint
    assert found["model"]["training"]["lines"] == 2400
    assert found["model"]["decision"]["numbers"]["contenders"]["challenger"]["rmse"] > 0


def test_traces_without_a_model_a_customer_a_release(
    fleet: Connection, connection: Connection
) -> None:
    told = _run("trace", "thin", "c0001")
    assert "served by personal" in told
    assert "none: the tenant is served without one" in told
    assert json.loads(_run("trace", "thin", "c0001", "--json"))["model"] is None

    unknown = json.loads(_run("trace", "alpha", "nobody", "--json"))
    assert (unknown["known_customer"], unknown["source"]) == (False, "popular")
    assert unknown["model"]["version"] == 1
    assert "the popular one: they have no own" in _run("trace", "alpha", "nobody")

    with connection.cursor() as cursor:
        cursor.execute(
            "update recommendation set source = 'excluded', products = '{}', scores = '{}', "
            "kinds = '', sources = null "
            "where customer_id = 'c0001' and release_id = (select release_id from live_release "
            "where tenant_id = 'alpha')"
        )
    connection.commit()
    told = _run("trace", "alpha", "c0001")
    assert "none: the policy of alpha excludes the customer" in told
    assert len(told.splitlines()) == 1
    excluded = json.loads(_run("trace", "alpha", "c0001", "--json"))
    assert (excluded["source"], excluded["served"]) == ("excluded", False)

    with connection.cursor() as cursor:
        cursor.execute("update tenant set mode = 'off' where tenant_id = 'alpha'")
    add_tenants(connection, {"new": "New"})
    connection.commit()
    assert "alpha is off, so nothing is served" in _run("trace", "alpha", "c0002")
    assert json.loads(_run("trace", "alpha", "c0002", "--json"))["served"] is False
    assert "new has no published lists yet" in _run("trace", "new", "c0001")


def test_a_trace_outlives_run_and_ledger(
    fleet: Connection, connection: Connection, stack: RegistrySettings
) -> None:
    """A list's origin can be told without the rows that housekeeping deletes one day."""
    import psycopg2

    with connection.cursor() as cursor:
        cursor.execute("delete from ledger")
    connection.commit()
    store = psycopg2.connect(stack.mlflow_store_url)
    with store, store.cursor() as cursor:
        cursor.execute(
            "truncate runs, metrics, latest_metrics, params, tags, model_version_tags, "
            "model_versions cascade"
        )
    store.close()
    found = json.loads(_run("trace", "alpha", "c0001", "--json"))
    assert found["model"]["run_page"] is None
    assert found["model"]["training"]["lines"] == 2400
    assert "deleted from MLflow" in _run("trace", "alpha", "c0001")


def test_who_goes_back_need_not_know_what_the_model_was_made_from(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "alpha")
    run_night("one", AS_OF)
    shop(connection, "alpha", weeks=range(12, 24), shuffled=True)
    run_night("two", START + 24 * WEEK)
    roll_back(connection, "alpha", actor="mara", reason="a bad feed")
    first, second, back = json.loads(_run("audit", "alpha", "--json"))
    assert (back["kind"], back["from_version"], back["to_version"]) == ("rollback", 2, 1)
    assert back["actor"] == "mara"
    for fact in ("training", "holdout", "recipe", "code_version", "airflow_run"):
        assert back["facts"][fact] == first["facts"][fact]
    assert back["facts"]["training"] != second["facts"]["training"]
    found = json.loads(_run("trace", "alpha", "c0001", "--json"))
    assert found["model"]["version"] == 1
    assert found["model"]["trained_in"] == "one"
    assert found["model"]["decision"]["actor"] == "mara"
    assert found["release"]["night_kind"] in {"fleet", "operator"}


@pytest.mark.parametrize("words", [("audit", "alfa"), ("trace", "alfa", "c1")])
def test_an_unknown_tenant_is_said(fleet: Connection, words: tuple[str, ...]) -> None:
    with pytest.raises(UnknownTenantError, match=r"Did you mean 'alpha'\?"):
        _run(*words)


def test_a_head_that_is_none_is_said(fleet: Connection) -> None:
    with pytest.raises(BadInputError, match="is no head of the audit"):
        _run("audit", "verify", "--head", "5f3a")
