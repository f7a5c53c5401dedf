"""Deleting a tenant with everything of its."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from recfleet.database import Connection, connect
from recfleet.errors import BadInputError, UnknownTenantError
from recfleet.keys import create_key
from recfleet.operations import delete_tenants, set_mode, tell_story, verify
from recfleet.registry import ArtifactStore, Registry
from recfleet.settings import RegistrySettings
from recfleet.tenants import add_tenants, hold_tenants
from tests.nights import START, WEEK, query, run_night, shop

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

ANN, WHY = "ann", "contract ended"
NAMING = """
select table_name from information_schema.columns join information_schema.tables
  using (table_schema, table_name)
 where table_schema = 'recfleet' and column_name = 'tenant_id' and table_type = 'BASE TABLE'
"""


def _rows_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Table -> rows of a tenant, for every table that names tenants."""
    tables = [name for (name,) in query(connection, NAMING)]
    assert {"interaction", "ledger", "champion", "release", "audit"} < set(tables)
    found = {}
    for table in tables:
        [(rows,)] = query(
            connection,
            f"select count(*) from {table} where tenant_id = %s",
            tenant_id,
        )
        found[table] = rows
    return found


def _faults(connection: Connection) -> tuple[object, ...]:
    connection.rollback()
    return tuple(verify(connection).faults)


def test_nothing_of_a_deleted_tenant_is_left_but_its_audit(
    connection: Connection, stack: RegistrySettings
) -> None:
    for tenant in ("gone", "stays"):
        shop(connection, tenant, weeks=range(12))
    run_night("first", START + 12 * WEEK)
    set_mode(connection, ["gone"], "frozen", actor=ANN, reason=WHY)
    key = {"scopes": ["read"], "name": "till", "expires_at": None}
    create_key(connection, "gone", **key, actor=ANN, reason=WHY)  # type: ignore[arg-type]
    of_other = _rows_of(connection, "stays")
    [(all_lists,)] = query(connection, "select count(*) from recommendation")
    folder = Path(urlsplit(stack.artifact_root).path) / "als-gone"
    assert folder.is_dir()

    [would] = delete_tenants(connection, ["gone"], actor=ANN, reason=WHY, dry_run=True)
    assert "would lose 120 lists, 1 releases, 1 nights" in would.sentence
    assert folder.is_dir()
    assert _rows_of(connection, "gone")["interaction"] == 2_880

    [done] = delete_tenants(connection, ["gone"], actor=ANN, reason=WHY)
    assert done.status == "done"
    assert "2,880 interactions" in done.sentence
    left = _rows_of(connection, "gone")
    assert {table for table, rows in left.items() if rows} == {"audit"}
    assert _rows_of(connection, "stays") == of_other
    assert query(connection, "select count(*) from recommendation") == [(all_lists - 120,)]
    assert not folder.exists()
    registry = Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))
    assert registry.aliases("gone").champion is None
    assert registry.aliases("stays").champion == 1
    assert [entry.kind for entry in tell_story(connection, "gone")][-1] == "deletion"
    assert _faults(connection) == ()

    # Killed after its rows went, the second call finds nothing more to do, and says no more.
    [again] = delete_tenants(connection, ["gone"], actor=ANN, reason=WHY)
    assert again.sentence == "gone is deleted: no rows"
    with pytest.raises(UnknownTenantError):
        delete_tenants(connection, ["never"], actor=ANN, reason=WHY)
    with pytest.raises(BadInputError, match="Say why"):
        delete_tenants(connection, ["stays"], actor="ann", reason=" ")

    # Made again, it begins anew.
    shop(connection, "gone", weeks=range(12))
    assert _faults(connection) == ()
    run_night("second", START + 12 * WEEK, {"tenants": ["gone"]})
    assert query(connection, "select outcome from ledger where tenant_id = 'gone'") == [
        ("first model",)
    ]
    assert _faults(connection) == ()


def test_a_tenant_in_a_running_night_is_not_deleted(
    connection: Connection, stack: RegistrySettings
) -> None:
    from recfleet.fleet.plan import plan_night

    shop(connection, "busy", customers=3, weeks=range(1))
    plan_night("running", None, START + WEEK, {})
    [result] = delete_tenants(connection, ["busy"], actor=ANN, reason=WHY)
    assert result.status == "failed"
    assert "the night running still works on it" in result.sentence
    assert _rows_of(connection, "busy")["interaction"] == 6


def test_who_adds_to_a_tenant_keeps_it(connection: Connection, database_url: str) -> None:
    add_tenants(connection, {"acme": "Acme"})
    connection.commit()
    assert hold_tenants(connection, ["acme", "other"]) == ["acme"]
    other = connect(database_url)
    try:
        with other.cursor() as cursor:
            cursor.execute("set lock_timeout = '50ms'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute("select from tenant where tenant_id = 'acme' for update")
    finally:
        other.close()
