"""What must hold after the kills, whatever was killed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from recfleet.database import Connection, connect
from recfleet.registry import Aliases, ArtifactStore, Registry
from recfleet.settings import RegistrySettings, database_settings

# Every committed change of a tenant's state; rolled-back changes leave no trace.
_INSTALL = """
create schema chaos;
create table chaos.step (
  night_id bigint, tenant_id text, shard int, was text, state text,
  happened_at timestamptz default clock_timestamp()
);
-- As its owner: whoever changes the ledger need not be let into this schema.
create function chaos.note() returns trigger language plpgsql security definer as $$
begin
  insert into chaos.step values (new.night_id, new.tenant_id, new.shard, old.state, new.state);
  return null;
end $$;
create trigger note after update on recfleet.ledger
  for each row when (old.state is distinct from new.state) execute function chaos.note();
"""

_CHECKS = {
    "a tenant with lists has not one live release": """
        select tenant_id from (select distinct tenant_id from release) as served
          left join live_release using (tenant_id)
         group by tenant_id having count(release_id) <> 1""",
    "a live release is not complete": """
        select tenant_id, customers, written from live_release
          join release using (tenant_id, release_id, night_id)
          cross join lateral (select count(*) as written from recommendation
            where (recommendation.night_id, recommendation.release_id)
                  = (release.night_id, release.release_id)) as lists
         where customers <> written or checks = '[]' or checks @> '[{"passed": false}]'""",
    "a live release is of a model that is not champion on record": """
        select tenant_id, model_version, version from live_release
          join release using (tenant_id, release_id, night_id)
          left join champion using (tenant_id)
         where served_by = 'model' and role = 'champion'
           and (model_version, release.run_id) is distinct from (version, champion.run_id)""",
    "a tenant has a champion and is served something else": """
        select tenant_id from champion where role = 'champion' and not exists
          (select from live_release join release using (release_id)
            where release.tenant_id = champion.tenant_id and served_by = 'model')""",
    "a tenant was published by the ledger and its newest such release is not live": """
        select tenant_id from (
          select distinct on (tenant_id) tenant_id, ledger.release_id from ledger
            join night using (night_id) where state = 'published'
           order by tenant_id, as_of desc, night_id desc) as last
          left join live_release using (tenant_id)
         where last.release_id is distinct from live_release.release_id""",
    "a release was written again after it was live": """
        select tenant_id, created_at, switched_at from live_release
          join release using (tenant_id, release_id, night_id) where created_at > switched_at""",
    "an intent is left in the ledger": """
        select night_id, tenant_id, intent from ledger where intent is not null""",
    "the history does not end at the champion on record": """
        select tenant_id, to_version, version from (
          select distinct on (tenant_id) tenant_id, to_version from promotion
           order by tenant_id, promotion_id desc) as last
          full join (select * from champion where role = 'champion') as champion using (tenant_id)
         where to_version is distinct from version""",
    "the history has a gap": """
        select * from (
          select tenant_id, from_version, kind,
                 lag(to_version) over (partition by tenant_id order by promotion_id) as former
            from promotion) as history
         where from_version is distinct from former
            or (kind = 'first model') <> (former is null)""",
    "the ledger and the history disagree": """
        select night_id, tenant_id, outcome, kind from ledger
          full join promotion using (night_id, tenant_id)
         where (outcome in ('first model', 'promoted')) is distinct from (kind is not null)
            or (outcome = 'first model') is distinct from (kind = 'first model')
           and kind is not null""",
    "a night was not closed, or a tenant's night did not end": """
        select night_id, tenant_id, state, status from ledger join night using (night_id)
         where state not in ('published', 'quarantined', 'failed', 'unchanged')
            or status = 'running' or outcome is null""",
    "a tenant's step was made twice": """
        select night_id, tenant_id, was, count(*) from chaos.step
         group by night_id, tenant_id, was having count(*) > 1""",
    # A task that ended records its number of tenants; they must be exactly the tenants whose step
    # was committed since the task began.
    "an attempt worked on tenants that were done": """
        select night_id, stage, shard, attempt, tenants, made from shard_run
          cross join lateral (
            select count(*) as made from chaos.step
             where step.night_id = shard_run.night_id and step.shard = shard_run.shard
               and step.happened_at >= shard_run.started_at
               and step.happened_at <= shard_run.finished_at
               and step.was = case stage when 'validate' then 'planned'
                 when 'train_and_judge' then 'validated' when 'publish' then 'judged' end) as since
         where finished_at is not null and made <> tenants""",
}


def install(url: str) -> None:
    """Make the database record every change of state from now on."""
    with closing(psycopg2.connect(url)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(_INSTALL)
        connection.commit()


def violations(settings: RegistrySettings, work: Path | None = None) -> list[str]:
    """Everything that does not hold, in words; empty when all is well.

    Args:
        settings: settings of the stack, whose processes have ended.
        work: where ``tests.chaos.tasks`` recorded the tenants that it began to work on.
    """
    with closing(connect(database_settings().database_url)) as connection:
        found = [
            f"{what}: {row}" for what, text in _CHECKS.items() for row in _rows(connection, text)
        ]
        found += _mlflow_disagrees(connection, settings)
        found += _runs_are_not_one(connection, settings)
        if work is not None:
            found += _done_again(connection, work)
    return found


def failures() -> Counter[str]:
    """Reasons of failed tenants, with their numbers."""
    with closing(connect(database_settings().database_url)) as connection:
        return Counter(
            reason
            for (reason,) in _rows(connection, "select reason from ledger where state = 'failed'")
        )


def nights() -> Counter[str]:
    """Outcomes of the tenants' nights, and of the nights."""
    with closing(connect(database_settings().database_url)) as connection:
        rows = _rows(connection, "select outcome, count(*) from ledger group by 1")
        rows += _rows(connection, "select 'nights ' || status, count(*) from night group by 1")
    return Counter(dict(rows))


