"""The text of an entry is, byte for byte, the one that Postgres writes of its columns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recfleet.audit._canonical import canonical_text, send_plainly
from recfleet.database import Connection

pytestmark = pytest.mark.postgres

# One of them carries the row's values; what Postgres makes of them is compared.
_QUESTION = """
select jsonb_build_array(a, b, c, d, e, f, g, h, i, j, k, l)::text, a, b, c, d, e, f, g, h, i, j, k, l
  from (values (%s::bigint, %s::timestamptz, %s::text, %s::bigint, %s::text, %s::integer,
                %s::integer, %s::jsonb, %s::jsonb, %s::text, %s::text, %s::text))
    as entry (a, b, c, d, e, f, g, h, i, j, k, l)
"""  # noqa: E501

_TIMES = [
    "2026-03-31 00:04:05.123456+00",
    "2026-03-31 00:04:05.120000+00",
    "2026-03-31 00:04:05.000001+00",
    "2026-03-31 00:04:05+00",
    "2026-03-31 05:49:05.5+05:45",
    "1883-11-18 12:03:58-04:56:02",
    "0044-03-15 12:00:00+00 BC",
    "0001-01-01 00:00:00+00",
    "12026-03-31 00:04:05.1+00",
    "294276-12-31 23:59:59.999999+00",
    "infinity",
    "-infinity",
]
_NUMBERS = [
    "0", "-0", "1", "1.0", "1.10", "1e2", "1E-7", "1e-400", "1e400", "0.1000000000000000055511151",
    "-12345678901234567890123456789.5", "9" * 5000, "1.7976931348623157e308", "5e-324",
]  # fmt: skip

_texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
_integers = st.integers(1 - 2**63, 2**63 - 1)
_small = st.none() | st.integers(1 - 2**31, 2**31 - 1)
_times = st.one_of(
    st.sampled_from(_TIMES),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}+00"),
)
_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    _texts,
)
_documents = st.one_of(
    st.recursive(
        _leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
        max_leaves=12,
    ).map(json.dumps),
    st.sampled_from(_NUMBERS).map(lambda number: f'{{"a": [{number}], "{number[:9]}": {number}}}'),
)

_ODD = "\x01\b\t\n\f\r\x1b\x1f\x7f\x80\u2028\u2029/\\\"'<>&é\u0301ß漢字🜁\U0010ffff\ufeff\ufffe"


def _same(connection: Connection, values: tuple[Any, ...]) -> None:
    connection.rollback()
    with connection.cursor() as cursor:
        send_plainly(cursor)
        cursor.execute(_QUESTION, values)
        row = cursor.fetchone()
    connection.rollback()
    assert row is not None
    assert canonical_text(row[1:]) == row[0]


@given(
    values=st.tuples(
        _integers, _times, st.none() | _texts, st.none() | _integers, _texts, _small, _small,
        st.none() | _documents, _documents, _texts, _texts, _texts,
    )
)  # fmt: skip
@example((1, _TIMES[0], None, None, "", None, None, None, "{}", _ODD, "", ""))
@example((1, _TIMES[1], _ODD, 2, _ODD, 3, 4, json.dumps({_ODD: _ODD}), "null", _ODD, _ODD, _ODD))
@example((1, _TIMES[2], "", 2, "", 3, 4, '{"bb": 1, "a": 2, "é": 3, "a": 4}', "[]", "", "", ""))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_text_is_that_of_postgres(connection: Connection, values: tuple[Any, ...]) -> None:
    _same(connection, values)


@pytest.mark.parametrize("moment", _TIMES)
def test_times_are_written_as_postgres_writes_them(connection: Connection, moment: str) -> None:
    _same(connection, (1, moment, None, None, "", None, None, "{}", "{}", "", "", ""))


@pytest.mark.parametrize("number", _NUMBERS)
def test_numbers_are_written_as_postgres_writes_them(connection: Connection, number: str) -> None:
    _same(
        connection,
        (1, _TIMES[0], None, None, "", None, None, number, f'{{"n": [{number}]}}', "", "", ""),
    )


def test_a_deep_document_is_no_trouble(connection: Connection) -> None:
    deep = "[" * 3000 + "]" * 3000
    _same(connection, (1, _TIMES[0], None, None, "", None, None, deep, "{}", "", "", ""))


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/New_York"])
def test_the_session_does_not_matter(connection: Connection, zone: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"set timezone = '{zone}'; set datestyle = 'German'")
    connection.commit()
    _same(connection, (1, _TIMES[0], None, None, "", None, None, "{}", "{}", "", "", ""))


def test_text_does_not_pass_for_json() -> None:
    with pytest.raises(ValueError, match="is not JSON from a column of that type"):
        canonical_text((1, _TIMES[0], None, None, "", None, None, '{}, {"a": 1}', "", "", "", ""))
    with pytest.raises(ValueError, match="is neither text nor a whole number"):
        canonical_text((1, _TIMES[0], b"x", None, "", None, None, None, None, "", "", ""))
