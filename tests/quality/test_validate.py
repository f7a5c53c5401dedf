from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from recfleet.database import Connection
from recfleet.errors import ConfigurationError
from recfleet.quality import Result, Validation, validate
from tests.quality.shops import AS_OF, DAY, LINES_A_DAY, SUITES, Shop, Unusable, Usable

pytestmark = pytest.mark.postgres

Change = Callable[[Shop], object]


def unusable(number: int, reason: str) -> Change:
    return lambda shop: shop.add_unusable(number, reason)


def for_nothing(number: int) -> Change:
    def change(shop: Shop) -> None:
        for line in shop.last_week()[:number]:
            line.amount = 0

    return change


def taken_back(number: int) -> Change:
    def change(shop: Shop) -> None:
        for line in shop.last_week()[:number]:
            line.quantity = -1

    return change


def repeated(number: int) -> Change:
    """The first lines of each of the last 7 days, once more."""

    def change(shop: Shop) -> None:
        for place in range(number):
            line = shop.usable[(place % 7) * LINES_A_DAY]
            shop.usable.append(Usable(line.at, line.customer_id, line.product_id, repetition=2))

    return change


def repeated_on_one_day(lines: int, repetitions: int) -> Change:
    def change(shop: Shop) -> None:
        for place in range(lines - LINES_A_DAY):
            repetition = 2 if place < repetitions else 1
            shop.usable.append(Usable(AS_OF - 2.5 * DAY, "customer-0", repetition=repetition))

    return change


def with_visits(number: int) -> Change:
    """This many visits in the last 7 days; 35 are usual."""

    def change(shop: Shop) -> None:
        shop.usable = shop.usable[7 * LINES_A_DAY :]
        shop.usable += [
            Usable(AS_OF - timedelta(minutes=place), f"customer-{place}")
            for place in range(1, number + 1)
        ]

    return change


def anonymous(number: int, *, usually: int = 0) -> Change:
    def change(shop: Shop) -> None:
        shop.add_unusable(number, "no customer")
        for week in range(4, 9):
            shop.add_unusable(usually, "no customer", week=week)

    return change


def in_one_order(change: Change) -> Change:
    def all_at_once(shop: Shop) -> None:
        change(shop)
        for line in shop.unusable:
            line.placed_at = AS_OF - DAY

    return all_at_once


def idle(days: float) -> Change:
    def change(shop: Shop) -> None:
        shop.usable = [Usable(AS_OF - timedelta(days=days))]

    return change


def empty(shop: Shop) -> None:
    shop.usable = []


