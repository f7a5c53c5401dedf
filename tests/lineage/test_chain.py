"""Nights whose fits begin with those of the nights before, on real Postgres and MLflow."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from recfleet.audit import Entry, append_entries
from recfleet.database import Connection
from recfleet.lineage import last_renewal
from recfleet.models import read_model
from recfleet.reasons import trace_list
from recfleet.record.fits import chain_of
from recfleet.record.retention import models_under_way
from recfleet.registry import ArtifactStore
from recfleet.settings import RegistrySettings
from tests.backfills import run_backfill
from tests.nights import START, WEEK, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

NIGHTS = [START + week * WEEK for week in (12, 13, 14)]
FOURTH = START + 15 * WEEK


def _named(*, is_due: bool) -> str:
    """A tenant whose turn to begin anew comes after the first night; or after all nights."""
    names = (f"shop-{number}" for number in range(100))
    first, second, fourth = NIGHTS[0].date(), NIGHTS[1].date(), FOURTH.date()
    if is_due:
        return next(name for name in names if first < last_renewal(name, second))
    return next(name for name in names if last_renewal(name, fourth) <= first)


STEADY, DUE = _named(is_due=False), _named(is_due=True)


@past
def chained(connection: Connection) -> None:
    """Three weekly nights of two tenants."""
    for tenant in (STEADY, DUE):
        shop(connection, tenant, customers=60, products=80, weeks=range(12))
    for number, as_of in enumerate(NIGHTS):
        _one_more_week(connection, 12 + number)
        run_night(f"night {number}", as_of)


def _one_more_week(connection: Connection, week: int) -> None:
    for tenant in (STEADY, DUE):
        shop(connection, tenant, customers=60, products=80, weeks=range(week - 1, week), seed=week)


def _challenger(connection: Connection, run_id: str, tenant_id: str = STEADY) -> dict[str, Any]:
    [(found,)] = query(
        connection,
        "select challenger from ledger join night using (night_id) "
        "where run_id = %s and tenant_id = %s",
        run_id,
        tenant_id,
    )
    return dict(found)


def _folder(found: dict[str, Any]) -> Path:
    return Path(urlsplit(found["model_uri"]).path)


def test_a_fit_begins_with_the_last_one_and_names_it(
    connection: Connection, stack: RegistrySettings, chained: Connection
) -> None:
    first, second, third = (_challenger(connection, f"night {number}") for number in range(3))
    assert first["start"] == {
        "cold_since": NIGHTS[0].isoformat(),
        "because": "it has no fit of the 14 days before",
    }
    for parent, child, as_of in ((first, second, NIGHTS[0]), (second, third, NIGHTS[1])):
        named = {"run_id": parent["run_id"], "as_of": as_of.isoformat(), "digest": parent["digest"]}
        assert child["start"] == {"parent": named, "cold_since": NIGHTS[0].isoformat()}
        model = read_model(ArtifactStore(stack.artifact_root).read(child["model_uri"]))
        assert model.parent is not None
        assert model.parent.digest == parent["digest"] != model.digest == child["digest"]
    with closing(psycopg2.connect(stack.mlflow_store_url)) as mlflow:
        tags = dict(
            query(mlflow, "select key, value from tags where run_uuid = %s", third["run_id"])
        )
    assert tags["parent_run"] == second["run_id"]
    assert tags["parent_digest"] == second["digest"]
    due = _challenger(connection, "night 1", DUE)["start"]
    assert due["because"] == "each tenant's fit begins anew once in 28 days"
    chain = chain_of(connection, STEADY, third["run_id"])
    assert [fit.as_of for fit in chain] == NIGHTS[::-1]
    connection.rollback()
    traced = trace_list(connection, STEADY, "c0001").model
    assert traced is not None
    assert traced.chain[0].run_id == traced.run_id
    assert traced.chain[-1].cold_because == first["start"]["because"]
    assert (STEADY, third["run_id"]) in {
        (needed.tenant_id, needed.run_id) for needed in models_under_way(connection, [STEADY, DUE])
    }


def test_a_night_of_the_past_makes_its_model_again_from_the_cold_one(
    connection: Connection, stack: RegistrySettings, chained: Connection
) -> None:
    for number in range(2):
        shutil.rmtree(_folder(_challenger(connection, f"night {number}")))
    run_backfill("again", [STEADY], NIGHTS[2], NIGHTS[2])
    [(run_id,)] = query(connection, "select run_id from night where backfill = 'again'")
    once, again = _challenger(connection, "night 2"), _challenger(connection, run_id)
    assert once["start"] == again["start"]
    assert once["contents"] == again["contents"]


def test_a_night_of_the_past_is_not_made_again_by_another_recipe(
    connection: Connection, stack: RegistrySettings, chained: Connection
) -> None:
    for number in range(2):
        shutil.rmtree(_folder(_challenger(connection, f"night {number}")))
    query(
        connection,
        "update tenant set policy = jsonb_set(policy, '{recipe}', '{\"alpha\": 11}') "
        "where tenant_id = %s returning 1",
        STEADY,
    )
    connection.commit()
    run_backfill("again", [STEADY], NIGHTS[2], NIGHTS[2])
    [(run_id,)] = query(connection, "select run_id from night where backfill = 'again'")
    start = _challenger(connection, run_id)["start"]
    assert start["because"].startswith("the chain of its fits is broken: its recipe")
    assert start.get("parent") is None


def test_a_broken_chain_begins_anew_and_says_so(
    connection: Connection, stack: RegistrySettings, chained: Connection
) -> None:
    shutil.rmtree(_folder(_challenger(connection, "night 2")))
    damaged = _folder(_challenger(connection, "night 2", DUE)) / "product_factors.npy"
    damaged.write_bytes(damaged.read_bytes()[:-4] + b"\0\0\0\1")
    _one_more_week(connection, 15)
    run_night("night 3", FOURTH)
    for tenant, why in ((STEADY, "are gone"), (DUE, "product_factors.npy was changed")):
        start = _challenger(connection, "night 3", tenant)["start"]
        assert start["because"].startswith("the chain of its fits is broken: ")
        assert why in start["because"]
        assert start["cold_since"] == FOURTH.isoformat()


def test_a_rollback_and_a_new_recipe_begin_anew(
    connection: Connection, stack: RegistrySettings, chained: Connection
) -> None:
    append_entries(
        connection, [Entry("rollback", DUE, "tester", "no good", from_version=2, to_version=1)]
    )
    _one_more_week(connection, 15)
    query(
        connection,
        "update tenant set policy = jsonb_set(policy, '{recipe}', '{\"alpha\": 11}') "
        "where tenant_id = %s returning 1",
        STEADY,
    )
    connection.commit()
    run_night("night 3", FOURTH)
    found = {name: _challenger(connection, "night 3", name)["start"] for name in (STEADY, DUE)}
    assert found[DUE]["because"] == "it went back to an earlier model since its last fit"
    assert found[STEADY]["because"] == "its recipe changed since its last fit"
