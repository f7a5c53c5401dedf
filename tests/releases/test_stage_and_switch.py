"""Staging and switching on real Postgres: readers never see half of a change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pytest

from recfleet.database import Connection, connect, copy_rows, transaction
from recfleet.errors import TenantError
from recfleet.releases import Check, Lists, create_partition, kept_release, switch_live
from recfleet.releases._wire import copy_lists
from tests.releases._worlds import add_night, lists_of, make_champion, random_lists, stage
from tests.roles import administer

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event


pytestmark = pytest.mark.postgres

FAILED = [Check("finite scores", True, "fine"), Check("falling scores", False, "customer 'c'")]
SMALL = lists_of({"c": [("p", 2.0), ("q", 1.0)], "d": []}, [("q", 0.5)])
OTHER = lists_of({"c": [("r", 9.0)], "e": [("p", 8.0), ("r", 7.0)]}, [("r", 0.25)])
NASTY = [
    "NULL",
    "null",
    "\\N",
    "\\.",
    "{}",
    '{"a","b"}',
    "",
    " ",
    "quo\"te'd",
    "line\nbreak",
    "carriage\r\nreturn",
    "tab\tbed",
    "back\\slash\\",
    "comma,ted",
    "naïve 人 🛒",
    "'; drop table recommendation; --",
    "%s %(x)s",
    "\x01\x1b[31m\x7f",
]


WAITING = (
    "select pid from pg_stat_activity "
    "where wait_event_type = 'Lock' and datname = current_database() "
    "and backend_type = 'client backend'"
)


def rows(connection: Connection, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def live(connection: Connection) -> list[tuple[Any, ...]]:
    return rows(
        connection,
        "select customer_id, rank, product_id, score, model_version, release_id, source "
        "from live_recommendation order by customer_id, rank",
    )


@contextmanager
def other_connection(url: str) -> Iterator[Connection]:
    with closing(connect(url)) as connection:
        connection.autocommit = True
        yield connection


def test_any_id_arrives_as_it_is(connection: Connection) -> None:
    night_id = add_night(connection)
    places = [(product, float(100 - rank)) for rank, product in enumerate(NASTY)]
    lists = lists_of(dict.fromkeys(NASTY, places), places)
    release_id = stage(connection, night_id, lists)
    switch_live(connection, {"acme": release_id})
    connection.commit()
    expected = [
        (customer, rank, product, score)
        for customer in NASTY
        for rank, (product, score) in enumerate(places, start=1)
    ]
    found = rows(connection, "select customer_id, rank, product_id, score from live_recommendation")
    assert sorted(found) == sorted(expected)
    assert rows(connection, "select rank, product_id, score from live_popular order by rank") == [
        (rank, product, score) for rank, (product, score) in enumerate(places, start=1)
    ]


def test_every_column_of_a_release(connection: Connection) -> None:
    night_id = add_night(connection)
    lists = lists_of(
        {"c": [("p", 2.0), ("q", 1.5)], "d": [("q", 0.5)], "e": []},
        [("q", 0.5)],
        from_model=frozenset("c"),
    )
    make_champion(connection, 3)
    release_id = stage(connection, night_id, lists, version=3)
    switch_live(connection, {"acme": release_id})
    connection.commit()
    assert live(connection) == [
        ("c", 1, "p", 2.0, 3, release_id, "taste"),
        ("c", 2, "q", 1.5, 3, release_id, "taste"),
        ("d", 1, "q", 0.5, 3, release_id, "popular"),
    ]
    assert rows(
        connection,
        "select served_by, run_id, fingerprint, customers, from_model, popular_products, checks "
        "from release",
    ) == [
        (
            "model",
            "run-of-3",
            "abc",
            3,
            1,
            ["q"],
            [{"name": "finite scores", "passed": True, "detail": "all of them"}],
        )
    ]


def test_the_fast_way_writes_what_the_plain_way_writes(connection: Connection) -> None:
    night_id = add_night(connection)
    lists = lists_of(
        {"c": [("p", 0.1), ("NULL", float(np.float32(1 / 3)))], "d": [], "'\\\n": [("p", -1e-30)]},
        [],
        from_model=frozenset("c"),
    )
    plain = [
        (
            night_id,
            1,
            lists.customer_ids[customer],
            [lists.product_ids[p] for p in lists.products[first:last]],
            lists.scores[first:last].tolist(),
            "taste" if from_model else "popular",
            None,
            None,
        )
        for customer, first, last, from_model in zip(
            lists.customers, lists.starts[:-1], lists.starts[1:], lists.from_model, strict=True
        )
    ]
    columns = ["night_id", "release_id", "customer_id", "products", "scores", "source"]
    columns += ["kinds", "sources"]
    select = f"select {', '.join(columns)} from recommendation order by customer_id"
    copy_rows(connection, "recommendation", columns, plain)
    expected = rows(connection, select)
    connection.rollback()
    copy_lists(connection, [(1, lists)], night_id=night_id)
    assert rows(connection, select) == expected
    assert len(expected) == 3


def test_lists_are_sent_in_pieces(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recfleet.releases._wire._PIECE", 7)
    lists = random_lists(np.random.default_rng(1), customers=30, length=4, products=9)
    stage(connection, add_night(connection), lists)
    found = rows(connection, "select customer_id, products, scores from recommendation order by 1")
    expected = sorted(
        (
            lists.customer_ids[customer],
            lists.product_ids[lists.products[4 * customer : 4 * customer + 4]].tolist(),
            lists.scores[4 * customer : 4 * customer + 4].tolist(),
        )
        for customer in range(30)
    )
    assert [customer for customer, *_ in found] == [customer for customer, *_ in expected]
    assert [products for _, products, _ in found] == [products for _, products, _ in expected]
    np.testing.assert_array_equal(
        np.array([scores for *_, scores in found], np.float32),
        np.array([scores for *_, scores in expected], np.float32),
    )


@pytest.mark.parametrize("version", [None, 1])
def test_staging_again_replaces_and_keeps_the_number(
    connection: Connection, version: int | None
) -> None:
    night_id = add_night(connection)
    first = stage(connection, night_id, SMALL, version=version)
    connection.commit()
    assert stage(connection, night_id, OTHER, version=version) == first
    connection.commit()
    assert rows(connection, "select customers, popular_products from release") == [(2, ["r"])]
    assert rows(connection, "select customer_id, products from recommendation order by 1") == [
        ("c", ["r"]),
        ("e", ["p", "r"]),
    ]


def test_a_night_can_hold_releases_of_two_versions(connection: Connection) -> None:
    night_id = add_night(connection)
    releases = [stage(connection, night_id, SMALL, version=version) for version in (1, 2)]
    assert len({*releases, stage(connection, night_id, SMALL)}) == 3


def test_nothing_is_seen_before_the_commit(connection: Connection, database_url: str) -> None:
    night_id = add_night(connection)
    with other_connection(database_url) as reader:
        release_id = stage(connection, night_id, SMALL)
        switch_live(connection, {"acme": release_id})
        assert live(reader) == []
        connection.commit()
        assert [row[5] for row in live(reader)] == [release_id, release_id]


def test_a_release_that_failed_its_checks_is_never_live(connection: Connection) -> None:
    night_id = add_night(connection)
    release_id = stage(connection, night_id, SMALL, checks=FAILED)
    with pytest.raises(TenantError, match="failed its checks: falling scores: customer 'c'"):
        switch_live(connection, {"acme": release_id})
    unchecked = stage(connection, night_id, SMALL, checks=[])
    with pytest.raises(TenantError, match="was never checked"):
        switch_live(connection, {"acme": unchecked})
    assert live(connection) == []


def test_a_live_release_is_not_replaced_by_lists_that_failed(connection: Connection) -> None:
    night_id = add_night(connection)
    with transaction(connection):
        switch_live(connection, {"acme": stage(connection, night_id, SMALL)})
    before = live(connection)
    with (
        pytest.raises(TenantError, match="is live and was not replaced"),
        transaction(connection),
    ):
        stage(connection, night_id, OTHER, checks=FAILED)
    assert live(connection) == before


def test_a_release_that_is_not_complete_is_never_live(connection: Connection) -> None:
    release_id = stage(connection, add_night(connection), SMALL)
    rows(connection, "delete from recommendation where customer_id = 'd' returning 1")
    with pytest.raises(TenantError, match="not complete: it has 1 of 2 lists"):
        switch_live(connection, {"acme": release_id})


def test_a_release_of_somebody_else_is_never_live(connection: Connection) -> None:
    night_id = add_night(connection, ("acme", "other"))
    release_id = stage(connection, night_id, SMALL, tenant_id="other")
    for wrong in (release_id, release_id + 1):
        with pytest.raises(TenantError, match=f"no release {wrong} of acme"):
            switch_live(connection, {"acme": wrong})
    connection.commit()
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        rows(
            connection,
            "insert into live_release (tenant_id, release_id, night_id) values ('acme', %s, %s) "
            "returning 1",
            release_id,
            night_id,
        )


def test_switching_to_what_is_live_changes_nothing(connection: Connection) -> None:
    release_id = stage(connection, add_night(connection), SMALL)
    seen = set()
    for _ in range(2):
        with transaction(connection):
            switch_live(connection, {"acme": release_id})
        seen |= set(rows(connection, "select release_id, switched_at from live_release"))
        connection.commit()
    assert len(seen) == 1


def test_no_commit_leaves_live_lists_of_a_model_that_is_not_the_champion(
    connection: Connection,
) -> None:
    night_id = add_night(connection)
    one, two = (stage(connection, night_id, SMALL, version=version) for version in (1, 2))
    connection.commit()
    with (
        pytest.raises(psycopg2.errors.RaiseException, match=r"version 1, its champion is missing"),
        transaction(connection),
    ):
        switch_live(connection, {"acme": one})
    with transaction(connection):  # in either order
        switch_live(connection, {"acme": one})
        make_champion(connection, 1)
    for change in (
        lambda: switch_live(connection, {"acme": two}),
        lambda: make_champion(connection, 2),
        lambda: rows(connection, "delete from champion returning 1"),
    ):
        with (
            pytest.raises(psycopg2.errors.RaiseException, match="live release"),
            transaction(connection),
        ):
            change()
    with transaction(connection):
        make_champion(connection, 2)
        switch_live(connection, {"acme": two})
    with transaction(connection):  # popularity is not a model
        switch_live(connection, {"acme": stage(connection, night_id, SMALL)})
        make_champion(connection, 3)
    assert {row[4] for row in live(connection)} == {None}


def test_two_transactions_cannot_pull_champion_and_release_apart(
    connection: Connection, database_url: str
) -> None:
    """Each alone would be valid: one goes to version 2, the other back to version 1 and its
    lists."""
    night_id = add_night(connection)
    one, two = (stage(connection, night_id, SMALL, version=version) for version in (1, 2))
    make_champion(connection, 1)
    switch_live(connection, {"acme": stage(connection, night_id, SMALL)})
    connection.commit()
    with closing(connect(database_url)) as other:
        make_champion(connection, 2)
        switch_live(other, {"acme": one})
        refused = []
        with other.cursor() as cursor:  # both read before either has committed
            cursor.execute("set constraints all immediate")
        waiting = threading.Thread(target=lambda: refused.append(_commit(connection)))
        waiting.start()
        with other_connection(database_url) as third:
            while waiting.is_alive() and not rows(third, WAITING):
                time.sleep(0.01)
        other.commit()
        waiting.join()
        assert refused == [True]
    assert rows(connection, "select version from champion") == [(1,)]
    assert {row[5] for row in live(connection)} == {one}
    assert two != one


def _commit(connection: Connection) -> bool:
    try:
        connection.commit()
    except psycopg2.errors.RaiseException:
        connection.rollback()
        return True
    return False


def test_the_newest_whole_release_of_a_version_is_found(connection: Connection) -> None:
    nights = [add_night(connection) for _ in range(5)]
    old, new, failed, broken = (
        stage(connection, night, SMALL, version=1, checks=checks)
        for night, checks in zip(
            nights, [[Check("x", True, "")]] * 2 + [FAILED] + [[Check("x", True, "")]], strict=False
        )
    )
    other = stage(connection, nights[4], SMALL, version=2)
    rows(connection, "delete from recommendation where release_id = %s returning 1", broken)
    assert kept_release(connection, "acme", 1) == new
    assert kept_release(connection, "acme", 2) == other
    assert kept_release(connection, "acme", 3) is None
    assert kept_release(connection, "acme", None) is None
    popular = stage(connection, nights[0], SMALL)
    assert kept_release(connection, "acme", None) == popular
    rows(connection, "delete from recommendation where release_id = %s returning 1", new)
    assert kept_release(connection, "acme", 1) == old
    assert failed not in (old, new)


def test_a_reader_sees_the_old_release_or_the_new_one(
    connection: Connection, database_url: str
) -> None:
    """Champion and release change repeatedly while another connection reads."""
    night_id = add_night(connection)
    lists = random_lists(np.random.default_rng(2), customers=60, length=5, products=40)
    releases = {version: stage(connection, night_id, lists, version=version) for version in (1, 2)}
    _crown(connection, 1, releases[1])
    stop = threading.Event()
    seen: set[tuple[Any, ...]] = set()
    reads = []

    def read() -> None:
        with other_connection(database_url) as reader:
            while not stop.is_set():
                seen.update(
                    rows(
                        reader,
                        "select release_id, model_version, count(*), count(distinct customer_id), "
                        "       (select version from champion where role = 'champion') "
                        "  from live_recommendation where tenant_id = 'acme' group by 1, 2",
                    )
                )
                reads.append(1)

    thread = threading.Thread(target=read)
    thread.start()
    turn = 0
    while turn < 100 or len(reads) < 100:
        turn += 1
        version = 1 + turn % 2
        if turn % 5 == 0:
            stage(connection, night_id, lists, version=version)  # over again, live or not
        _crown(connection, version, releases[version])
    stop.set()
    thread.join()
    assert seen == {
        (release_id, version, 300, 60, version) for version, release_id in releases.items()
    }


def _crown(connection: Connection, version: int, release_id: int) -> None:
    with transaction(connection):
        make_champion(connection, version)
        switch_live(connection, {"acme": release_id})


def test_a_backend_that_dies_in_the_middle_of_copy_leaves_nothing(
    connection: Connection, database_url: str
) -> None:
    night_id = add_night(connection)
    with other_connection(database_url) as other, closing(connect(database_url)) as blocker:
        rows(blocker, "select 1 from recommendation")
        with blocker.cursor() as cursor:
            cursor.execute("lock table recommendation in exclusive mode")
        died = []

        def stage_until_dead() -> None:
            try:
                stage(connection, night_id, SMALL)
            except psycopg2.OperationalError:
                died.append(True)

        thread = threading.Thread(target=stage_until_dead)
        thread.start()
        while not (found := rows(other, WAITING)):
            time.sleep(0.01)
        rows(other, "select pg_terminate_backend(%s)", found[0][0])
        thread.join()
        assert died == [True]
        blocker.rollback()
        assert rows(other, "select count(*) from release") == [(0,)]
        assert rows(other, "select count(*) from recommendation") == [(0,)]
    with closing(connect(database_url)) as again, transaction(again):
        switch_live(again, {"acme": stage(again, night_id, SMALL)})
        assert len(live(again)) == 2


def _publish_for_ever(url: str, night_id: int, ready: Event) -> None:
    connection = connect(url)
    lists = random_lists(np.random.default_rng(3), customers=2000, length=10, products=50)
    ready.set()
    for turn in count():
        version = 1 + turn % 2
        release_id = stage(connection, night_id, lists, version=version)
        connection.commit()
        _crown(connection, version, release_id)


def test_a_process_killed_at_any_moment_leaves_whole_releases(
    connection: Connection, database_url: str
) -> None:
    night_id = add_night(connection)
    # Forked by a process without threads that has already imported everything.
    processes = get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    rng = np.random.default_rng()
    killed = published = 0
    while killed < 8 or not published:
        ready = processes.Event()
        process = processes.Process(target=_publish_for_ever, args=(database_url, night_id, ready))
        process.start()
        assert ready.wait(300)
        # The pauses grow, so that on any machine something is published.
        time.sleep(rng.uniform(0, 0.1 * (killed + 1)))
        process.kill()
        process.join()
        killed += 1
        _until_alone(connection)
        releases = rows(
            connection,
            "select (select count(*) from recommendation r where r.release_id = release.release_id)"
            "  from release",
        )
        assert {lists for (lists,) in releases} <= {2000}
        published = len(releases)
        assert rows(connection, "select count(*) from recommendation") == [(2000 * len(releases),)]
        assert {row[4] for row in live(connection)} == {
            version for (version,) in rows(connection, "select version from champion")
        }
        connection.commit()


def _until_alone(connection: Connection) -> None:
    """Wait for a killed client's backend to end."""
    while rows(
        connection,
        "select 1 from pg_stat_activity where datname = current_database() "
        "and pid <> pg_backend_pid() and backend_type = 'client backend'",
    ):
        connection.commit()
        time.sleep(0.01)