CASES: list[tuple[str, Change, str, float | None, set[str]]] = [
    ("nothing is wrong", lambda shop: None, "volume-fall", 1, set()),
    ("no line", empty, "no-usable-line", None, {"no-usable-line"}),
    ("idle", idle(28), "no-recent-line", 28, set()),
    ("idle too long", idle(28.5), "no-recent-line", 28.5, {"no-recent-line"}),
    (
        "customers missing",
        in_one_order(anonymous(211)),
        "customers-missing",
        211 / 351,
        {"customers-missing", "customers-missing-warning"},
    ),
    (
        "many customers missing",
        in_one_order(anonymous(210)),
        "customers-missing",
        0.6,
        {"customers-missing-warning"},
    ),
    (
        "some customers missing",
        in_one_order(anonymous(8)),
        "customers-missing-warning",
        8 / 148,
        {"customers-missing-warning"},
    ),
    ("few customers missing", in_one_order(anonymous(7)), "customers-missing", 7 / 147, set()),
    (
        "customers suddenly missing",
        anonymous(5),
        "customers-missing-suddenly",
        5 / 40 / 0.05,
        {"customers-missing-suddenly"},
    ),
    ("four orders are no trend", anonymous(4), "customers-missing-suddenly", None, set()),
    (
        "customers always missing",
        anonymous(14, usually=8),
        "customers-missing-suddenly",
        (14 / 49) / (8 / 43),
        {"customers-missing-warning"},
    ),
    (
        "more customers missing than ever",
        anonymous(30, usually=8),
        "customers-missing-suddenly",
        (30 / 65) / (8 / 43),
        {
            "customers-missing-lately",
            "customers-missing-suddenly",
            "customers-missing-warning",
        },
    ),
    (
        "products missing",
        unusable(4, "no product"),
        "products-missing",
        4 / 39,
        {"products-missing"},
    ),
    ("few products missing", unusable(3, "no product"), "products-missing", 3 / 38, set()),
    (
        "unreadable numbers",
        unusable(2, "unreadable number"),
        "unreadable",
        2 / 37,
        {"unreadable", "unreadable-warning"},
    ),
    (
        "unreadable times",
        unusable(2, "unreadable time"),
        "unreadable",
        2 / 37,
        {"unreadable", "unreadable-warning"},
    ),
    (
        "shifted columns",
        unusable(1, "malformed line"),
        "unreadable-warning",
        1 / 36,
        {"unreadable-warning"},
    ),
    (
        "future dates",
        unusable(2, "time in the future"),
        "future-dates",
        2 / 37,
        {"future-dates", "future-dates-warning"},
    ),
    (
        "a future date",
        unusable(1, "time in the future"),
        "future-dates",
        1 / 36,
        {"future-dates-warning"},
    ),
    (
        "mostly unreadable",
        unusable(36, "unreadable time"),
        "mostly-unreadable",
        36 / 71,
        {"mostly-unreadable", "unreadable", "unreadable-warning"},
    ),
    (
        "mostly in the future",
        unusable(36, "time in the future"),
        "mostly-future-dates",
        36 / 71,
        {"mostly-future-dates", "future-dates", "future-dates-warning"},
    ),
    (
        "prices of zero",
        for_nothing(4),
        "prices-of-zero",
        4 / 35,
        {"prices-of-zero", "prices-of-zero-warning"},
    ),
    (
        "some prices of zero",
        for_nothing(2),
        "prices-of-zero",
        2 / 35,
        {"prices-of-zero-warning"},
    ),
    ("a price of zero", for_nothing(1), "prices-of-zero-warning", 1 / 35, set()),
    ("repeated lines", repeated(7), "repeated-lines", 7 / 42, {"repeated-lines"}),
    ("few repeated lines", repeated(6), "repeated-lines", 6 / 41, set()),
    ("a repeated day", repeated_on_one_day(10, 4), "repeated-days", 1, {"repeated-days"}),
    ("a partly repeated day", repeated_on_one_day(11, 4), "repeated-days", 0, set()),
    ("a day of few lines", repeated_on_one_day(9, 4), "repeated-days", 0, set()),
    (
        "postage",
        unusable(16, "not a product"),
        "not-products-warning",
        16 / 51,
        {"not-products-warning"},
    ),
    ("some postage", unusable(15, "not a product"), "not-products-warning", 0.3, set()),
    ("returns", taken_back(11), "returns-warning", 11 / 35, {"returns-warning"}),
    ("some returns", taken_back(10), "returns-warning", 10 / 35, set()),
    (
        "a fall",
        with_visits(12),
        "volume-fall",
        12 / 35,
        {"volume-fall", "volume-fall-warning"},
    ),
    ("a quiet week", with_visits(17), "volume-fall", 17 / 35, {"volume-fall-warning"}),
    ("a small week", with_visits(18), "volume-fall-warning", 18 / 35, set()),
    ("a jump", with_visits(106), "volume-jump-warning", 106 / 35, {"volume-jump-warning"}),
    ("a good week", with_visits(105), "volume-jump-warning", 3, set()),
]


@pytest.fixture
def everybody(connection: Connection) -> Validation:
    """All the cases as tenants of one shard."""
    for number, (_, change, *_) in enumerate(CASES):
        shop = Shop.steady(f"tenant-{number}")
        change(shop)
        shop.write(connection)
    return validate(connection, [f"tenant-{number}" for number in range(len(CASES))], AS_OF, SUITES)


def _failed(results: list[Result]) -> set[str]:
    return {result.expectation for result in results if not result.success}


def test_every_case_fails_what_it_should_and_nothing_else(everybody: Validation) -> None:
    for number, (case, _, expectation, observed, failed) in enumerate(CASES):
        results = [result for result in everybody.results if result.tenant_id == f"tenant-{number}"]
        by_name = {result.expectation: result for result in results}
        assert _failed(results) == failed, case
        assert by_name[expectation].observed == pytest.approx(observed), case
        critical = {name for name in failed if by_name[name].severity == "critical"}
        assert (f"tenant-{number}" in everybody.critical) == bool(critical), case
        assert {name for name in failed if not name.endswith("-warning")} - critical <= {
            "no-recent-line"
        }


