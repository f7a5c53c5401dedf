"""A fleet in the tables: its rows, what is added later, and what is broken."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from recfleet.database import Connection, connect, transaction
from recfleet.errors import BadInputError
from recfleet.interactions import read_catalogue, read_log
from recfleet.synthetic import (
    TROUBLES,
    UNTIL,
    SeededTenant,
    Traits,
    World,
    find_fleet,
    fleet_truth,
    seed,
)
from recfleet.tenants import list_tenants
from tests.synthetic.logs import make_log, midnight, of_size

pytestmark = pytest.mark.postgres

# A bit of everything that can happen to a tenant; small, so that seeding is quick.
WORLD = World(
    seed=16,
    median_size=600,
    size_sigma=0.5,
    smallest=300,
    largest=1500,
    thin=0.1,
    broken=0.4,
    drift=0.2,
    broken_smallest=800,
)
TENANTS = 15
EARLIER = date(2025, 12, 23)


def contents(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that a seeding makes, in order, without its time, step and number."""
    queries = {
        "tenant": "select tenant_id, name, mode, policy::text from tenant",
        "product": "select * from product",
        "interaction": "select * from interaction",
        "unusable": "select tenant_id, placed_at, line_hash, reason, line::text from unusable_line",
    }
    with connection.cursor() as cursor:
        result = {}
        for name, query in queries.items():
            cursor.execute(f"{query} order by 1, 2, 3")
            result[name] = cursor.fetchall()
    return result


@pytest.fixture
def other_connection(connection: Connection, postgres_server: Any, _template: str) -> Any:
    """A connection to a second fresh database."""
    postgres_server.create_database("other_fleet", template=_template)
    other = connect(postgres_server.url("other_fleet"))
    yield other
    other.close()
    postgres_server.drop_database("other_fleet")


def test_days_and_tenants_that_are_added_are_those_of_seeding_at_once(
    connection: Connection, other_connection: Connection
) -> None:
    seed(connection, WORLD, tenants=4, until=date(2025, 9, 10))
    seed(connection, WORLD, tenants=TENANTS, until=EARLIER)
    seed(connection, WORLD, tenants=TENANTS, until=EARLIER + timedelta(days=1))
    seed(connection, WORLD, tenants=TENANTS, until=UNTIL)
    seed(other_connection, WORLD, tenants=TENANTS, until=UNTIL)
    in_steps, at_once = contents(connection), contents(other_connection)
    for table, rows in at_once.items():
        assert rows, table
        assert in_steps[table] == rows, table


def test_the_same_again_adds_nothing_and_says_so(connection: Connection) -> None:
    first = seed(connection, WORLD, tenants=5)
    before = contents(connection)
    again = seed(connection, WORLD, tenants=5)
    assert not first.nothing_new
    assert again.nothing_new
    assert again.interactions == 0
    assert [tenant.traits for tenant in again.tenants] == fleet_truth(WORLD, 5)
    assert contents(connection) == before


def test_an_earlier_day_or_fewer_tenants_take_nothing_away(connection: Connection) -> None:
    seed(connection, WORLD, tenants=5)
    before = contents(connection)
    assert seed(connection, WORLD, tenants=2, until=EARLIER).nothing_new
    assert contents(connection) == before


def test_a_log_is_what_was_drawn(connection: Connection) -> None:
    world = of_size(1500)
    (tenant,) = fleet_truth(world, 1)
    report = seed(connection, world, tenants=1)
    there = read_log(connection, tenant.tenant_id, midnight(UNTIL))
    drawn = make_log(world, tenant, UNTIL)
    assert len(there) == len(drawn) == report.interactions
    for column in ("occurred_at", "quantity", "amount"):
        assert getattr(there, column).tolist() == getattr(drawn, column).tolist()
    for ids, which in (("customer_ids", "customer"), ("product_ids", "product")):
        said = getattr(there, ids)[getattr(there, which)]
        assert said.tolist() == getattr(drawn, ids)[getattr(drawn, which)].tolist()


def test_the_report_is_what_the_tables_hold(connection: Connection) -> None:
    report = seed(connection, WORLD, tenants=TENANTS)
    assert [tenant.tenant_id for tenant in list_tenants(connection)] == sorted(
        tenant.traits.tenant_id for tenant in report.tenants
    )
    for tenant in report.tenants:
        interactions = _count(connection, tenant, "interaction", "true")
        assert tenant.interactions == interactions > 0
        unusable = _count(connection, tenant, "unusable_line", "true")
        assert sum(tenant.unusable.values()) == unusable
    with connection.cursor() as cursor:
        cursor.execute("select sum(added) from ingest")
        assert cursor.fetchone() == (report.interactions,)


def test_discontinued_products_are_in_the_catalogue(connection: Connection) -> None:
    world = of_size(3000, product_weeks=20)
    seed(connection, world, tenants=1)
    tenant_id = fleet_truth(world, 1)[0].tenant_id
    early = read_catalogue(connection, tenant_id, datetime(2025, 7, 20, tzinfo=UTC))
    late = read_catalogue(connection, tenant_id, midnight(UNTIL))
    assert 0.02 < early.discontinued.mean() < 0.3
    assert 0.3 < late.discontinued.mean() < 0.8
    assert len(set(late.names.values())) == len(late.product_ids)
    log = read_log(connection, tenant_id, midnight(UNTIL))
    assert set(log.product_ids) <= set(late.product_ids)


