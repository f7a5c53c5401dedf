"""Fill MLflow's tables with thousands of registered models and their runs, within minutes.

Real nights of one small tenant make a model, versions and runs; their rows are then multiplied in
Postgres. So the filled rows have the same columns, keys and lengths as those of real nights, and
``check_alike`` compares a sample with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extras import execute_values

from recfleet.database import Connection

PATTERN = "als-template"
"""The registered model, and its experiment, whose rows are multiplied."""
_RUN_TABLES = ("runs", "metrics", "latest_metrics", "params", "tags")
_DAY = 86_400_000


@dataclass(frozen=True)
class Size:
    """How much to fill in."""

    models: int = 4000
    runs: int = 100
    """Runs of each model."""
    versions: int = 10
    """Versions of each model: its newest run, and others at equal distances."""

    @property
    def runs_a_version(self) -> int:
        """How many runs there are for each version."""
        return self.runs // self.versions


def fill(url: str, tenants: Sequence[str], size: Size, say: Callable[[str], None]) -> None:
    """Multiply the pattern's rows, one night after the other, as nights would have written them.

    Args:
        url: MLflow's database, ``postgresql://…`` of a superuser, with the pattern in it.
        tenants: ids of ``size.models`` tenants.
        size: how much.
        say: called with the progress, in words.
    """
    connection = psycopg2.connect(url, options="-c synchronous_commit=off")
    try:
        with connection, connection.cursor() as cursor:
            # Foreign keys hold by construction, and it is faster to build indexes at the end.
            cursor.execute("set session_replication_role = replica")
            _make_tenants(cursor, tenants)
            rebuild = _drop_indexes(cursor)
        started = time.monotonic()
        for night in range(size.runs):
            with connection, connection.cursor() as cursor:
                _one_night(cursor, night, size)
            if (night + 1) % 10 == 0:
                say(f"{night + 1} of {size.runs} nights, {time.monotonic() - started:.0f} s")
        with connection, connection.cursor() as cursor:
            cursor.execute("set maintenance_work_mem = '1GB'")
            for statement in rebuild:
                cursor.execute(statement)
        say(f"indexes are there, {time.monotonic() - started:.0f} s")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("vacuum analyze")
    finally:
        connection.close()


def _make_tenants(cursor: Any, tenants: Sequence[str]) -> None:
    cursor.execute(
        "create table bench_tenant (tenant text primary key, experiment_id integer "
        "default nextval('experiments_experiment_id_seq'))"
    )
    execute_values(
        cursor, "insert into bench_tenant (tenant) values %s", [(name,) for name in tenants]
    )
    name = {"name": "'als-' || tenant"}
    place = {"artifact_location": _moved("old.artifact_location")}
    for table, changes in {
        "experiments": {**name, **place, "experiment_id": "bench_tenant.experiment_id"},
        "experiment_tags": {"experiment_id": "bench_tenant.experiment_id", "value": _tenant_tag()},
        "registered_models": {
            **name,
            "description": "replace(old.description, 'template', tenant)",
        },
        "registered_model_tags": {**name, "value": _tenant_tag()},
    }.items():
        _multiply(cursor, table, changes)


def _one_night(cursor: Any, night: int, size: Size) -> None:
    run = f"md5(tenant || ' {night}')"
    when = (int(time.time()) - (size.runs - night) * 86_400) * 1000
    told = f"to_timestamp({when / 1000})"
    noise = f"hashtext(tenant || ' {night}') %% 1000 / 1e6"
    texts = (
        f"case old.key when 'tenant' then tenant "
        f"when 'night' then 'scheduled__' || {told} "
        f"when 'airflow_run' then 'scheduled__' || {told} "
        f"when 'as_of' then {told}::text when 'train_end' then ({told} - interval '14 days')::text "
        f"when 'mlflow.runName' then to_char({told}, 'YYYY-MM-DD') "
        "when 'data_fingerprint' then md5(tenant) || md5(tenant) else old.value end"
    )
    number = {"run_uuid": run, "value": f"old.value + {noise}", "timestamp": str(when)}
    for table, changes in {
        "runs": {
            "run_uuid": run,
            "name": f"to_char({told}, 'YYYY-MM-DD')",
            "start_time": str(when),
            "end_time": str(when + 40),
            "artifact_uri": _moved("old.artifact_uri", run),
            "experiment_id": "bench_tenant.experiment_id",
        },
        "metrics": number,
        "latest_metrics": number,
        "params": {"run_uuid": run},
        "tags": {"run_uuid": run, "value": texts},
    }.items():
        _multiply(cursor, table, changes)
    version, rest = divmod(night + 1, size.runs_a_version)
    if rest == 0:
        _one_version(cursor, version, run, when, texts)
        if version in {size.versions, size.versions - 1}:
            alias = "champion" if version == size.versions else "previous"
            changes = {"name": "'als-' || tenant", "version": str(version)}
            _multiply(cursor, "registered_model_aliases", changes, f"and old.alias = '{alias}'")


def _one_version(cursor: Any, version: int, run: str, when: int, texts: str) -> None:
    key = {"name": "'als-' || tenant", "version": str(version)}
    place = _moved("old.source", run)
    row = {
        "run_id": run,
        "source": place,
        "storage_location": place,
        "creation_time": str(when + 50),
        "last_updated_time": str(when + 50),
    }
    _multiply(cursor, "model_versions", {**key, **row})
    _multiply(cursor, "model_version_tags", {**key, "value": texts})


def _moved(column: str, run: str | None = None) -> str:
    """SQL: the address in a column, with the tenant and run instead of the pattern's."""
    moved = f"replace({column}, '/{PATTERN}', '/als-' || tenant)"
    if run:
        moved = f"regexp_replace({moved}, '/[0-9a-f]{{32}}/', '/' || {run} || '/')"
    return moved


