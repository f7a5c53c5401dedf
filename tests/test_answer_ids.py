"""The id of an answer: it is unique, in order, and says where the answer came from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from recfleet.answer_ids import make_answer_id, read_answer_id


@pytest.mark.parametrize("release", [None, 1, 318, 2**40 - 1])
def test_an_id_says_when_and_from_what(release: int | None) -> None:
    answer = UUID(make_answer_id(release))

    origin = read_answer_id(answer)

    assert (answer.version, answer.variant) == (7, "specified in RFC 4122")
    assert origin is not None
    assert origin.release_id == release
    assert abs(datetime.now(UTC) - origin.made_at) < timedelta(minutes=1)


def test_an_id_of_another_time_can_be_made_again() -> None:
    made_at = datetime(2025, 12, 24, 18, 30, 1, 250_000, tzinfo=UTC)

    first, again, other = (
        make_answer_id(7, made_at=made_at, drawn=drawn) for drawn in (2**34 - 1, 2**34 - 1, 0)
    )

    assert first == again != other
    for text in (first, other):
        origin = read_answer_id(UUID(text))
        assert origin is not None
        assert (origin.made_at, origin.release_id) == (made_at, 7)


def test_ids_of_one_moment_differ() -> None:
    made = [make_answer_id(7) for _ in range(20_000)]

    assert len(set(made)) == len(made)
    assert [text[:13] for text in made] == sorted(text[:13] for text in made)


@pytest.mark.parametrize("answer", [uuid4(), UUID(int=0), UUID(int=2**128 - 1)])
def test_an_id_of_another_kind_is_none_of_ours(answer: UUID) -> None:
    assert read_answer_id(answer) is None
