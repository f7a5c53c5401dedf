"""A shard's stage in a process of its own, so that a tenant that kills it harms no other tenant.

A process cannot stop a tenant of its own that hangs in native code or takes all memory. Therefore
the loop runs in a child, forked before any heavy import, which reports over a pipe whose turn it
is. The task's own process watches. If a tenant exceeds its time budget, the child is ended and the
tenant has failed. If the child dies, its tenant is tried once more, alone and last; then it has
failed. Another child continues with the rest, without a retry of the task.

Preparing and finishing are done for several tenants at once and belong to none of them. If a child
dies there, the tenants are halved until the culprit is found.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any, NoReturn

import structlog

from recfleet import models, quality, registry
from recfleet.database import connect, transaction
from recfleet.errors import InfrastructureError
from recfleet.fleet.accounting import peak_mb
from recfleet.fleet.stage_loop import (
    Desk,
    Onlooker,
    ShardSummary,
    Stage,
    Work,
    alone,
    run_stage,
    too_much_memory,
)
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.record import (
    ShardCost,
    ShardRun,
    Step,
    TenantNight,
    end_shard_run,
    get_night,
    record_step,
    rows_in_state,
)
from recfleet.settings import night_settings
from recfleet.tenants import Policy

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as PipeEnd

log = structlog.get_logger(__name__)

Selection = tuple[str, ...] | None
"""The tenants of a child; None: all that the ledger has for the stage."""

_TOO_MANY = 16
"""If more children than this die at nobody's turn, the cause is no tenant."""

_LIBRARIES = {
    "great_expectations": quality.load_library,
    "implicit": models.load_library,
    "mlflow": registry.load_library,
}


def import_ahead() -> None:
    """Import in this process what stages need, for all its later children."""
    for load in _LIBRARIES.values():
        load()


def run_supervised(
    stage: Stage[Any, Any],
    run_id: str,
    shard: int,
    *,
    attempt: int = 1,
    on_start: Callable[[int], None] = lambda _: None,
) -> ShardSummary:
    """Run a stage over a shard in a child process; otherwise like ``run_stage``.

    Args:
        stage: what to do.
        run_id: the night's Airflow run.
        shard: its number.
        attempt: 1 for the first try of the task, 2 for the second, …
        on_start: called before the first tenant with the number of tenants to do.

    Raises:
        InfrastructureError, psycopg2.OperationalError, OSError: as ``run_stage`` does; or children
            died again and again at nobody's turn.
    """
    return _Supervisor(stage, run_id, shard, attempt, on_start).run()


class _Messenger(Onlooker):
    """The onlooker in the child, which reports to the parent."""

    def __init__(self, pipe: PipeEnd, only: Selection) -> None:
        self._pipe = pipe
        self.only = only

    def begins(self, rows: list[TenantNight]) -> None:
        self._pipe.send(("begins", {row.tenant_id: row.policy.time_budget_seconds for row in rows}))

    def prepared(self, desk: Desk) -> None:
        self._pipe.send(("prepared", desk.accounts.import_seconds))

    def turn(self, row: TenantNight) -> None:
        self._pipe.send(("turn", row.tenant_id))

    def ends(self, works: list[Work[Any]]) -> None:
        self._pipe.send(("ends", tuple(work.row.tenant_id for work in works)))

    def did(self, steps: list[Step]) -> None:
        self._pipe.send(("did", len(steps), sum(step.state == "failed" for step in steps)))

    def ended(self, error: BaseException | None = None) -> None:
        """Say the last word: the child is done with its tenants, or an error ended it."""
        trace = "".join(traceback.format_exception(error)) if error else ""
        self._pipe.send(("ended", error and _pickled(error), trace))


def _pickled(error: BaseException) -> bytes:
    """An error as bytes; one that cannot be pickled is sent as its text."""
    try:
        sent = pickle.dumps(error)
        pickle.loads(sent)  # noqa: S301 - made here just before
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return sent


