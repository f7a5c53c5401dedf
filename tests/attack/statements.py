"""What nobody may do in the database who only reads from it, or who sees one tenant."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

import psycopg2

from recfleet.database import connect

VIEWS = ("live_recommendation", "live_popular", "live_excluded")
"""What applications and analysts see."""
_ALONE = ("create database", "alter system")
"""Beginnings of statements that no transaction may have."""

NOBODY = [
    "copy (select 1) to program 'id > /tmp/owned'",
    "copy (select 1) to '/tmp/owned'",
    "do $$ begin execute $x$copy (select 1) to program 'id'$x$; end $$",
    "select pg_read_file('/etc/passwd')",
    "select rolpassword from pg_authid",
    "select * from pg_shadow",
    "set role recfleet_owner",
    "set role recfleet_live",
    "set role recfleet",
    "set session authorization recfleet",
    "set session_replication_role = replica",
    "create role mine login",
    "alter role recfleet_application superuser",
    "create database mine",
    "create extension dblink",
    "create extension postgres_fdw",
    "create schema mine",
    "create function recfleet.mine() returns int language sql as 'select 1'",
    "create function public.mine() returns int language sql as 'select 1'",
    "create table recfleet.mine (n int)",
    "create view recfleet.mine as select 1",
    "create trigger mine before insert on audit for each row execute function chain_audit()",
    "alter table audit disable trigger append_only",
    "alter table audit disable trigger all",
    "alter table live_release disable row level security",
    "drop policy seen_tenant on live_release",
    "truncate audit",
    "update audit set reason = 'x'",
    "delete from audit",
    "alter view live_recommendation set (security_barrier = false)",
    "insert into analyst values ('recfleet_analyst_x', 'acme', 'x', now(), 'x')",
    "update alembic_version set version_num = 'x'",
    "select lo_create(0)",
    "select lo_from_bytea(0, 'x')",
    "select pg_reload_conf()",
    "alter system set work_mem = '1GB'",
    "grant recfleet_owner to current_user",
    "alter role current_user createrole",
    "select pg_ls_dir('.')",
    "select pg_stat_file('PG_VERSION')",
    "select * from pg_hba_file_rules",
    "select * from pg_statistic",
    "create event trigger mine on ddl_command_start execute function recfleet.chain_audit()",
    "comment on table audit is 'x'",
    "alter function recfleet.seen_tenant() owner to current_user",
    "create or replace function recfleet.seen_tenant() returns text return 'acme'",
]
"""Refused to every role that logs in, the nights' own among them."""
NO_READER = [
    "create temp table t (n int)",
    "insert into audit (kind, actor, reason) values ('repair', 'mallory', 'x')",
    "insert into tenant (tenant_id, name) values ('mine', 'Mine')",
    "update tenant set mode = 'off'",
    "update live_release set release_id = release_id",
    "delete from interaction",
    "select pg_advisory_lock(hashtextextended('recfleet audit', 0))",
    "select pg_try_advisory_lock(1)",
    "select recfleet.make_partition('recommendation_night_', array[9])",
    "select recfleet.exchange_lists(array['recommendation_night_1'], null, null)",
    "select recfleet.add_analyst('recfleet_analyst_x', 'acme', 'x', 'SCRAM-SHA-256$', 'x')",
    "select recfleet.drop_analyst('recfleet_analyst_beta_mara')",
    "select recfleet.prepare_events('acme')",
    "select recfleet.add_events('acme', null, 'mallory', '[]')",
    "do $$ begin lock table recfleet.recommendation in access exclusive mode; end $$",
]
"""Refused to every role that only reads."""
NO_STRANGER = [
    f"select * from {table}"
    for table in (
        "alembic_version", "analyst", "api_key", "approval", "approval_request",
        "attributed", "attributed_day", "attribution", "audit",
        "catalogue", "champion", "counted_night", "customer", "data_docs", "event",
        "experiment", "experiment_look", "experiment_pause", "experiment_phase",
        "exposure", "feed", "feed_taking", "forgotten", "fleet_weights", "history", "in_force",
        "incremental", "ingest", "kpi_day",
        "interaction", "learned_line", "ledger", "live", "live_origin", "live_release",
        "model_on_record",
        "night", "night_overview", "pair_lists", "product", "promotion", "purchase",
        "quality_finding", "quality_result", "recommendation", "recommendation_night_1", "release",
        "release_overview", "roster", "shard_run", "shard_task", "tenant", "tenant_night",
        "unusable_line",
    )
]  # fmt: skip
"""Refused to those who see the live views and nothing else."""


def allowed(address: str, statements: Iterable[str]) -> list[str]:
    """The statements that are not refused for want of a privilege; what they did is undone."""
    found = []
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        for statement in statements:
            connection.autocommit = statement.startswith(_ALONE)
            try:
                cursor.execute(statement)
            except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.FeatureNotSupported):
                pass  # the second: an extension that this server does not have
            except psycopg2.Error as error:
                found.append(f"{statement}: {error}")
            else:
                found.append(statement)
            connection.rollback()
    return found