def test_thin_tenants_have_fewer_customers_than_are_needed(connection: Connection) -> None:
    seed(connection, World(seed=1, thin=1, broken=0, drift=0), tenants=20)
    with connection.cursor() as cursor:
        cursor.execute("select count(distinct customer_id) from interaction group by tenant_id")
        assert max(customers for (customers,) in cursor) < 30


def _count(connection: Connection, tenant: SeededTenant, table: str, condition: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"select count(*) from {table} where tenant_id = %s and {condition}",
            (tenant.traits.tenant_id,),
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


BEFORE, SINCE = "occurred_at < '{day}'", "occurred_at >= '{day}'"


@pytest.mark.parametrize(
    ("trouble", "reasons"),
    [
        ("missing customers", {"no customer"}),
        ("future dates", {"time in the future"}),
        ("wrong types", {"missing number", "unreadable number", "unreadable time"}),
        ("duplicated days", set()),
        ("prices of zero", set()),
    ],
)
def test_a_broken_tenant_is_broken_as_stated_from_the_stated_day(
    connection: Connection, trouble: str, reasons: set[str]
) -> None:
    world = of_size(4000, broken=1.0)
    number = next(t.number for t in fleet_truth(world, 24) if t.trouble == trouble)
    report = seed(connection, world, tenants=number + 1)
    tenant = report.tenants[number]
    day = tenant.traits.trouble_day
    assert day is not None
    assert set(tenant.unusable) == reasons

    def count(table: str, condition: str) -> int:
        return _count(connection, tenant, table, condition.format(day=day))

    assert count("unusable_line", "placed_at < '{day}'") == 0
    assert count("interaction", f"{BEFORE} and repetition > 1") == 0
    assert count("interaction", f"{BEFORE} and amount = 0") == 0
    since = count("interaction", SINCE)
    unusable = sum(tenant.unusable.values())
    repeated = count("interaction", f"{SINCE} and repetition = 2")
    free = count("interaction", f"{SINCE} and amount = 0")
    affected = {"duplicated days": repeated, "prices of zero": free}.get(trouble, unusable)
    assert affected / (since + unusable) == pytest.approx(0.5, abs=0.12)
    assert repeated + free + unusable == affected


def test_these_tests_meet_every_trouble() -> None:
    assert {tenant.trouble for tenant in fleet_truth(WORLD, TENANTS)} == {None, *TROUBLES}


def test_another_world_is_refused(connection: Connection) -> None:
    seed(connection, WORLD, tenants=2)
    before = contents(connection)
    other = WORLD.model_copy(update={"seed": 999})
    with pytest.raises(BadInputError, match=r"2 synthetic tenants made with seed 16; .* seed 999"):
        seed(connection, other, tenants=2)
    assert contents(connection) == before


@pytest.mark.parametrize(
    ("tenants", "until", "words"),
    [(0, UNTIL, "0 tenants"), (3, date(2025, 6, 29), "begins on 2025-06-29")],
)
def test_what_cannot_be_is_refused(
    connection: Connection, tenants: int, until: date, words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        seed(connection, WORLD, tenants=tenants, until=until)


def test_two_seedings_at_a_time_are_refused(connection: Connection, database_url: str) -> None:
    other = connect(database_url)
    with other.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(7310579204416)")
    with pytest.raises(BadInputError, match="Another `recfleet seed`"):
        seed(connection, WORLD, tenants=1)
    other.close()


def test_an_interrupted_seeding_is_gone_on_with(
    connection: Connection, other_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recfleet.synthetic._seed._TENANTS_OF_A_JOB", 4)

    def interrupt(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(connection, WORLD, tenants=TENANTS, progress=interrupt)
    assert 0 < len(list_tenants(connection)) < TENANTS
    assert not seed(connection, WORLD, tenants=TENANTS).nothing_new
    seed(other_connection, WORLD, tenants=TENANTS)
    assert contents(connection) == contents(other_connection)


@pytest.mark.slow
def test_several_processes_write_what_one_does(
    connection: Connection,
    database_url: str,
    other_connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recfleet.synthetic._seed._LINES_WORTH_A_PROCESS", 1000)
    monkeypatch.setattr("recfleet.synthetic._seed._TENANTS_OF_A_JOB", 4)
    told: list[tuple[int, int]] = []
    several = seed(
        database_url, WORLD, tenants=TENANTS, workers=2, progress=lambda *at: told.append(at)
    )
    one = seed(other_connection, WORLD, tenants=TENANTS)
    assert contents(connection) == contents(other_connection)
    assert several.tenants == one.tenants
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1]
    assert len(told) == 5


def test_what_is_there_is_found(connection: Connection) -> None:
    assert find_fleet(connection) is None
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute("insert into ingest (source, fingerprint) values ('sales.csv', 'f')")
    assert find_fleet(connection) is None
    seed(connection, WORLD, tenants=3, until=EARLIER)
    seed(connection, WORLD, tenants=2, until=UNTIL)
    fleet = find_fleet(connection)
    assert fleet is not None
    assert fleet.world == WORLD
    assert fleet.reached == (UNTIL, UNTIL, EARLIER)
    assert fleet.until == UNTIL


def test_traits_are_plain_facts() -> None:
    tenant: Traits = fleet_truth(World(seed=7), 1)[0]
    assert tenant.tenant_id.endswith("-0001")
    assert tenant.name.endswith(" 1")