def _tenant_tag() -> str:
    return "case old.key when 'tenant' then tenant else old.value end"


_PATTERN_ROWS = {
    "experiments": "old.name = %(pattern)s",
    "experiment_tags": (
        "old.experiment_id = (select experiment_id from experiments where name = %(pattern)s)"
    ),
    "model_versions": "old.name = %(pattern)s and old.version = 2",
    "model_version_tags": "old.name = %(pattern)s and old.version = 2",
}
_OF_MODEL = "old.name = %(pattern)s"
_OF_RUN = (
    "old.run_uuid = (select run_id from model_versions where name = %(pattern)s and version = 2)"
)


def _multiply(cursor: Any, table: str, changes: Mapping[str, str], more: str = "") -> None:
    """Insert the pattern's rows of a table once for each tenant, with some columns changed."""
    cursor.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 "
        "and not attisdropped order by attnum",
        (table,),
    )
    columns = [column for (column,) in cursor.fetchall()]
    where = _PATTERN_ROWS.get(table) or (_OF_RUN if table in _RUN_TABLES else _OF_MODEL)
    values = ", ".join(changes.get(column, f'old."{column}"') for column in columns)
    names = sql.SQL(", ").join(map(sql.Identifier, columns)).as_string(cursor)
    cursor.execute(
        f"insert into {table} ({names}) "
        f"select {values} from {table} as old cross join bench_tenant where {where} {more}",
        {"pattern": PATTERN},
    )


def _drop_indexes(cursor: Any) -> list[str]:
    """Drop the keys and indexes of the runs' tables; returns the statements that restore them."""
    rebuild: list[str] = []
    for kinds in (("f",), ("p", "u", "c")):
        for table in _RUN_TABLES:
            cursor.execute(
                "select conname, pg_get_constraintdef(oid) from pg_constraint "
                'where conrelid = %s::regclass and contype = any(%s::"char"[])',
                (table, list(kinds)),
            )
            for name, definition in cursor.fetchall():
                rebuild.insert(0, f'alter table {table} add constraint "{name}" {definition}')
                cursor.execute(f'alter table {table} drop constraint "{name}" cascade')
    for table in _RUN_TABLES:
        cursor.execute("select indexname, indexdef from pg_indexes where tablename = %s", (table,))
        for name, definition in cursor.fetchall():
            rebuild.insert(0, definition)
            cursor.execute(f'drop index "{name}"')
    return rebuild


def check_alike(connection: Connection, tenant: str) -> int:
    """Check that a filled tenant's rows have the same columns and keys as the pattern's.

    Returns:
        How many rows were compared.

    Raises:
        AssertionError: a row is missing or too many, or lacks a value in a column.
    """
    compared = 0
    with connection.cursor() as cursor:
        for table, (key, of) in _SHAPES.items():
            shapes = []
            for name in (PATTERN, f"als-{tenant}"):
                cursor.execute(
                    f"select coalesce({key}, ''), "
                    "(select string_agg(item.key || ' ' || jsonb_typeof(item.value), ', ' "
                    "order by item.key) from jsonb_each(to_jsonb(old)) as item) "
                    f"from {table} as old where {of} order by 1, 2",
                    {"name": name},
                )
                shapes.append(cursor.fetchall())
            if shapes[0] != shapes[1]:
                raise AssertionError(f"{table}: {shapes[1]} is not shaped as {shapes[0]}")
            compared += len(shapes[1])
    return compared


_NEWEST_RUN = (
    "old.run_uuid = (select run_id from model_versions where name = %(name)s "
    "order by version desc limit 1)"
)
_NEWEST = (
    "old.name = %(name)s and old.version = "
    "(select max(version) from model_versions where name = %(name)s)"
)
_SHAPES = {
    "experiments": ("''", "old.name = %(name)s"),
    "experiment_tags": (
        "old.key",
        "old.experiment_id = (select experiment_id from experiments where name = %(name)s)",
    ),
    "runs": ("old.status", _NEWEST_RUN),
    "metrics": ("old.key", _NEWEST_RUN),
    "latest_metrics": ("old.key", _NEWEST_RUN),
    "params": ("old.key || old.value", _NEWEST_RUN),
    "tags": ("old.key", _NEWEST_RUN),
    "registered_models": ("''", "old.name = %(name)s"),
    "registered_model_tags": ("old.key", "old.name = %(name)s"),
    "registered_model_aliases": ("old.alias", "old.name = %(name)s"),
    "model_versions": ("old.current_stage || old.status", _NEWEST),
    "model_version_tags": ("old.key", _NEWEST),
}
