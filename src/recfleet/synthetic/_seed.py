"""Seeding a synthetic fleet into the tables."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from multiprocessing import get_context

from recfleet.database import Connection, connect, transaction
from recfleet.errors import BadInputError
from recfleet.synthetic._days import draw_lines
from recfleet.synthetic._fleet import begin_seeding, check_same_world, end_seeding, find_fleet
from recfleet.synthetic._traits import Traits, traits
from recfleet.synthetic._write import DrawLines, Writer, Written
from recfleet.synthetic.world import UNTIL, WEEKS, World
from recfleet.tenants import add_tenants

Progress = Callable[[int, int], None]
"""Called with the approximate numbers of interactions written so far, and to write in all."""

_LOCK = 7_310_579_204_416
_LINES_OF_A_JOB = 150_000
_TENANTS_OF_A_JOB = 250
# Starting processes takes longer than writing this many lines.
_LINES_WORTH_A_PROCESS = 250_000


@dataclass(frozen=True)
class SeededTenant:
    """The rows added for one tenant."""

    traits: Traits
    interactions: int
    unusable: dict[str, int]
    """Unusable lines by reason."""


@dataclass(frozen=True)
class SeedReport:
    """The result of a seeding."""

    world: World
    until: date
    tenants: tuple[SeededTenant, ...]
    """Every requested tenant, by number; zeros where nothing was added."""
    seconds: float

    @property
    def interactions(self) -> int:
        """Interactions added."""
        return sum(tenant.interactions for tenant in self.tenants)

    @property
    def unusable(self) -> dict[str, int]:
        """Unusable lines added, by reason."""
        total: Counter[str] = Counter()
        for tenant in self.tenants:
            total.update(tenant.unusable)
        return dict(total)

    @property
    def nothing_new(self) -> bool:
        """Whether everything was already there."""
        return not self.interactions and not self.unusable


@dataclass(frozen=True)
class _Job:
    """Some tenants with consecutive numbers and equal history, written in one transaction."""

    world: World
    first: int
    last: int
    since: date
    until: date
    lines: float
    """Approximate expected number of interactions."""


def seed(
    database: Connection | str,
    world: World,
    *,
    tenants: int,
    until: date = UNTIL,
    workers: int = 2,
    progress: Progress | None = None,
) -> SeedReport:
    """Write the first tenants of a world to the database, with their history before a day.

    Existing rows stay; missing tenants and days are added. After an interruption, another seeding
    continues where the first stopped. The result depends only on the world, the tenants and
    ``until``, not on the steps.

    Args:
        database: its address, or an open connection, on which it commits. With an address, several
        processes share a large seeding.
        world: the parameters of the fleet.
        tenants: how many.
        until: the day before which the history ends.
        workers: most processes.
        progress: called from time to time with the progress.

    Raises:
        BadInputError: the database holds tenants of another world, the day is not after the
            world's first, there are no tenants asked for, or somebody else is seeding.
    """
    if tenants < 1:
        raise BadInputError(f"{tenants} tenants cannot be seeded: ask for one or more.")
    if until <= world.first_day:
        raise BadInputError(
            f"History begins on {world.first_day}, so there is nothing before {until}: give a "
            "later day, or more weeks of history."
        )
    started = time.perf_counter()
    with _connected(database) as connection, seed_alone(connection):
        fleet = find_fleet(connection)
        if fleet is not None:
            check_same_world(fleet, world)
        reached = list(fleet.reached) if fleet else []
        reached += [world.first_day] * (tenants - len(reached))
        connection.commit()
        fleet_traits = [traits(world, number) for number in range(tenants)]
        jobs = _jobs(world, fleet_traits, reached[:tenants], until)
        written = _run(database, connection, jobs, workers, progress or _silent)
    return SeedReport(
        world=world,
        until=until,
        tenants=tuple(_seeded(tenant, written.get(tenant.number)) for tenant in fleet_traits),
        seconds=time.perf_counter() - started,
    )


def _seeded(tenant: Traits, written: Written | None) -> SeededTenant:
    if written is None:
        return SeededTenant(tenant, 0, {})
    return SeededTenant(tenant, written.interactions, written.unusable)


@contextmanager
def _connected(database: Connection | str) -> Iterator[Connection]:
    if isinstance(database, str):
        with closing(connect(database, purpose="recfleet seed")) as connection:
            yield connection
    else:
        yield database


@contextmanager
def seed_alone(connection: Connection) -> Iterator[None]:
    """Keep others from seeding the same database, or simulating in it, at the same time.

    Raises:
        BadInputError: somebody else does.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", (_LOCK,))
        if cursor.fetchone() != (True,):
            raise BadInputError(
                "Another `recfleet seed` or `recfleet simulate` is running on this database: wait "
                "until it ends."
            )
    try:
        yield
    finally:
        if not connection.closed:
            connection.rollback()
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s)", (_LOCK,))
            connection.commit()


