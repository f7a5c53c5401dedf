"""Tables on a terminal and in a pipe."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from recfleet.terminal.output import print_table

ROW = {"tenant": "corner-shop", "outcome": "kept", "gain": 0.0132, "reason": "because " * 60}
Told = Callable[..., list[str]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Lines of a table on a terminal of that width, or in a pipe."""

    def tell(width: int | None, drop: tuple[str, ...] = ()) -> list[str]:
        out = Console(
            file=io.StringIO(), force_terminal=width is not None, width=width, color_system=None
        )
        monkeypatch.setattr("recfleet.terminal.output.console", lambda: out)
        print_table("a night", [ROW], list(ROW), cut="reason", drop=drop)
        assert isinstance(out.file, io.StringIO)
        return out.file.getvalue().splitlines()

    return tell


@pytest.mark.parametrize("width", [70, 100, 160])
def test_a_long_text_is_cut_to_the_room_that_is_left(told: Told, width: int) -> None:
    lines = told(width)
    [row] = [line for line in lines if "corner-shop" in line]
    assert [cell.strip() for cell in row.split("│")[1:4]] == ["corner-shop", "kept", "0.0132"]
    assert row.rstrip().endswith("… │")
    assert {len(line) for line in lines[1:]} == {width}


def test_a_column_is_left_out_where_there_is_no_room(told: Told) -> None:
    head = told(60, ("gain",))[2]
    assert "outcome" in head
    assert "gain" not in head


def test_where_hardly_any_room_is_left_texts_go_on_below(told: Told) -> None:
    lines = told(50)
    assert max(map(len, lines)) <= 50
    assert sum(line.count("because") for line in lines) == 60


def test_a_pipe_cuts_nothing(told: Told) -> None:
    [row] = [line for line in told(None) if "corner-shop" in line]
    assert row.count("because") == 60
