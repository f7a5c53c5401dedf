"""A face that imports a name when it is first asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from recfleet import operations
from recfleet.faces import import_on_demand
from recfleet.operations.result import Result


def test_a_name_is_that_of_its_module() -> None:
    assert operations.Result is Result


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    find = import_on_demand(operations.__name__, str(operations.__file__))

    with pytest.raises(AttributeError, match=r"'recfleet\.operations' has no attribute 'nonsense'"):
        find("nonsense")


def test_only_what_is_asked_for_is_imported() -> None:
    program = (
        "import sys; from recfleet.operations import Result; "
        "print(*(name for name in sys.modules if name.startswith('recfleet.operations.')))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["recfleet.operations.result"]
