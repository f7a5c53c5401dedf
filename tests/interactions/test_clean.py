"""Usable and unusable lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from recfleet.errors import BadInputError
from recfleet.ids import LONGEST_ID
from recfleet.interactions import NO_TENANT, REASONS, Batch, ColumnMapping, TenantNames, clean
from recfleet.interactions._findings import Findings
from recfleet.tenants import check_tenant_id
from tests.interactions._files import HEADER, MAPPING, NOW, at

GOOD = ("Shop A", "c1", "p1", "Pen", "2024-01-01 10:00", "2", "5.0")


def batch_of(*lines: tuple[str | None, ...], broken: list[str | None] | None = None) -> Batch:
    return Batch.of(dict(zip(HEADER, zip(*lines, strict=True), strict=True)), broken=broken)


def changed(**cells: str | None) -> tuple[str | None, ...]:
    return tuple({**dict(zip(HEADER, GOOD, strict=True)), **cells}.values())


def test_a_usable_line_says_what_it_says() -> None:
    cleaned = clean(batch_of(changed(client="  c 1\t", name="")), MAPPING, now=NOW)
    assert cleaned.unusable.num_rows == 0
    assert cleaned.usable.to_pylist() == [
        {
            "tenant_id": "shop-a", "occurred_at": at("2024-01-01 10:00"), "customer_id": "c 1",
            "product_id": "p1", "quantity": 2.0, "amount": 5.0, "reference": None, "name": None,
            "active": None, "category": None,
        }
    ]  # fmt: skip
    assert cleaned.last == at("2024-01-01 10:00")


@pytest.mark.parametrize(
    ("reason", "cells"),
    [
        ("no tenant", {"shop": ""}),
        ("no tenant", {"shop": None}),
        ("tenant name cannot be an id", {"shop": "a\x07b"}),
        ("no customer", {"client": " "}),
        ("no product", {"item": None}),
        ("id too long", {"item": "p" * (LONGEST_ID + 1)}),
        ("id too long", {"client": "é" * (LONGEST_ID + 1)}),
        ("not a product", {"item": "POST"}),
        ("not a product", {"item": "p"}),
        ("not a product", {"item": "xp1"}),
        ("unreadable time", {"when": "2024-02-30"}),
        ("missing time", {"when": ""}),
        ("missing time", {"when": "NaT"}),
        ("missing time", {"when": "0000-00-00 00:00:00"}),
        ("no customer", {"client": r"\N"}),
        ("no product", {"item": "#N/A"}),
        ("no tenant", {"shop": "null"}),
        ("id lost in scientific notation", {"client": "1.23457E+12"}),
        ("id lost in scientific notation", {"item": "8,91E+15"}),
        ("time before 1970", {"when": "1969-12-31 23:59"}),
        ("time in the future", {"when": "2024-06-02 00:01"}),
        ("unreadable number", {"units": "two"}),
        ("missing number", {"units": ""}),
        ("missing number", {"units": "nan"}),
        ("missing number", {"worth": "N/A"}),
        ("unreadable number", {"worth": "inf"}),
        ("unreadable number", {"worth": "1e999"}),
    ],
)
def test_an_unusable_line_has_its_reason(reason: str, cells: dict[str, str | None]) -> None:
    mapping = MAPPING.model_copy(update={"product_pattern": "p.+"})
    line = changed(**cells)
    cleaned = clean(batch_of(GOOD, line, GOOD), mapping, now=NOW)
    assert cleaned.usable.num_rows == 2
    (row,) = cleaned.unusable.to_pylist()
    assert row["reason"] == reason
    assert row["reason"] in REASONS
    assert json.loads(row["line"]) == dict(zip(HEADER, line, strict=True))
    assert row["placed_at"] == at("2024-01-01 10:00")
    assert row["tenant_id"] == (NO_TENANT if "tenant" in reason else "shop-a")


def test_every_reason_is_tried_above_or_here() -> None:
    cleaned = clean(batch_of(GOOD, (None,) * 7, broken=[None, 'a,"b']), MAPPING, now=NOW)
    (row,) = cleaned.unusable.to_pylist()
    assert row["reason"] == "malformed line"
    assert json.loads(row["line"]) == {"line": 'a,"b'}
    assert row["tenant_id"] == NO_TENANT
    columns = dict(zip(HEADER, zip(GOOD, (None,) * 7, strict=True), strict=True))
    garbled = Batch.of(columns, broken=[None, r"caf\xe9"], garbled=[False, True])
    (row,) = clean(garbled, MAPPING, now=NOW).unusable.to_pylist()
    assert row["reason"] == "unreadable text"


@pytest.mark.parametrize(
    "cells",
    [
        {"units": "-3", "worth": "-7.5"},
        {"worth": "0"},
        {"units": "0"},
        {"when": "2024-06-01 23:59"},
        {"when": "1970-01-01"},
        {"item": "p" * LONGEST_ID},
        {"item": "a\"b'c\nd\te\\f"},
    ],
)
def test_a_line_that_is_usable(cells: dict[str, str | None]) -> None:
    assert clean(batch_of(changed(**cells)), MAPPING, now=NOW).usable.num_rows == 1


def test_a_line_without_a_time_is_placed_at_the_usable_one_before_it() -> None:
    lost = changed(when="never")
    other = changed(client="", when="2024-03-01")
    later = changed(when="2024-02-01")
    first = clean(batch_of(lost, GOOD, lost, other, lost, later), MAPPING, now=NOW)
    places = [None, "2024-01-01 10:00", "2024-03-01", "2024-01-01 10:00"]
    assert first.unusable["placed_at"].to_pylist() == [p and at(p) for p in places]
    second = clean(batch_of(lost), MAPPING, now=NOW, last=first.last)
    assert second.unusable["placed_at"].to_pylist() == [at("2024-02-01")]
    assert second.last == at("2024-02-01")


def test_a_time_in_the_future_places_nothing() -> None:
    future = changed(when="2031-01-01")
    cleaned = clean(batch_of(GOOD, future), MAPPING, now=NOW)
    assert cleaned.unusable["placed_at"].to_pylist() == [at("2024-01-01 10:00")]


def test_the_future_begins_a_day_after_now() -> None:
    lines = [changed(when=(NOW + timedelta(hours=hours)).isoformat()) for hours in (24, 25)]
    assert clean(batch_of(*lines), MAPPING, now=NOW).usable.num_rows == 1


def test_amounts_and_quantities_when_columns_are_missing() -> None:
    bare = MAPPING.model_copy(update={"quantity_column": None, "amount_column": None})
    assert _numbers(batch_of(GOOD), bare) == (1, 1)
    priced = MAPPING.model_copy(update={"amount_column": None, "price_column": "worth"})
    assert _numbers(batch_of(changed(units="-3", worth="2.5")), priced) == (-3, -7.5)
    assert _numbers(batch_of(changed(units="3")), bare.model_copy(
        update={"quantity_column": "units"})) == (3, 3)  # fmt: skip
    too_much = batch_of(changed(units="1e200", worth="1e200"))
    assert clean(too_much, priced, now=NOW).unusable["reason"].to_pylist() == ["unreadable number"]


def _numbers(batch: Batch, mapping: ColumnMapping) -> tuple[float, float]:
    (row,) = clean(batch, mapping, now=NOW).usable.to_pylist()
    return row["quantity"], row["amount"]


def test_nul_is_left_out() -> None:
    cleaned = clean(batch_of(changed(client="c\x001"), changed(client="\x00")), MAPPING, now=NOW)
    assert cleaned.usable["customer_id"].to_pylist() == ["c1"]
    assert "\\u0000" not in cleaned.unusable["line"][0].as_py()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("17850.0", "17850"), ("17850.00", "17850"), ("17850.50", "17850.50"), ("A.0", "A.0"),
        ("00042", "00042"), ("1.10", "1.10"), ("12E4", "12E4"), ("5e3f", "5e3f"),
    ],
)  # fmt: skip
def test_an_id_is_one_id_however_it_was_spelled(text: str, read: str) -> None:
    usable = clean(batch_of(changed(client=text, item=text)), MAPPING, now=NOW).usable
    assert usable["customer_id"].to_pylist() == usable["product_id"].to_pylist() == [read]


def test_other_words_can_mean_missing() -> None:
    mapping = MAPPING.model_copy(update={"missing": ("gast",)})
    cleaned = clean(batch_of(changed(client="None"), changed(client="Gast")), mapping, now=NOW)
    assert cleaned.usable["customer_id"].to_pylist() == ["None"]
    assert cleaned.unusable["reason"].to_pylist() == ["no customer"]


def test_whether_a_product_is_active() -> None:
    mapping = MAPPING.model_copy(update={"active_column": "name"})
    words = {"1": True, "TRUE": True, "Yes": True, "0": False, "discontinued": False, "?": None}
    lines = [changed(name=word) for word in [*words, None]]
    read = clean(batch_of(*lines), mapping, now=NOW).usable["active"].to_pylist()
    assert read == [*words.values(), None]


def test_one_tenant_for_the_whole_file() -> None:
    mapping = ColumnMapping(
        tenant_id="me", customer_column="client", product_column="item", time_column="when"
    )
    cleaned = clean(batch_of(GOOD, changed(item="")), mapping, now=NOW)
    assert cleaned.usable["tenant_id"].to_pylist() == ["me"]
    assert cleaned.unusable["tenant_id"].to_pylist() == ["me"]
    assert cleaned.tenant_ids() == {"me"}


def test_an_empty_batch() -> None:
    empty = Batch.of({name: [] for name in HEADER})
    cleaned = clean(empty, MAPPING, now=NOW, last=datetime(2024, 1, 1, tzinfo=UTC))
    assert (cleaned.usable.num_rows, cleaned.unusable.num_rows) == (0, 0)
    assert cleaned.last == datetime(2024, 1, 1, tzinfo=UTC)


def test_cleaning_in_pieces_is_cleaning_at_once() -> None:
    lines = [
        changed(client=f"c{i}" if i % 5 else "", when=f"2024-01-{i % 28 + 1:02}" if i % 7 else "x")
        for i in range(60)
    ]
    whole = clean(batch_of(*lines), MAPPING, now=NOW)
    usable, unusable, last = [], [], None
    for start in range(0, 60, 7):
        part = clean(batch_of(*lines[start : start + 7]), MAPPING, now=NOW, last=last)
        usable += part.usable.to_pylist()
        unusable += part.unusable.to_pylist()
        last = part.last
    assert usable == whole.usable.to_pylist()
    assert unusable == whole.unusable.to_pylist()


NAMES = [
    "Österreich", "Osterreich", "Ελλάδα", "日本", "🎁", "A&B", "A B", "A. B.", "../x", "x", "007",
    "7", "a-b c", "a b-c", "Bosnia/Herzegovina", "Ivory Coast", "x" * 99, "x" * 98, "Cafe", "Café",
]  # fmt: skip


def test_no_two_names_share_an_id() -> None:
    names = TenantNames()
    ids = [names.tenant_id(name)[0] for name in NAMES]
    assert len(set(ids)) == len(NAMES)
    assert all(tenant_id and check_tenant_id(tenant_id) == tenant_id for tenant_id in ids)
    # In another order, and by another process.
    assert [TenantNames().tenant_id(name)[0] for name in reversed(NAMES)] == ids[::-1]
    assert ids[:4] == [
        "osterreich-0938eddd", "osterreich", "ellada-752e6ea6", "ri-ben-cf2abf0c",
    ]  # fmt: skip
    assert names.name_of(str(ids[2])) == "Ελλάδα"


def test_capitals_and_spaces_make_no_other_name() -> None:
    names = TenantNames()
    for one, other in (("CAFÉ ", "Café"), ("A  b", "a B"), ("a b", "a-b"), ("Straße", "STRASSE")):
        assert names.tenant_id(one) == names.tenant_id(other)


def test_a_known_tenant_keeps_its_id() -> None:
    names = TenantNames({"cafe": "Café", "plain": "plain", "a-b": "A&B"})
    assert names.tenant_id("café") == names.tenant_id("cafe") == ("cafe", None)
    assert names.tenant_id("A&B") == names.tenant_id("a-b") == ("a-b", None)
    other, _ = names.tenant_id("A B")
    assert other is not None
    assert other.startswith("a-b-")
    assert names.tenant_id("Plain") == ("plain", None)
    assert names.name_of("plain") == "Plain"


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        (
            {"when": "12/1/2010 8:26"},
            "No time in column 'when'.*'12/1/2010 8:26'.*--time-format '%d/%m/%Y %H:%M'",
        ),
        ({"when": "31.12.10"}, "'31.12.10'.*--time-format '%d.%m.%y'"),
        ({"when": "yesterday"}, "'yesterday'.*strptime's letters"),
        ({"when": "9"}, "'9'.*--day-one"),
        ({"units": "2,5"}, "Column 'units' has no number.*'2,5'.*--decimal ','"),
        ({"worth": "five"}, "Column 'worth' has no number.*Name another column"),
    ],
)
def test_a_file_written_in_another_way_is_refused(cells: dict[str, str | None], match: str) -> None:
    with pytest.raises(BadInputError, match=match):
        _found(batch_of(changed(**cells), changed(**cells))).refuse(at_end=False)
    _found(batch_of(changed(**cells), GOOD)).refuse(at_end=False)
    _found(batch_of(changed(when="", units=None))).refuse(at_end=True)


def _found(batch: Batch) -> Findings:
    findings = Findings(MAPPING)
    clean(batch, MAPPING, now=NOW, findings=findings)
    return findings


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"tenant_id": "x"}, "--tenant"),
        ({"tenant_column": None}, "--tenant-column"),
        ({"tenant_column": None, "tenant_id": "../x"}, "cannot be a tenant's id"),
        ({"price_column": "worth"}, "--price-column"),
        ({"product_pattern": "("}, "regular expression"),
        ({"product_pattern": "(?=a)b"}, "regular expression"),
        ({"decimal": "x"}, "--decimal"),
    ],
)
def test_a_mapping_that_cannot_be(change: dict[str, str | None], match: str) -> None:
    with pytest.raises(BadInputError, match=match):
        ColumnMapping(**{**MAPPING.model_dump(), **change})