def test_a_partition_is_made_once(connection: Connection) -> None:
    night_id = add_night(connection)
    create_partition(connection, night_id)
    connection.commit()
    assert rows(
        connection, "select count(*) from pg_inherits where inhparent = 'recommendation'::regclass"
    ) == [(1,)]
    # A table that was made but not attached is used.
    administer(
        connection,
        f"alter table recommendation detach partition recommendation_night_{night_id}",
    )
    create_partition(connection, night_id)
    stage(connection, night_id, SMALL)


def test_partitions_are_made_by_several_at_once_and_wait_for_no_reader(
    connection: Connection, database_url: str
) -> None:
    with transaction(connection):
        switch_live(connection, {"acme": stage(connection, add_night(connection), SMALL)})
    reading = live(connection)  # its transaction stays open, and so do its locks
    failures: list[Exception] = []

    def make() -> None:
        try:
            with closing(connect(database_url)) as own, own.cursor() as cursor:
                cursor.execute("set lock_timeout = '120s'")
                for night_id in range(100, 105):
                    create_partition(own, night_id)
                    own.commit()
        except psycopg2.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert live(connection) == reading
    assert rows(
        connection, "select count(*) from pg_inherits where inhparent = 'recommendation'::regclass"
    ) == [(6,)]


def test_readers_do_not_wait_for_a_partition_in_the_making(
    connection: Connection, database_url: str
) -> None:
    with transaction(connection):
        switch_live(connection, {"acme": stage(connection, add_night(connection), SMALL)})
    create_partition(connection, 200)  # not committed yet
    with other_connection(database_url) as reader:
        rows(reader, "select set_config('lock_timeout', '120s', false)")
        assert len(live(reader)) == 2
        stage(reader, 1, OTHER)


