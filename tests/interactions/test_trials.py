"""The small trial files that may lie beside the checkout, read as their README says is right."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from recfleet.errors import BadInputError
from tests.interactions._reading import read

TRIALS = Path(__file__).resolve().parents[3] / "shared" / "trials"

pytestmark = pytest.mark.skipif(
    not TRIALS.is_dir(), reason=f"THE TRIALS ARE NOT TRIED: there is no folder {TRIALS}"
)

PLAIN: dict[str, Any] = {}
SOLD: dict[str, Any] = {"quantity": "qty", "amount": "amount"}
KUNDE: dict[str, Any] = {
    "customer": "Kunde", "product": "Artikel", "time": "Datum", "quantity": "Menge",
    "amount": "Betrag",
}  # fmt: skip
DATED: dict[str, Any] = {"time": "date"}
RATED: dict[str, Any] = {"customer": "user", "product": "item", "time": "ts"}
NUMBERED: dict[str, Any] = {"customer": "1", "product": "2", "time": "4", "has_header": False}
EVENTS: dict[str, Any] = {"customer": "visitorid", "product": "itemid", "time": "timestamp"}
SHOP: dict[str, Any] = {"customer": "user_id", "product": "product_id", "time": "event_time"}
DAYS: dict[str, Any] = {"customer": "household_key", "product": "PRODUCT_ID", "time": "DAY"}
LOST = {"id lost in scientific notation": 2}

READ: list[tuple[str, dict[str, Any], int, dict[str, int]]] = [
    ("t01_ids.csv", SOLD, 3, LOST),
    ("t02_german.csv", KUNDE | {"decimal": ","}, 4, {}),
    ("t02b_us.csv", SOLD | DATED, 3, {}),
    ("t03b_dots.csv", DATED, 2, {"unreadable time": 1}),
    ("t04_cp1252.csv", SOLD, 1, {}),
    ("t04b_cp1251.csv", SOLD | {"encoding": "cp1251"}, 1, {}),
    ("t04c_good.csv", SOLD, 20, {}),
    ("t04d_onebadbyte.csv", SOLD, 20, {"unreadable text": 1}),
    ("t04e_utf16.csv", SOLD, 20, {}),
    ("t05_nullwords.csv", SOLD, 1, {"no customer": 11}),
    ("t05b_nullnumbers.csv", SOLD, 1, {"missing number": 3, "missing time": 2,
                                       "unreadable time": 1}),
    ("t06_events.csv", EVENTS | {"keep": {"event": ("transaction",)}}, 2, {}),
    ("t17_events_utc.csv", SHOP | {"keep": {"event_type": ("purchase",)}}, 1, {}),
    ("t06b_9digit.csv", RATED, 3, {}),
    ("t06c_ml1m_mix.csv", RATED, 3, {}),
    ("t06d_micro.csv", RATED, 2, {}),
    ("t06e_floatsec.csv", RATED, 2, {}),
    ("t07_noheader.tsv", NUMBERED, 3, {}),
    ("t07_colons.dat", NUMBERED, 2, {}),
    ("t07_lines.json", {"customer": "reviewerID", "product": "asin", "time": "unixReviewTime"}, 2,
     {}),
    ("t08_seprow.csv", PLAIN, 2, {}),
    ("t08b_title.csv", {"skip_lines": 3}, 1, {}),
    ("t08c_struct.csv", {"description": "name"}, 4, {"malformed line": 4, "no product": 1}),
    ("t10_types.parquet", {"amount": "amount"}, 2,
     {"no product": 1, "id lost in scientific notation": 1}),
    ("t10c_strcomma.parquet", {"amount": "amount", "decimal": ","}, 2, {}),
    ("t11_zeroformat.xlsx", PLAIN, 3, {}),
    ("t11b_serial.xlsx", PLAIN, 2, {}),
    ("t11d_textcomma.xlsx", {"amount": "amount", "decimal": ","}, 2, {}),
    ("t11d2_textcomma_some.xlsx", {"amount": "amount", "decimal": ","}, 3, {}),
    ("t11e_title.xlsx", {"skip_lines": 2}, 1, {}),
    ("t12_tenants.csv", {"tenant": "shop"}, 11, {"no tenant": 1}),
    ("t15a_int.csv", PLAIN, 2, {}),
    ("t15b_float.csv", PLAIN, 2, {"no customer": 1}),
    ("t19_days.csv", DAYS | {"day_one": date(2017, 1, 1), "clock": "TRANS_TIME"}, 3, {}),
]  # fmt: skip
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("t02_german.csv", KUNDE, "--decimal ','"),
    ("t02c_mixed.csv", KUNDE, r"'12,50'.*'1\.000'.*--decimal ','"),
    ("t03_dates.csv", DATED, "'31/12/2024'.*'12/31/2024'"),
    ("t06_events.csv", EVENTS, "log of events.*--keep event=transaction"),
    ("t17_events_utc.csv", SHOP, "log of events.*--keep event_type=purchase"),
    ("t07_noheader.tsv", PLAIN, "--no-header"),
    ("t07_colons.dat", PLAIN, "--no-header"),
    ("t08b_title.csv", PLAIN, "--skip-lines 3"),
    ("t08d_dupheader.csv", PLAIN, "2 columns named 'customer'"),
    ("t10c_strcomma.parquet", {"amount": "amount"}, "--decimal ','"),
    ("t11c_mixdates.xlsx", PLAIN, "exchanged day and month"),
    ("t11e_title.xlsx", PLAIN, "--skip-lines 2"),
    ("t14_swap.csv", DATED, "'%d/%m/%Y'.*'%m/%d/%Y'"),
    ("t19_days.csv", DAYS, "--day-one"),
]


@pytest.mark.parametrize(("name", "options", "usable", "reasons"), READ)
def test_a_trial_is_read(
    name: str, options: dict[str, Any], usable: int, reasons: dict[str, int]
) -> None:
    result = read(TRIALS / name, **options)
    assert (len(result.rows), result.reasons) == (usable, reasons)


@pytest.mark.parametrize(("name", "options", "match"), REFUSED)
def test_a_trial_is_refused(name: str, options: dict[str, Any], match: str) -> None:
    with pytest.raises(BadInputError, match=match):
        read(TRIALS / name, **options)


def test_every_name_of_the_trials_has_a_tenant_of_its_own() -> None:
    found = read(TRIALS / "t12_tenants.csv", tenant="shop").column("tenant_id")
    assert len(set(found)) == 9  # `A B` and `a b`, and `7` and `7.0`, are one


def test_ids_and_names_of_the_trials() -> None:
    def ids(name: str, **options: Any) -> list[str]:
        return sorted(set(read(TRIALS / name, **options).column("customer_id")))

    assert ids("t01_ids.csv", **SOLD) == ["00042", "42"]
    assert ids("t04_cp1252.csv", **SOLD) == ["Müller"]
    assert ids("t04b_cp1251.csv", encoding="cp1251") == ["Иванов"]
    assert ids("t04c_good.csv") == ids("t04d_onebadbyte.csv") == ids("t04e_utf16.csv")
    assert ids("t11_zeroformat.xlsx") == ["02494", "12010"]
    assert ids("t15a_int.csv") == ids("t15b_float.csv") == ["13047", "17850"]