@dataclass
class _Child:
    """What the parent knows about a child."""

    pid: int
    budgets: Mapping[str, float] = field(default_factory=dict)
    """Tenant -> seconds allowed for its turn."""
    import_seconds: Mapping[str, float] = field(default_factory=dict)
    is_prepared: bool = False
    at: tuple[str, ...] = ()
    """The tenants it works on now: all while it prepares, one at that tenant's turn."""
    since: float = 0.0
    """When it began its present work; monotonic."""
    deadline: float = math.inf
    """When its present work must be done; monotonic."""
    done: int = 0
    failed: int = 0
    has_ended: bool = False
    """Whether it said its last word; a child that died did not."""
    error: BaseException | None = None
    is_late: bool = False
    how: str = ""
    """What ended it, such as SIGKILL."""

    def hear(self, word: tuple[Any, ...]) -> None:
        """Take in a message from the child."""
        self.deadline = math.inf
        match word:
            case ("begins", budgets):
                self.budgets = budgets
                self._works_on(tuple(budgets))
            case ("prepared", import_seconds):
                self.is_prepared, self.import_seconds, self.at = True, import_seconds, ()
            case ("turn", tenant_id):
                self._works_on((tenant_id,), self.budgets[tenant_id])
            case ("ends", tenant_ids):
                self._works_on(tenant_ids)
            case ("did", done, failed):
                self.at = ()
                self.done += done
                self.failed += failed
            case ("ended", error, trace):
                self.has_ended = True
                if error is not None:
                    self.error = pickle.loads(error)  # noqa: S301 - from our own child
                    self.error.add_note(f"In the shard's process:\n{trace}")

    def _works_on(self, tenant_ids: tuple[str, ...], budget: float | None = None) -> None:
        """Note the tenants it works on; several at once have one tenant's budget and the usual."""
        usual = Policy().time_budget_seconds
        self.at, self.since = tenant_ids, time.monotonic()
        self.deadline = self.since + (budget or max(usual, *self.budgets.values()))