def test_lists_need_their_night_to_have_a_partition(connection: Connection) -> None:
    night_id = add_night(connection)
    connection.commit()
    administer(connection, f"drop table recommendation_night_{night_id}")
    with pytest.raises(psycopg2.errors.CheckViolation, match="no partition"):
        stage(connection, night_id, SMALL)


def test_scores_and_products_must_pair_up_in_the_database_too(connection: Connection) -> None:
    night_id = add_night(connection)
    with pytest.raises(psycopg2.errors.CheckViolation):
        rows(
            connection,
            "insert into recommendation values (%s, 1, 'c', '{p,q}', '{1}', 'model') returning 1",
            night_id,
        )


def test_an_empty_release_can_be_written(connection: Connection) -> None:
    nobody = Lists(
        customer_ids=np.empty(0, object),
        product_ids=np.empty(0, object),
        customers=np.empty(0, np.int32),
        starts=np.zeros(1, np.int64),
        products=np.empty(0, np.int32),
        scores=np.empty(0, np.float32),
        sources=np.empty(0, np.int8),
        kinds=np.empty(0, np.int8),
        popular_products=np.empty(0, np.int32),
        popular_scores=np.empty(0, np.float32),
    )
    stage(connection, add_night(connection), nobody)
    assert rows(connection, "select customers, popular_products from release") == [(0, [])]
