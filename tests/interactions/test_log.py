"""One tenant's log, and the matrices made of it, against a plain twin."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.database import Connection, copy_rows
from recfleet.interactions.log import read_log
from recfleet.models.log import InteractionLog, microseconds
from recfleet.recipe import Signal

START = datetime(2024, 1, 1, tzinfo=UTC)
Line = tuple[int, int, int, float, float]  # customer, product, hour, quantity, amount


def log_of(lines: list[Line], customers: int = 4, products: int = 5) -> InteractionLog:
    lines = sorted(lines, key=lambda line: line[2])
    columns = [np.array([line[i] for line in lines]) for i in range(5)]
    hours = columns[2].astype(np.int64)
    return InteractionLog(
        tenant_id="t",
        as_of=START + timedelta(days=30),
        customer_ids=np.array([f"c{i}" for i in range(customers)], dtype=object),
        product_ids=np.array([f"p{i}" for i in range(products)], dtype=object),
        customer=columns[0].astype(np.int32),
        product=columns[1].astype(np.int32),
        occurred_at=microseconds(START) + hours * 3_600_000_000,
        quantity=columns[3].astype(np.float64),
        amount=columns[4].astype(np.float64),
    )


def plain_matrix(
    lines: list[Line], signal: Signal, since: int | None, before: int | None
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    values = np.zeros((4, 5), dtype=np.float32)
    for customer in range(4):
        for product in range(5):
            net, bought = 0.0, 0
            for c, p, hour, quantity, amount in lines:
                if (c, p) != (customer, product):
                    continue
                if (since is not None and hour < since) or (before is not None and hour >= before):
                    continue
                if quantity < 0:
                    net += quantity
                elif quantity > 0 and amount > 0:
                    net += quantity
                    bought += 1
            if net > 0 and bought:
                values[customer, product] = {
                    "lines": bought,
                    "log_lines": np.log1p(bought),
                    "log_quantity": np.log1p(net),
                    "binary": 1,
                }[signal]
    return values


some_lines = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 4),
        st.integers(0, 20),
        st.integers(-3, 5).map(float),
        st.sampled_from([-1.0, 0.0, 2.5, 10.0]),
    ),
    max_size=40,
)
border = st.none() | st.integers(-1, 21)


@given(some_lines, st.sampled_from(get_args(Signal)), border, border)
def test_a_matrix_is_what_a_plain_loop_makes(
    lines: list[Line], signal: Signal, since: int | None, before: int | None
) -> None:
    def time(hour: int | None) -> datetime | None:
        return None if hour is None else START + timedelta(hours=hour)

    matrix = log_of(lines).matrix(signal, since=time(since), before=time(before))
    assert matrix.dtype == np.float32
    assert matrix.has_sorted_indices
    assert (matrix.data != 0).all()
    np.testing.assert_allclose(
        matrix.toarray(), plain_matrix(lines, signal, since, before), rtol=1e-6
    )


def test_returns_are_netted_out() -> None:
    log = log_of(
        [
            (0, 0, 1, 5, 10), (0, 0, 2, -5, -10),  # all brought back
            (1, 1, 1, 5, 10), (1, 1, 2, 3, 6), (1, 1, 3, -2, -4),  # some of it
            (2, 2, 1, -1, -2),  # bought before the log begins
            (3, 3, 1, 4, 0),  # given away
        ]
    )  # fmt: skip
    lines = log.matrix("lines").toarray()
    assert lines[1, 1] == 2
    assert lines.sum() == 2
    assert log.matrix("log_quantity")[1, 1] == pytest.approx(np.log1p(6))


def test_since_is_within_and_before_is_without() -> None:
    log = log_of([(0, 0, 1, 1, 1), (0, 1, 2, 1, 1), (0, 2, 3, 1, 1)])
    two = START + timedelta(hours=2)
    assert log.matrix("lines", since=two).indices.tolist() == [1, 2]
    assert log.matrix("lines", before=two).indices.tolist() == [0]
    assert log.matrix("lines", since=two, before=two).nnz == 0


def test_last_sold_knows_purchases_only() -> None:
    log = log_of([(0, 0, 1, 1, 1), (0, 0, 5, -1, -1), (1, 0, 3, 1, 1), (1, 1, 9, 1, 0)])
    assert log.last_sold()[0] == microseconds(START + timedelta(hours=3))
    assert (log.last_sold()[1:] == np.iinfo(np.int64).min).all()


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        log_of([]).matrix("lines", before=START.replace(tzinfo=None))


@given(some_lines, st.data())
def test_any_changed_line_changes_the_fingerprint(lines: list[Line], data: st.DataObject) -> None:
    log = log_of(lines)
    assert log.fingerprint == log_of(lines).fingerprint
    if lines:
        place = data.draw(st.integers(0, len(lines) - 1))
        quantity = log.quantity.copy()
        quantity[place] += 1
        assert replace(log, quantity=quantity).fingerprint != log.fingerprint
    renamed = log.product_ids.copy()
    renamed[0] = "p0\x01"
    assert replace(log, product_ids=renamed).fingerprint != log.fingerprint
    assert replace(log, tenant_id="u").fingerprint != log.fingerprint


def test_the_fingerprint_is_the_same_everywhere() -> None:
    log = log_of([(0, 1, 1, 2, 3.5), (2, 0, 7, -1, 0)])
    assert log.fingerprint == "584d92ebdaa92ca2f5164b7850a3eef0"


@given(some_lines, st.integers(0, 20))
def test_a_part_is_what_would_be_read_alone(lines: list[Line], hour: int) -> None:
    """Later or earlier lines do not change its fingerprint."""
    split = START + timedelta(hours=hour)
    whole = log_of(lines)
    for part, alone in (
        (whole.part(before=split), log_of([line for line in lines if line[2] < hour])),
        (whole.part(since=split), log_of([line for line in lines if line[2] >= hour])),
    ):
        assert len(part) == len(alone)
        assert part.fingerprint == alone.part().fingerprint
        customers = [part.customer_ids[place] for place in part.customer]
        assert customers == [alone.customer_ids[place] for place in alone.customer]
        assert set(part.customer_ids) == set(customers)


def test_a_log_that_was_read_is_its_own_part() -> None:
    log = log_of([(0, 0, 1, 2, 3.5), (1, 1, 7, -1, 0)], customers=2, products=2)
    assert log.part().fingerprint == log.fingerprint


def test_ids_cannot_pass_for_others_in_the_fingerprint() -> None:
    log = log_of([])
    ids = np.array(["a"], dtype=object), np.array(["b", "c"], dtype=object)
    moved = np.array(["a", "b"], dtype=object), np.array(["c"], dtype=object)
    one = replace(log, customer_ids=ids[0], product_ids=ids[1])
    assert one.fingerprint != replace(log, customer_ids=moved[0], product_ids=moved[1]).fingerprint


ODD_IDS = ['"', '""', "a,b", "a\nb", "a\r\nb", "\t", "\\", "\\N", "\\.", "a\n\\.\nb", "'", "é", "🎁", "NULL", "{}", " "]  # fmt: skip  # noqa: E501


def put(connection: Connection, lines: list[tuple[str, str, str, datetime, float, float]]) -> None:
    copy_rows(
        connection,
        "interaction",
        [
            "tenant_id",
            "customer_id",
            "product_id",
            "occurred_at",
            "quantity",
            "amount",
            "line_hash",
        ],
        [(*line, number) for number, line in enumerate(lines)],
    )


@pytest.mark.postgres
def test_a_log_is_read_as_it_is(connection: Connection) -> None:
    hour = timedelta(hours=1)
    put(
        connection,
        [
            ("t", "z", "p", START, 1, 2.5),
            ("t", "a", "q", START - hour, 2.25, 0.1),
            ("t", "a", "p", START + timedelta(microseconds=1), 1, 1),
            ("other", "z", "x", START, 1, 1),
        ],
    )
    log = read_log(connection, "t", START)
    assert log.customer_ids.tolist() == ["a", "z"]
    assert log.product_ids.tolist() == ["p", "q"]
    assert log.customer.tolist() == [0, 1]
    assert log.product.tolist() == [1, 0]
    assert log.occurred_at.tolist() == [microseconds(START - hour), microseconds(START)]
    assert log.quantity.tolist() == [2.25, 1]
    assert log.amount.tolist() == [0.1, 2.5]


@pytest.mark.postgres
def test_odd_ids_come_back_exactly(connection: Connection) -> None:
    put(connection, [("t", odd, odd + "p", START, 1, 1) for odd in ODD_IDS])
    log = read_log(connection, "t", START)
    assert log.customer_ids.tolist() == sorted(ODD_IDS)
    assert log.product_ids.tolist() == sorted(odd + "p" for odd in ODD_IDS)
    pairs = {
        (log.customer_ids[customer], log.product_ids[product])
        for customer, product in zip(log.customer, log.product, strict=True)
    }
    assert pairs == {(odd, odd + "p") for odd in ODD_IDS}


@pytest.mark.postgres
def test_an_empty_log_has_empty_matrices(connection: Connection) -> None:
    log = read_log(connection, "nobody", START)
    assert len(log) == 0
    assert log.matrix("log_lines").shape == (0, 0)
    assert log.last_sold().shape == (0,)
    assert log.fingerprint == read_log(connection, "nobody", START).fingerprint


@pytest.mark.postgres
def test_reading_twice_gives_the_same_log_whatever_the_order_on_disk(
    connection: Connection,
) -> None:
    lines = [("t", f"c{i % 3}", f"p{i % 4}", START, float(i % 2), 1.0) for i in range(20)]
    put(connection, lines)
    before = read_log(connection, "t", START).fingerprint
    with connection.cursor() as cursor:
        cursor.execute("create temp table kept as select * from interaction order by random()")
        cursor.execute("delete from interaction")
        cursor.execute("insert into interaction select * from kept")
    assert read_log(connection, "t", START).fingerprint == before