def test_every_expectation_has_a_case_that_fails_it(everybody: Validation) -> None:
    assert _failed(everybody.results) == {result.expectation for result in everybody.results}


def test_one_result_for_each_tenant_and_expectation(everybody: Validation) -> None:
    keys = [(result.tenant_id, result.expectation) for result in everybody.results]

    assert everybody.tenants == len(CASES)
    assert len(keys) == len(set(keys)) == len(CASES) * 22
    assert [tenant_id for tenant_id, _ in keys[::22]] == [
        f"tenant-{number}" for number in range(len(CASES))
    ]


REASONS: list[tuple[str, str | None, str | None]] = [
    ("nothing is wrong", None, None),
    ("no line", "There is no usable purchase line up to this night.", None),
    (
        "idle too long",
        None,
        "The last usable purchase line is 28.5 days old; at most 28 days is allowed.",
    ),
    (
        "customers missing",
        "60.1% of the lines of the last 28 days have no customer, 0% in the weeks before; "
        "at most 60% is allowed.",
        None,
    ),
    (
        "more customers missing than ever",
        "46.2% of the latest lines have no customer, 18.6% in the weeks before; at most 30% is "
        "allowed. "
        "The share of lines without a customer in the last 7 days is 2.48 times what it was in "
        "any week more than 28 days ago (or 5% of the lines); at most 2 times is allowed.",
        None,
    ),
    (
        "some prices of zero",
        None,
        "5.71% of the latest lines sell for nothing or less, 0% in the weeks before; "
        "at most 3% is allowed.",
    ),
    (
        "a repeated day",
        "On 1 of the last 7 days nearly every line comes twice, 0 in the weeks before; "
        "at most 0 is allowed.",
        None,
    ),
    (
        "a fall",
        "The last 7 days had 0.343 times as many visits as the usual week; "
        "at least 0.35 times is expected.",
        None,
    ),
]


def test_reasons(everybody: Validation) -> None:
    cases = [case for case, *_ in CASES]
    for case, critical, warning in REASONS:
        tenant_id = f"tenant-{cases.index(case)}"
        assert everybody.critical.get(tenant_id) == critical
        assert everybody.warnings.get(tenant_id) == warning


def test_two_troubles_make_two_sentences(connection: Connection) -> None:
    Shop.steady().add_unusable(9, "no product").add_unusable(9, "unreadable time").write(connection)

    validation = validate(connection, ["tea-shop"], AS_OF, SUITES)

    assert validation.critical == {
        "tea-shop": "17% of the latest lines have no product, 0% in the weeks before; "
        "at most 10% is allowed. 17% of the latest lines have a time or a number that cannot be "
        "read, 0% in the weeks before; at most 5% is allowed."
    }
    assert validation.warnings == {}


def test_a_tenant_is_judged_alone_as_it_is_among_others(
    connection: Connection, everybody: Validation
) -> None:
    for number in range(0, len(CASES), 7):
        tenant_id = f"tenant-{number}"
        alone = validate(connection, [tenant_id], AS_OF, SUITES)

        assert alone.results == [
            result for result in everybody.results if result.tenant_id == tenant_id
        ]
        assert alone.critical.get(tenant_id) == everybody.critical.get(tenant_id)


@pytest.mark.parametrize("as_of", [AS_OF, AS_OF - 3 * DAY])
def test_what_comes_after_as_of_changes_nothing(connection: Connection, as_of: datetime) -> None:
    shop = Shop.steady()
    for week in (0, 1):
        shop.add_unusable(9, "no product", week=week).add_unusable(9, "no customer", week=week)
    sees = Shop("tea-shop")
    sees.usable = [line for line in shop.usable if line.at <= as_of]
    sees.unusable = shop.unusable
    sees.write(connection)
    before = validate(connection, ["tea-shop"], as_of, SUITES)
    connection.rollback()

    shop.usable += [Usable(AS_OF + place * DAY, amount=0, repetition=2) for place in range(1, 99)]
    shop.unusable += [Unusable(AS_OF + place * DAY, "unreadable time") for place in range(1, 99)]
    shop.unusable += [Unusable(None, "no product") for _ in range(99)]
    shop.write(connection)
    after = validate(connection, ["tea-shop"], as_of, SUITES)

    assert after.results == before.results
    assert (after.critical, after.warnings) == (before.critical, before.warnings)
    assert before.critical


