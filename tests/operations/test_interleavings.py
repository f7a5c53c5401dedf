"""Whatever people and nights do, in whatever order and however they die, the doctor finds nothing.

A night is not one step here: it begins and goes on stage by stage, while people switch, promote,
roll back, approve and backfill in between, and it may die in the middle of publishing. After every
step the doctor checks everything, and the audit is verified.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from recfleet.database import Connection
from recfleet.doctor import examine, repair
from recfleet.errors import RecfleetError
from recfleet.fleet.close import close_night
from recfleet.fleet.decide import decide_night
from recfleet.fleet.plan import plan_night
from recfleet.fleet.stage_loop import run_stage
from recfleet.fleet.stages import STAGES
from recfleet.operations.approvals import approve, list_waiting, reject
from recfleet.operations.audit import verify
from recfleet.operations.champions import promote, roll_back
from recfleet.operations.modes import set_mode
from recfleet.operations.policies import parse_changes, set_policies
from recfleet.settings import RegistrySettings
from tests.aging import days_pass
from tests.backfills import run_backfill
from tests.nights import START, WEEK, shop

if TYPE_CHECKING:
    from recfleet.tenants import Mode

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

EXAMPLES = int(os.environ.get("RECFLEET_INTERLEAVINGS", "3"))
"""Number of stories; `make interleavings` runs many, and different ones each time."""
WHO: dict[str, Any] = {"actor": "mara", "reason": "as the story goes"}
STEPS = ("validate", "train_and_judge", "decide", "publish", "close")
DEATHS = (
    "recfleet.releases.stage_releases",
    "recfleet.releases.switch_live",
    "recfleet.fleet.stages.staging.crown",
    "recfleet.fleet.close.mend_intents",
    "recfleet.operations.champion_changes.mend_intents",
    "recfleet.operations.champion_changes.crown",
    "recfleet.operations.champion_changes.switch_live",
)
"""Calls before which a process may die."""

_numbers = count(1)


class _DiedError(BaseException):
    """The death of a process; it derives from BaseException, because nothing catches a kill."""


@dataclass
class _Night:
    run_id: str
    shards: list[int]
    done: int = 0
    """Number of STEPS that are done."""
    attempt: int = field(default=1)


class Stories(RuleBasedStateMachine):
    """Each story has two tenants of its own, in one database that all stories share."""

    connection: Connection
    stack: RegistrySettings
    patch: pytest.MonkeyPatch

    nights = Bundle("nights")
    tenants = st.sampled_from(["a", "b"])
    some_tenants = st.sampled_from([["a"], ["b"], ["a", "b"]])

    @initialize(nights=st.sampled_from([2, 2, 2, 1, 0]))
    def begin(self, nights: int) -> None:
        """Both tenants have some weeks of purchases and, mostly, some nights."""
        number = next(_numbers)
        self.names = {name: f"{name}{number}" for name in ("a", "b")}
        self.week = 0
        self.is_shuffled = True
        if nights == 0:
            self.sell(8, shuffled=False)
        for _ in range(nights):
            self.tastes_turn_over()

    # --- What happens ----------------------------------------------------------------------------

    @rule(weeks=st.integers(1, 4), shuffled=st.booleans())
    def sell(self, weeks: int, shuffled: bool) -> None:
        """Customers go on buying, perhaps with other tastes."""
        for name in self.names.values():
            shop(
                self.connection,
                name,
                customers=60,
                products=60,
                weeks=range(self.week, self.week + weeks),
                seed=self.week,
                shuffled=shuffled,
            )
        self.week += weeks

    @rule()
    def tastes_turn_over(self) -> None:
        """The old models become useless, and a whole night notices."""
        self.is_shuffled = not self.is_shuffled
        self.sell(8, shuffled=self.is_shuffled)
        night = self._plan()
        while night.done < len(STEPS):
            self._step(night)

    @rule(target=nights)
    def begin_a_night(self) -> _Night:
        """Plan one; it goes on later, or never."""
        return self._plan()

    @rule(night=consumes(nights), steps=st.integers(1, 5), target=nights)
    def go_on_with_a_night(self, night: _Night, steps: int) -> Any:
        """Do its next steps, and drop it when it is over."""
        for _ in range(min(steps, len(STEPS) - night.done)):
            self._step(night)
        return multiple() if night.done == len(STEPS) else night

    @rule(night=consumes(nights), death=st.sampled_from(DEATHS[:4]), target=nights)
    def a_night_dies(self, night: _Night, death: str) -> _Night:
        """Its process is killed in one of its steps; another attempt may follow."""
        with self._dying(death):
            while night.done < len(STEPS):
                self._step(night)
        night.attempt += 1
        return night

    @rule(names=some_tenants, mode=st.sampled_from(["on", "frozen", "off"]))
    def switch(self, names: list[str], mode: Mode) -> None:
        self._try(lambda: set_mode(self.connection, self._ids(names), mode, **WHO))

    @rule(names=some_tenants, approval=st.sampled_from(["none", "every", "first"]))
    def ask_for_approval(self, names: list[str], approval: str) -> None:
        changes = parse_changes([f"approval={approval}"])
        self._try(lambda: set_policies(self.connection, self._ids(names), changes, **WHO))

    @rule(
        name=tenants,
        version=st.sampled_from([None, None, 1, 2]),
        death=st.sampled_from([None, None, *DEATHS[4:]]),
    )
    def go_back(self, name: str, version: int | None, death: str | None) -> None:
        tenant_id = self.names[name]
        with self._dying(death):
            self._try(lambda: roll_back(self.connection, tenant_id, to_version=version, **WHO))

    @rule(
        name=tenants,
        version=st.integers(1, 3),
        death=st.sampled_from([None, None, *DEATHS[4:]]),
    )
    def put_in_force(self, name: str, version: int, death: str | None) -> None:
        tenant_id = self.names[name]
        with self._dying(death):
            self._try(lambda: promote(self.connection, tenant_id, version, **WHO))

    @rule(answer=st.sampled_from([approve, approve, reject]))
    def answer_all(self, answer: Callable[..., object]) -> None:
        waiting = [
            row["approval_id"]
            for row in list_waiting(self.connection)
            if row["tenant"] in self.names.values()
        ]
        self._try(lambda: answer(self.connection, waiting, **WHO))

    @precondition(lambda self: self.week >= 10)
    @rule(names=some_tenants, weeks=st.integers(0, 1), is_promoting=st.booleans())
    def backfill(self, names: list[str], weeks: int, is_promoting: bool) -> None:
        """Backfill some of the last weeks."""
        last = (self._as_of() - timedelta(days=1)).date()
        first = last - timedelta(weeks=weeks)
        run_id = f"backfill-{next(_numbers)}"
        self._try(
            lambda: run_backfill(
                run_id, self._ids(names), first, last, step=7, promote=is_promoting
            )
        )

    @rule()
    def time_passes(self) -> None:
        """Nobody finishes what was left; the doctor mends it, and then finds nothing."""
        days_pass(self.connection, self.stack, 0.3)
        self.connection.rollback()
        found = examine(self.connection, self.stack).findings
        assert {finding.check for finding in found} <= {"nights", "intents"}
        mended = repair(self.connection, self.stack, found, actor="mara")
        assert [item.trouble for item in mended] == [None] * len(found)

    # --- What holds ------------------------------------------------------------------------------

    @invariant()
    def the_doctor_finds_nothing(self) -> None:
        self.connection.rollback()
        assert examine(self.connection, self.stack).findings == ()
        self.connection.rollback()
        assert verify(self.connection).faults == ()
        self.connection.rollback()

    def teardown(self) -> None:
        """Every story ends with mending what was left."""
        if hasattr(self, "names"):
            self.time_passes()
            self.the_doctor_finds_nothing()

    # --- How -------------------------------------------------------------------------------------

    def _as_of(self) -> datetime:
        return START + self.week * WEEK

    def _ids(self, names: list[str]) -> list[str]:
        return [self.names[name] for name in names]

    def _plan(self) -> _Night:
        run_id = f"night-{next(_numbers)}"
        return _Night(
            run_id, plan_night(run_id, None, self._as_of(), {"tenants": self._ids(["a", "b"])})
        )

    def _step(self, night: _Night) -> None:
        step = STEPS[night.done]
        if step == "decide":
            decide_night(night.run_id)
        elif step == "close":
            close_night(night.run_id)
        else:
            for shard in night.shards:
                run_stage(STAGES[step], night.run_id, shard, attempt=night.attempt)
        night.done += 1

    def _try(self, act: Callable[[], object]) -> None:
        """Try it: an impossible request is refused in a sentence, and changes nothing."""
        try:
            act()
        except RecfleetError:
            self.connection.rollback()

    @contextmanager
    def _dying(self, where: str | None) -> Iterator[None]:
        """Die at that place, if it is reached."""
        if where is None:
            yield
            return

        def die(*_: object, **__: object) -> None:
            raise _DiedError

        with self.patch.context() as patch:
            patch.setattr(where, die)
            try:
                yield
            except _DiedError:
                self.connection.rollback()


def test_any_order_ends_in_a_state_that_the_doctor_accepts(
    connection: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Story(Stories):
        pass

    Story.connection, Story.stack, Story.patch = connection, stack, monkeypatch
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=15,
            deadline=None,
            derandomize="RECFLEET_INTERLEAVINGS" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