def _mlflow_disagrees(connection: Connection, settings: RegistrySettings) -> Iterator[str]:
    """Aliases against champions on record; versions against the promotion history."""
    champions: defaultdict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    for tenant_id, role, version, run_id in _rows(
        connection, "select tenant_id, role, version, run_id from champion"
    ):
        champions[tenant_id][role] = (version, run_id)
    promoted: defaultdict[str, set[int]] = defaultdict(set)
    for tenant_id, version in _rows(connection, "select tenant_id, to_version from promotion"):
        promoted[tenant_id].add(version)
    connection.rollback()
    models = Registry(settings.mlflow_store_url, ArtifactStore(settings.artifact_root))
    aliases = dict(models.all_aliases())
    for tenant_id in sorted(champions.keys() | aliases.keys()):
        roles = {role: version for role, (version, _) in champions[tenant_id].items()}
        on_record = Aliases(roles.get("champion"), roles.get("previous"))
        in_mlflow = aliases.get(tenant_id, Aliases(None, None))
        if on_record != in_mlflow:
            yield f"MLflow's aliases of {tenant_id} are {in_mlflow}, on record are {on_record}"
        versions = {version.version: version for version in models.versions(tenant_id)}
        for version, run_id in champions[tenant_id].values():
            if version not in versions or versions[version].run_id != run_id:
                yield f"MLflow's version {version} of {tenant_id} is not of run {run_id}"
        orphans = {
            number
            for number, version in versions.items()
            if version.tags.get("verdict") != "not promoted"
        } - promoted[tenant_id]
        if orphans:
            yield f"MLflow has versions {orphans} of {tenant_id} that were never promoted"
        if missing := promoted[tenant_id] - versions.keys():
            yield f"MLflow lacks versions {missing} of {tenant_id} that were promoted"
        runs = Counter(version.run_id for version in versions.values())
        if twice := [run for run, count in runs.items() if count > 1]:
            yield f"MLflow has more than one version of the runs {twice} of {tenant_id}"


def _runs_are_not_one(connection: Connection, settings: RegistrySettings) -> Iterator[str]:
    """Runs in MLflow against challengers in the ledger, per tenant and night."""
    with closing(psycopg2.connect(settings.mlflow_store_url)) as store:
        runs = dict(
            _pairs(
                store,
                "select tenant.value, night.value, count(*) from tags as tenant "
                "join tags as night using (run_uuid) "
                "where tenant.key = 'tenant' and night.key = 'night' group by 1, 2",
            )
        )
    judged = _rows(
        connection,
        "select tenant_id, run_id from ledger join night using (night_id) "
        "where challenger ->> 'run_id' is not null",
    )
    for key in judged:
        if runs.pop(key, 0) != 1:
            yield f"MLflow has not one run of {key}"
    # A tenant that failed during judging may have its run but not its step.
    failed = set(
        _rows(
            connection,
            "select tenant_id, run_id from ledger join night using (night_id) "
            "where state = 'failed'",
        )
    )
    for key, count in runs.items():
        if key not in failed or count > 1:
            yield f"MLflow has {count} runs of {key}, the ledger none"


def _done_again(connection: Connection, work: Path) -> Iterator[str]:
    """Work on a tenant that began after its step had been committed."""
    done = {
        (str(night_id), was, tenant_id): happened_at
        for night_id, was, tenant_id, happened_at in _rows(
            connection,
            "select night_id, was, tenant_id, extract(epoch from happened_at)::float "
            "from chaos.step",
        )
    }
    for line in work.read_text().splitlines():
        night_id, was, tenant_id, began = line.split()
        if float(began) > done.get((night_id, was, tenant_id), float("inf")):
            yield f"night {night_id} did {tenant_id} again, which was {was} no more"


def _rows(connection: Connection, text: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def _pairs(connection: Connection, text: str) -> Iterator[tuple[tuple[str, str], int]]:
    for tenant_id, night, count in _rows(connection, text):
        yield (tenant_id, night), count