def test_tenants_are_judged_once_however_often_they_are_asked_for(connection: Connection) -> None:
    Shop.steady().write(connection)

    validation = validate(connection, ["nobody", "tea-shop", "nobody"], AS_OF, SUITES)

    assert validation.tenants == 2
    assert list(dict.fromkeys(result.tenant_id for result in validation.results)) == [
        "nobody",
        "tea-shop",
    ]
    assert list(validation.critical) == ["nobody"]


def test_odd_tenant_ids(connection: Connection) -> None:
    odd = ["../x", 'it\'s "odd"\n,\t{}', "añejo-🍵", "\\N", ""]
    for tenant_id in odd:
        Shop.steady(tenant_id).add_unusable(9, "no product").write(connection)

    validation = validate(connection, odd, AS_OF, SUITES)

    assert list(validation.critical) == odd


def test_nobody(connection: Connection) -> None:
    validation = validate(connection, [], AS_OF, SUITES)

    assert (validation.tenants, validation.results) == (0, [])
    assert (validation.critical, validation.warnings) == ({}, {})


def test_a_time_without_a_zone_is_refused(connection: Connection) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        validate(connection, ["tea-shop"], AS_OF.replace(tzinfo=None), SUITES)


def test_nothing_is_written(connection: Connection) -> None:
    connection.set_session(readonly=True)

    assert validate(connection, ["tea-shop"], AS_OF, SUITES).critical


def test_the_time_is_told_by_part(everybody: Validation) -> None:
    assert set(everybody.seconds) == {"great_expectations", "profile", "past", "examine"}
    assert all(seconds > 0 for seconds in everybody.seconds.values())


class TestOtherSuites:
    """Suites from files that people have changed."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return Path(shutil.copytree(SUITES, tmp_path / "suites"))

    def _judge(self, connection: Connection, folder: Path) -> Validation:
        return validate(connection, ["tea-shop"], AS_OF, folder)

    def test_a_stricter_limit(self, connection: Connection, folder: Path) -> None:
        Shop.steady().add_unusable(3, "no product").write(connection)
        file = folder / "tenants.json"
        text = file.read_text()
        assert text.count('"share_without_product", "max_value": 0.1}') == 1

        before = self._judge(connection, folder).critical
        file.write_text(
            text.replace('"share_without_product", "max_value": 0.1}',
                         '"share_without_product", "max_value": 0.01}')
        )  # fmt: skip

        assert before == {}
        assert self._judge(connection, folder).critical == {
            "tea-shop": "7.89% of the latest lines have no product, 0% in the weeks before; "
            "at most 1% is allowed."
        }

    def test_another_kind_of_expectation(self, connection: Connection, folder: Path) -> None:
        Shop.steady().write(connection)
        (folder / "tenants.json").write_text(
            """{"name": "tenants", "expectations": [{
              "type": "expect_column_values_to_be_in_set",
              "kwargs": {"column": "products", "value_set": [1, 2]},
              "severity": "info", "meta": {"name": "one-or-two"}}]}"""
        )

        validation = self._judge(connection, folder)

        assert validation.results == [
            Result(
                tenant_id="tea-shop",
                expectation="one-or-two",
                severity="info",
                success=False,
                observed=7,
                expected='values to be in set {"value_set": [1, 2]}',
            )
        ]
        assert (validation.critical, validation.warnings) == ({}, {})
        assert validation.notes.keys() == {"tea-shop"}

    def test_an_expectation_that_cannot_be_run(self, connection: Connection, folder: Path) -> None:
        Shop.steady().write(connection)
        (folder / "tenants.json").write_text(
            """{"name": "tenants", "expectations": [{
              "type": "expect_column_values_to_match_regex",
              "kwargs": {"column": "products", "regex": "("},
              "severity": "info", "meta": {"name": "odd"}}]}"""
        )

        with pytest.raises(ConfigurationError, match=r"'odd' of tenants\.json cannot run: .+"):
            self._judge(connection, folder)


@pytest.mark.slow
def test_nothing_is_printed_and_nothing_piles_up(
    connection: Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    Shop.steady().add_unusable(9, "no product").write(connection)

    def objects_after(validations: int) -> int:
        for _ in range(validations):
            validate(connection, ["tea-shop"], AS_OF, SUITES)
        gc.collect()
        return len(gc.get_objects())

    first = objects_after(3)

    assert objects_after(10) < first + 100
    assert capfd.readouterr() == ("", "")
