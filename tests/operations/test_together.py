"""The doctor accepts whatever nights and people do to a tenant, in any order and at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from recfleet.database import Connection, connect
from recfleet.doctor import examine
from recfleet.errors import RecfleetError
from recfleet.operations.approvals import approve, list_waiting, reject
from recfleet.operations.audit import verify
from recfleet.operations.champions import promote, roll_back
from recfleet.operations.modes import set_mode
from recfleet.operations.policies import parse_changes, set_policies
from recfleet.settings import RegistrySettings
from tests.backfills import run_backfill
from tests.nights import START, WEEK, run_night, shop

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow, pytest.mark.slow]

WHO: dict[str, Any] = {"actor": "ann", "reason": "to see"}
TENANT = "shop"
_names = count(1)


def _night(_: Connection) -> None:
    number = next(_names)
    as_of = START + 20 * WEEK + timedelta(minutes=number)
    run_night(f"night {number}", as_of, {"tenants": [TENANT]})


def _backfill(_: Connection) -> None:
    day = (START + 18 * WEEK).date()
    run_backfill(f"backfill {next(_names)}", [TENANT], day, day + timedelta(days=1), force=True)


def _mode(mode: Any) -> Callable[[Connection], object]:
    return lambda connection: set_mode(connection, [TENANT], mode, **WHO)


def _policy(approval: str) -> Callable[[Connection], object]:
    changes = parse_changes([f"approval={approval}"])
    return lambda connection: set_policies(connection, [TENANT], changes, **WHO)


def _answer(answer: Callable[..., object]) -> Callable[[Connection], None]:
    def give(connection: Connection) -> None:
        answer(connection, [row["approval_id"] for row in list_waiting(connection)], **WHO)

    return give


ACTIONS: dict[str, Callable[[Connection], object]] = {
    "night": _night,
    "backfill": _backfill,
    "on": _mode("on"),
    "frozen": _mode("frozen"),
    "off": _mode("off"),
    "every promotion waits": _policy("every"),
    "none waits": _policy("none"),
    "approve": _answer(approve),
    "reject": _answer(reject),
    "roll back": lambda connection: roll_back(connection, TENANT, **WHO),
    "roll back to 1": lambda connection: roll_back(connection, TENANT, to_version=1, **WHO),
    "promote 2": lambda connection: promote(connection, TENANT, 2, **WHO),
}


def _do(action: str) -> None:
    """Do it on a separate connection; an impossible request is refused with a sentence."""
    with closing(connect()) as connection, suppress(RecfleetError):
        ACTIONS[action](connection)


@pytest.fixture
def world(connection: Connection, stack: RegistrySettings) -> RegistrySettings:
    """A tenant whose tastes have changed since its first model; all examples share it."""
    shop(connection, TENANT, customers=60)
    run_night("first", START + 12 * WEEK)
    shop(connection, TENANT, customers=60, weeks=range(12, 20), shuffled=True)
    return stack


@pytest.mark.timeout(1200)
@rules(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
    database=None,
)
@given(
    st.lists(
        st.lists(st.sampled_from(sorted(ACTIONS)), min_size=1, max_size=2), min_size=2, max_size=6
    )
)
def test_any_interleaving_ends_in_a_state_that_the_doctor_accepts(
    world: RegistrySettings, steps: list[list[str]]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        for together in steps:
            for done in [pool.submit(_do, action) for action in together]:
                done.result()
    with closing(connect()) as connection:
        assert examine(connection, world).findings == ()
        verify(connection)