class _Supervisor:
    """One task's work on a shard: child after child until every tenant is done or has failed."""

    def __init__(
        self,
        stage: Stage[Any, Any],
        run_id: str,
        shard: int,
        attempt: int,
        on_start: Callable[[int], None],
    ) -> None:
        self._stage = stage
        self._run_id = run_id
        self._shard = shard
        self._attempt = attempt
        self._on_start: Callable[[int], None] | None = on_start
        self._began = datetime.now(UTC)
        self._waiting: deque[Selection] = deque([None])
        self._suspects: set[str] = set()
        """Tenants with a child that died at their turn."""
        self._nobodys = 0
        """Children that died at nobody's turn."""
        self._was_prepared = False
        self._import_seconds: Counter[str] = Counter()
        self._done = self._failed = 0

    def run(self) -> ShardSummary:
        children = 0
        while self._waiting:
            child = self._run_child(self._waiting.popleft())
            children += 1
            self._done += child.done
            self._failed += child.failed
            self._was_prepared |= child.is_prepared
            self._import_seconds.update(child.import_seconds)
            if child.error is not None and not isinstance(child.error, MemoryError):
                raise child.error
            if not child.has_ended or child.error is not None:
                self._go_on_after(child)
        if children > 1:
            self._write_sums()
        return ShardSummary(self._done, self._failed)

    # --- One child --------------------------------------------------------------------------------

    def _run_child(self, only: Selection) -> _Child:
        hearing, telling = Pipe(duplex=False)
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            hearing.close()
            self._be_child(parent, _Messenger(telling, only))
        telling.close()
        child = _Child(pid)
        try:
            self._listen(child, hearing)
        finally:
            if not child.has_ended:
                os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
            hearing.close()
        child.how = _how_ended(status)
        return child

    def _be_child(self, parent: int, messenger: _Messenger) -> NoReturn:
        """Work through the shard; never returns into the parent's code."""
        try:
            _end_with(parent)
            _limit_memory()
            run_stage(
                self._stage, self._run_id, self._shard, attempt=self._attempt, onlooker=messenger
            )
            messenger.ended()
        except BaseException as error:
            messenger.ended(error)
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(0)

    def _listen(self, child: _Child, pipe: PipeEnd) -> None:
        """Listen to the child until its last word, its death or the end of a tenant's time."""
        while not child.has_ended:
            patience = child.deadline - time.monotonic()
            if patience <= 0:
                child.is_late = True
                return
            if not pipe.poll(min(patience, 3600)):
                continue
            try:
                child.hear(pipe.recv())
            except (EOFError, OSError):  # It died, perhaps in the middle of a message.
                return
            if child.budgets and self._on_start:
                self._on_start(len(child.budgets))
                self._on_start = None

    # --- After a child that failed ----------------------------------------------------------------

    def _go_on_after(self, child: _Child) -> None:
        """Decide what to do after a child that died, was late, or ran out of memory."""
        # The next children are forked with what this one had imported.
        for library in child.import_seconds.keys() & _LIBRARIES.keys():
            _LIBRARIES[library]()
        log.warning(
            f"{self._stage.name}: the shard's process was ended",
            by=self._what(child),
            tenants=list(child.at[:3]),
        )
        rest = tuple(tenant_id for tenant_id in child.budgets if tenant_id not in child.at)
        if rest:
            self._waiting.append(rest)
        if len(child.at) == 1 and child.is_prepared:
            self._go_on_after_turn(child, child.at[0])
        else:
            self._go_on_after_nobodys(child)

    def _go_on_after_turn(self, child: _Child, suspect: str) -> None:
        if child.is_late or suspect in self._suspects:
            self._fail(child, suspect)
        else:
            self._suspects.add(suspect)
            self._waiting.append((suspect,))

    def _go_on_after_nobodys(self, child: _Child) -> None:
        self._nobodys += 1
        found = len(child.at) == 1
        if self._nobodys > _TOO_MANY or (found and not self._was_prepared):
            raise InfrastructureError(
                f"the process of shard {self._shard} was ended by {self._what(child)} "
                f"{self._nobodys} times while it worked on no tenant: does the machine have "
                "enough memory, and is RECFLEET_TENANT_MEMORY_MB more than the libraries need?"
            )
        if found:
            self._go_on_after_turn(child, child.at[0])
        elif child.at:
            middle = len(child.at) // 2
            self._waiting += [child.at[:middle], child.at[middle:]]
        elif not child.budgets:
            self._waiting.append(None)

    def _fail(self, child: _Child, tenant_id: str) -> None:
        """Record that a tenant has failed, unless it was done before its child was ended."""
        stage = self._stage
        watch = Stopwatch()
        if child.since:
            watch.add(f"{stage.name}.total", (time.monotonic() - child.since) * 1000)
        reason = f"{stage.name}: {self._why(child, tenant_id)}"
        with closing(connect(purpose=f"recfleet {stage.name} shard {self._shard}")) as connection:
            night = get_night(connection, self._run_id)
            # When the child's lock is free, its transactions in Postgres are over.
            with alone(connection, night, self._shard, stage.name), transaction(connection):
                rows = rows_in_state(connection, night, self._shard, stage.takes)
                if all(row.tenant_id != tenant_id for row in rows):
                    return
                step = Step("failed", {"outcome": "failed", "reason": reason})
                record_step(connection, night, tenant_id, step, watch.timings(), was=stage.takes)
        self._done += 1
        self._failed += 1
        log.warning(f"{stage.name} failed", tenant_id=tenant_id, reason=reason)

    def _why(self, child: _Child, tenant_id: str) -> str:
        if child.is_late:
            budget = child.budgets[tenant_id]
            return (
                f"it was not done within its time budget of {budget:g} s and was ended; to give "
                "it more time, raise time_budget_seconds in its policy"
            )
        if isinstance(child.error, MemoryError):
            return too_much_memory(night_settings())
        return (
            f"its process was ended by {child.how}, twice, the second time with this tenant "
            "alone: the machine ran out of memory (RECFLEET_TENANT_MEMORY_MB limits a tenant's "
            "memory), or native code crashed"
        )

    def _what(self, child: _Child) -> str:
        if child.is_late:
            return "its time budget"
        return "lack of memory" if isinstance(child.error, MemoryError) else child.how

    def _write_sums(self) -> None:
        """Write the cost of all children together, over the last child's own entry."""
        cost = ShardCost(
            tenants=self._done,
            failed=self._failed,
            import_seconds=self._import_seconds,
            peak_mb=peak_mb(resource.RUSAGE_CHILDREN),
        )
        with closing(connect(purpose=f"recfleet {self._stage.name}")) as connection:
            night = get_night(connection, self._run_id)
            run = ShardRun(night.night_id, self._stage.name, self._shard, self._attempt)
            with transaction(connection):
                end_shard_run(connection, run, cost, began=self._began)


def _how_ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _end_with(parent: int) -> None:
    """Have the kernel end this process with its parent, and restore the usual signal handlers."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(0)  # The parent had ended before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _limit_memory() -> None:
    """Make an allocation above the limit fail, as an error of the tenant that asked for it."""
    limit = night_settings().tenant_memory_mb * 1024 * 1024
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
