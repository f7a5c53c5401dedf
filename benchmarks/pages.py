"""How fast the Fleet page of thousands of tenants is.

``make bench-pages`` fills the tables of a database of its own with generated tenants and nights, as
long and as wide as what real nights leave, and asks the app for pages as the browser does: from the
request to the whole page, the database in between. Every address is asked many times; the median
and the slowest are printed. The exit code is 1 when a median is past what is promised.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks._home import bench_home, machine, point_settings
from benchmarks.demands import Demand, at_most, conclude
from recfleet.database import Connection, connect, migrate
from recfleet.pages import LazyApp, Visitor
from recfleet.settings import database_settings

if TYPE_CHECKING:
    from starlette.requests import Request

PROMISED_MS = {4_000: 200, 40_000: 500}
"""Tenants -> milliseconds within which a page of the table answers."""

_TENANTS = """
insert into tenant (tenant_id, name, mode)
select 'shop-' || to_char(number, 'FM00000'), 'Shop number ' || number,
       case when number %% 50 = 0 then 'off' when number %% 31 = 0 then 'frozen' else 'on' end
  from generate_series(1, %(tenants)s) as number
"""

# Hashes of tenant and night give outcomes and numbers.
_LEDGER = """
insert into ledger (night_id, tenant_id, mode, policy, shard, estimated_ms, basis, state, verdict,
                    outcome, reason, numbers, challenger, timings)
select %(night)s, tenant_id, mode, '{"recipe": {"factors": 64, "holdout_days": 14}}', draw %% 16,
       1000, md5(tenant_id), 'published', 'keep', outcome,
       'The challenger''s error (RMSE) is 1.35%% lower than the champion''s, which may be chance '
       || 'or too little: at 99.5%% confidence it is anything from 0.17%% up, and 0.50%% is '
       || 'needed; the champion stays.',
       case when outcome in ('kept', 'promoted', 'rolled back') then jsonb_build_object(
         'gain', bounds || jsonb_build_object('over', 'champion', 'ndcg_at_10', bounds,
                                              'recall_at_10', bounds),
         'holdout', jsonb_build_object('start', now(), 'truths', draw %% 900, 'customers',
                                       draw %% 300, 'candidates', draw %% 2000),
         'contenders', jsonb_build_object('champion', scores, 'challenger', scores,
                                          'previous', scores, 'popularity', scores),
         'confidence', 0.995, 'minimum_gain', 0.005) end,
       jsonb_build_object('run_id', md5(tenant_id), 'fingerprint', md5('f' || tenant_id),
                          'model_uri', 's3://models/als-' || tenant_id || '/' || md5(tenant_id)),
       (select jsonb_object_agg(part, draw / 1e7) from unnest(%(parts)s::text[]) as part)
  from (select tenant_id, mode, draw,
               case when draw %% 211 = 0 then 'failed' when draw %% 97 = 0 then 'quarantined'
                    when draw %% 101 = 0 then 'promoted' when draw %% 331 = 0 then 'rolled back'
                    when draw %% 5 = 0 then 'unchanged' else 'kept' end as outcome,
               jsonb_build_object('low', draw / 3e9, 'high', draw / 2e9, 'value', draw / 2.5e9,
                                  'standard_error', draw / 1e11) as bounds,
               jsonb_build_object('rmse', 0.45 + draw / 1e11, 'skill', draw / 2e10 - 0.01,
                                  'ndcg_at_10', draw / 3e10, 'recall_at_10', draw / 2e10) as scores
          from (select tenant_id, mode, abs(hashtext(tenant_id || %(night)s)::bigint) as draw
                  from tenant where mode <> 'off') as drawn) as decided
"""

_RELEASES = """
with made as (
  insert into release (tenant_id, night_id, served_by, model_version, as_of, fingerprint, customers,
                       from_model, popular_products, popular_scores, checks)
  select tenant_id, night_id, 'model', 1, as_of, md5(tenant_id), 300, 290,
         array_fill('P00001'::text, array[20]), array_fill(0.5::real, array[20]), '[]'
    from ledger join night using (night_id)
   where night_id = %(night)s and outcome in ('kept', 'promoted')
  returning release_id, tenant_id, night_id)
update ledger set release_id = made.release_id from made
 where made.tenant_id = ledger.tenant_id and made.night_id = ledger.night_id
"""

_LIVE = """
insert into champion (tenant_id, role, version, run_id, model_uri, train_end, night_id)
select tenant_id, 'champion', 1, md5(tenant_id), 's3://models', now(), %(first)s from tenant;
insert into live_release (tenant_id, release_id, night_id)
select distinct on (tenant_id) tenant_id, release_id, night_id from release
 order by tenant_id, night_id desc