def _jobs(world: World, fleet: list[Traits], reached: list[date], until: date) -> list[_Job]:
    """The tenants whose history ends before ``until``, in jobs of bounded size."""
    jobs: list[_Job] = []
    for since, run in groupby(fleet, key=lambda tenant: reached[tenant.number]):
        if since >= until:
            continue
        share = (until - since).days / (7 * WEEKS)
        first, lines = -1, 0.0
        for tenant in run:
            if first < 0:
                first = tenant.number
            lines += tenant.size * share
            last = tenant.number + 1
            if lines >= _LINES_OF_A_JOB or last - first >= _TENANTS_OF_A_JOB:
                jobs.append(_Job(world, first, last, since, until, lines))
                first, lines = -1, 0.0
        if first >= 0:
            jobs.append(_Job(world, first, last, since, until, lines))
    return jobs


def _run(
    database: Connection | str,
    connection: Connection,
    jobs: list[_Job],
    workers: int,
    progress: Progress,
) -> dict[int, Written]:
    total, done = sum(job.lines for job in jobs), 0.0
    written: dict[int, Written] = {}
    progress(0, round(total))
    for job, result in _results(database, connection, jobs, workers):
        written |= {tenant.number: tenant for tenant in result}
        done += job.lines
        progress(round(done), round(total))
    return written


def _results(
    database: Connection | str, connection: Connection, jobs: list[_Job], workers: int
) -> Iterator[tuple[_Job, list[Written]]]:
    worth = int(sum(job.lines for job in jobs) / _LINES_WORTH_A_PROCESS)
    if not isinstance(database, str) or min(workers, worth) < 2:
        for job in jobs:
            yield job, _do(connection, job)
        return
    # The largest first, so that the processes end at about the same time.
    jobs = sorted(jobs, key=lambda job: -job.lines)
    # Spawned: a fork would share this process's connection.
    with ProcessPoolExecutor(min(workers, worth), mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_do_elsewhere, database, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _do_elsewhere(url: str, job: _Job) -> list[Written]:
    """One job in a worker process."""
    with closing(connect(url, purpose="recfleet seed")) as connection:
        return _do(connection, job)


def _do(connection: Connection, job: _Job) -> list[Written]:
    """Write a job's tenants, all or none."""
    with transaction(connection):
        numbers = range(job.first, job.last)
        return seed_days(connection, job.world, numbers, job.since, job.until)


def seed_days(
    connection: Connection,
    world: World,
    numbers: range,
    since: date,
    until: date,
    *,
    draw: DrawLines = draw_lines,
) -> list[Written]:
    """Add the days from ``since`` until the day before ``until``; the caller commits.

    Args:
        connection: an open connection; nobody else may seed meanwhile (``seed_alone``).
        world: the fleet's.
        numbers: the tenants', one after the other; the history of each must end before ``since``.
        since: the first day.
        until: the day after the last.
        draw: gives a tenant's lines; it is asked for days one after the other.
    """
    fleet = [traits(world, number) for number in numbers]
    with connection.cursor() as cursor:
        # At worst rows are lost when the machine dies; the next seeding adds them again.
        cursor.execute("set local synchronous_commit = off")
    ingest_id = begin_seeding(connection, world, numbers.start, numbers.stop, until)
    add_tenants(connection, {tenant.tenant_id: tenant.name for tenant in fleet})
    writer = Writer(connection, ingest_id, draw)
    first, end = world.day_of(since), world.day_of(until)
    written = [writer.write_days(world, tenant, first, end) for tenant in fleet]
    of_broken_days = writer.finish()
    end_seeding(connection, ingest_id, sum(one.interactions for one in written) - of_broken_days)
    return written


def _silent(done: int, total: int) -> None:
    """Ignore the progress."""
