"""The short form of ``make attack``, on the stack that the tests share."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.attack import local_user, persons
from tests.attack.ground import ground_of
from tests.stacks import Stack

started = [pytest.mark.airflow, pytest.mark.mlflow, pytest.mark.postgres, pytest.mark.slow]


@pytest.mark.usefixtures("after_first_night")
@pytest.mark.timeout(900)
class TestOfTheStartedStack:
    pytestmark = started

    def test_nothing_is_gained(self, running: Stack) -> None:
        found = persons.attempts(ground_of(running))
        print("\n".join(map(str, found)))

        assert [str(each) for each in found if each.gained] == []
        skipped = [str(each) for each in found if "SKIPPED" in each.met]
        assert not skipped or os.geteuid() != 0
        assert {each.who for each in found} >= {"viewer", "application", "analyst", "caller"}


def test_what_is_open_is_gained(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        tries = [
            ("a folder", partial(local_user._look, tmp_path)),
            ("a file", partial(local_user._put, tmp_path)),
            ("a socket", partial(local_user._connect, str(tmp_path / "socket"))),
            ("nothing", partial(local_user._look, tmp_path / "nothing")),
        ]
        assert local_user._tries("look", tries).gained == ("a folder", "a file", "a socket")