"""

_PARTS = (
    "train.fit", "train.read", "train.write", "judge.read", "judge.score", "judge.weigh",
    "judge.mlflow", "publish.read", "publish.check", "publish.write", "publish.recommend",
    "publish.total", "train_and_judge.total", "validate.total", "validate.profile",
)  # fmt: skip

_PAGES = {
    "the Fleet as it opens": "/fleet",
    "… a search": "/fleet?q=number+12",
    "… kept tenants, the best first, page 7": "/fleet?outcome=kept&sort=-skill&page=7",
    "… tenants that need a person, oldest lists first": "/fleet?attention=any&sort=lists",
    "a tenant": "/tenants/shop-00123",
    "a night": "/nights/{night}",
}
_OF_THE_TABLE = 4


class _Door:
    """Stands in for Airflow and lets one reader in."""

    secret = "benchmark"

    async def visitor(self, _: Request) -> Visitor | None:
        """A reader."""
        return Visitor("reader", may_read=True, may_trigger=lambda _: False)

    def login_address(self, back_to: str) -> str:
        """Never needed."""
        return back_to

    def trigger(self, dag_id: str, conf: Mapping[str, Any], by: Visitor) -> str:
        """Never called: a reader may trigger no DAG, so the pages refuse before."""
        raise PermissionError(
            f"{by.name} may only read, and cannot trigger {dag_id} with {dict(conf)}"
        )


def main() -> int:
    """Fill, ask and print; the exit code is 1 if a demand is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, nargs="+", default=list(PROMISED_MS))
    parser.add_argument("--nights", type=int, default=10, help="that have rows in the ledger")
    parser.add_argument("--requests", type=int, default=25, help="for each address")
    options = parser.parse_args()
    print(f"{machine()}; {options.nights} nights in the ledger, 400 on record", flush=True)
    return conclude(demand for tenants in options.tenants for demand in _measure(tenants, options))


def _measure(tenants: int, options: argparse.Namespace) -> list[Demand]:
    """Ask for every page; returns the demands on the table's pages.

    A number of tenants that PROMISED_MS lacks has the limit of the next larger one.
    """
    limit = min((ms for size, ms in PROMISED_MS.items() if size >= tenants), default=float("inf"))
    with bench_home(None) as (home, server):
        for name in ("recfleet", "mlflow"):
            server.create_database(name)
        point_settings(home, server, {})
        url = database_settings().database_url
        migrate(url)
        with closing(connect(url)) as connection:
            night = _fill(connection, tenants, options.nights)
        print(f"\n{tenants:,} tenants\n", flush=True)
        print("| page | median, ms | slowest, ms | kB |\n| --- | --- | --- | --- |")
        app = LazyApp(_Door)
        demands = []
        for number, (name, address) in enumerate(_PAGES.items()):
            spent, size = asyncio.run(_ask(app, address.format(night=night), options.requests))
            median = statistics.median(spent)
            if number < _OF_THE_TABLE:
                demands.append(at_most(f"{name}, {tenants:,} tenants, median", median, limit, "ms"))
            print(f"| {name} | {median:.0f} | {max(spent):.0f} | {size / 1024:.0f} |", flush=True)
        return demands


def _fill(connection: Connection, tenants: int, nights: int) -> int:
    """Write tenants, nights, releases; returns the last night's number."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_TENANTS, {"tenants": tenants})
        cursor.execute(
            "insert into night (run_id, as_of, status, finished_at, summary) "
            "select 'night-' || number, now() - (401 - number) * interval '1 day', 'done', now(), "
            '\'{"outcomes": {"kept": 9}, "modes": {"on": 9}}\' '
            "from generate_series(1, 400) as number order by number returning night_id"
        )
        numbers = [night for (night,) in cursor.fetchall()]
    for night in numbers[-nights:]:
        with connection, connection.cursor() as cursor:
            cursor.execute(_LEDGER, {"night": night, "parts": list(_PARTS)})
            cursor.execute(_RELEASES, {"night": night})
    with connection, connection.cursor() as cursor:
        cursor.execute(_LIVE, {"first": numbers[0]})
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze")
    last: int = numbers[-1]
    return last


async def _ask(app: LazyApp, address: str, requests: int) -> tuple[list[float], int]:
    """Milliseconds of each request except the first, and the bytes of the page."""
    spent = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://bench"
    ) as client:
        for _ in range(requests + 1):
            started = time.perf_counter()
            answer = await client.get(address)
            spent.append(1000 * (time.perf_counter() - started))
            answer.raise_for_status()
    return spent[1:], len(answer.content)


if __name__ == "__main__":
    sys.exit(main())
