"""The command line over a test's own stack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stacks import Stack, running_stack


@pytest.fixture
def recfleet() -> Iterator[Stack]:
    """The command, with services that end with the test."""
    with running_stack() as stack:
        yield stack
