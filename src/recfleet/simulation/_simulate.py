"""Days of a database's synthetic tenants: customers see the live lists, and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from recfleet.database import Connection, transaction
from recfleet.errors import BadInputError
from recfleet.feedback import add_events, events_told_by, note_exposures
from recfleet.simulation._crowd import Crowd
from recfleet.simulation._day import Day, remembered, simulate_day
from recfleet.simulation._memory import Memory
from recfleet.simulation._served import Live, look_up_lists
from recfleet.simulation._told import TOLD_BY, Account, remembered_of
from recfleet.simulation.behaviour import MEMORY_DAYS, Behaviour
from recfleet.synthetic import (
    WEEKS,
    Fleet,
    Lines,
    Market,
    Traits,
    World,
    draw_lines,
    find_fleet,
    seed_alone,
    seed_days,
    traits,
)
from recfleet.tenants import check_tenants, list_tenants

Progress = Callable[[int, int], None]
"""Called with the days of tenants that have passed, and that shall pass in all."""

_DAYS_AT_ONCE = 7
_LINES_AT_ONCE = 50_000
_TENANTS_AT_ONCE = 100


@dataclass
class Passed:
    """What the simulated days of a tenant have brought."""

    tenant_id: str
    since: date
    """The first of the days."""
    until: date
    """The day after the last."""
    is_served: bool = True
    """Whether the tenant showed lists on all of the days."""
    asked: int = 0
    """Lists that customers asked for (pull), once a customer and day."""
    sent: int = 0
    """Lists that were sent (push), without the control."""
    shown: int = 0
    """Products that were shown."""
    accepted: int = 0
    rejected: int = 0
    purchases: int = 0
    """Lines bought."""
    caused: int = 0
    """Lines bought because they were shown."""
    revenue: float = 0.0
    revenue_without: float = 0.0
    """What would have come in without any list, ever."""

    @property
    def incremental(self) -> float:
        """What the lists have brought: the truth."""
        return self.revenue - self.revenue_without


@dataclass(frozen=True)
class _Job:
    """Days of some tenants that pass in one transaction."""

    numbers: range
    since: date
    until: date


@dataclass
class _Passing:
    """A tenant whose days are passing."""

    crowd: Crowd
    live: Live
    memory: Memory
    days: list[Day] = field(default_factory=list)

    def draw(self, market: Market, first: int, until: int) -> Lines:
        """Let days pass; they come one after the other."""
        planned = draw_lines(market, first, until)
        lines = []
        for number in range(first, until):
            today = planned.take(np.arange(*np.searchsorted(planned.day, [number, number + 1])))
            day = simulate_day(self.crowd, number, today, self.live.served, self.memory)
            self.memory = self.memory.before(number).and_then(remembered(day))
            self.days.append(day)
            lines.append(day.lines)
        return Lines.joined(lines)


def simulate(
    connection: Connection,
    tenant_ids: Sequence[str] | None = None,
    *,
    days: int | None = None,
    until: date | None = None,
    seed: int | None = None,
    behaviour: Behaviour | None = None,
    progress: Progress | None = None,
) -> list[Passed]:
    """Let days pass for synthetic tenants, from the end of each one's history on.

    Customers see the live lists, as applications look them up. What they buy goes into the
    purchases, what they do with lists into the events, and who was given a list into the exposures.
    A week of some tenants is one transaction, so after an interruption nothing is doubled, and
    another simulation goes on from there.

    Args:
        connection: an open connection, on which it commits.
        tenant_ids: the tenants; None: all synthetic ones.
        days: how many; None: as many as ``until`` asks for.
        until: the day before which they end; None: ``days`` after the end of each one's history.
        seed: of the customers' answers; by default the fleet's.
        behaviour: the rules' parameters.
        progress: called from time to time with the progress.

    Returns:
        What came of it, by tenant; a tenant without a day to simulate is not among them.

    Raises:
        UnknownTenantError: there is no such tenant.
        BadInputError: a tenant is not synthetic, there are no synthetic tenants, or somebody else
            is seeding.
    """
    with seed_alone(connection):
        fleet = find_fleet(connection)
        if fleet is None:
            raise BadInputError(
                "There are no synthetic tenants, and nobody else has simulated customers: "
                "`recfleet seed` makes some."
            )
        chosen = _choose(connection, fleet, tenant_ids)
        connection.commit()
        jobs = list(_jobs(fleet, chosen, days, until))
        total = sum((job.until - job.since).days * len(job.numbers) for job in jobs)
        done, passed = 0, dict[str, Passed]()
        tell = progress or _silent
        tell(0, total)
        for job in jobs:
            _prepare(connection, fleet.world, job)
            with transaction(connection):
                for one in _pass(connection, fleet.world, job, seed, behaviour or Behaviour()):
                    earlier = passed.get(one.tenant_id)
                    passed[one.tenant_id] = one if earlier is None else _sum(earlier, one)
            done += (job.until - job.since).days * len(job.numbers)
            tell(done, total)
    return [passed[tenant_id] for tenant_id in sorted(passed)]


def _choose(connection: Connection, fleet: Fleet, tenant_ids: Sequence[str] | None) -> list[int]:
    """Numbers of the asked tenants, rising."""
    numbers = fleet.numbers()
    if tenant_ids is None:
        return sorted(
            numbers[tenant.tenant_id]
            for tenant in list_tenants(connection)
            if tenant.tenant_id in numbers
        )
    check_tenants(connection, tenant_ids)
    if real := [tenant_id for tenant_id in tenant_ids if tenant_id not in numbers]:
        raise BadInputError(
            f"{', '.join(real)}: only synthetic tenants have simulated customers. Invented "
            "purchases would be mixed with real ones; leave that out."
        )
    return sorted({numbers[tenant_id] for tenant_id in tenant_ids})


def _jobs(
    fleet: Fleet, chosen: Sequence[int], days: int | None, until: date | None
) -> Iterator[_Job]:
    """The days that are missing, a week at most and some tenants in each job; weeks in order."""
    ends = {number: until or fleet.reached[number] + timedelta(days=days or 0) for number in chosen}
    reached = {number: fleet.reached[number] for number in chosen}
    while left := [number for number in chosen if reached[number] < ends[number]]:
        for numbers, since, end in _runs(fleet.world, left, reached, ends):
            yield _Job(numbers, since, end)
            reached.update(dict.fromkeys(numbers, end))


def _runs(
    world: World, left: Sequence[int], reached: dict[int, date], ends: dict[int, date]
) -> Iterator[tuple[range, date, date]]:
    """Tenants in a row that go on from the same day for as many days."""
    run: list[int] = []
    lines = 0.0
    for number in [*left, -1]:
        same = (
            run
            and number == run[-1] + 1
            and _next(reached, ends, run[-1]) == _next(reached, ends, number)
        )
        if run and (not same or lines > _LINES_AT_ONCE or len(run) >= _TENANTS_AT_ONCE):
            yield range(run[0], run[-1] + 1), *_next(reached, ends, run[-1])
            run, lines = [], 0.0
        if number >= 0:
            run.append(number)
            lines += traits(world, number).size / WEEKS


def _next(reached: dict[int, date], ends: dict[int, date], number: int) -> tuple[date, date]:
    """The next days of a tenant: since and until."""
    since = reached[number]
    return since, min(since + timedelta(days=_DAYS_AT_ONCE), ends[number])


def _prepare(connection: Connection, world: World, job: _Job) -> None:
    """Have the events' partitions made beforehand: making one locks out others until the commit."""
    tenant_id = traits(world, job.numbers.start).tenant_id
    for day in (job.since, job.until):
        add_events(connection, tenant_id, [], received_at=_midnight(day), told_by=TOLD_BY)
        connection.commit()


def _pass(
    connection: Connection, world: World, job: _Job, seed: int | None, behaviour: Behaviour
) -> list[Passed]:
    """Let a job's days pass, and write down all that they leave."""
    passing: dict[int, _Passing] = {}

    def draw(market: Market, first: int, until: int) -> Lines:
        number = market.traits.number
        if number not in passing:
            crowd = Crowd(market, behaviour, world.seed if seed is None else seed)
            days = range(first, world.day_of(job.until))
            since = _midnight(job.since) - timedelta(days=MEMORY_DAYS)
            told = events_told_by(connection, market.traits.tenant_id, TOLD_BY, since)
            live = look_up_lists(connection, crowd, days)
            passing[number] = _Passing(crowd, live, remembered_of(world, told))
        return passing[number].draw(market, first, until)

    seed_days(connection, world, job.numbers, job.since, job.until, draw=draw)
    for one in passing.values():
        _tell(connection, one)
    return [_result(traits(world, number), job, passing[number]) for number in job.numbers]


def _tell(connection: Connection, one: _Passing) -> None:
    tenant_id, world = one.crowd.market.traits.tenant_id, one.crowd.market.world
    for day in one.days:
        account = Account(one.crowd, day, one.live)
        note_exposures(connection, tenant_id, account.exposures())
        # By the evening all has arrived.
        evening = _midnight(world.date_of(day.day + 1)) - timedelta(seconds=1)
        events = list(account.events())
        if events:
            add_events(connection, tenant_id, events, received_at=evening, told_by=TOLD_BY)


def _result(tenant: Traits, job: _Job, one: _Passing) -> Passed:
    passed = Passed(
        tenant.tenant_id, job.since, job.until, is_served=one.live.release_id is not None
    )
    for day in one.days:
        pulled, pushed = day.exposed
        if passed.is_served:
            passed.asked += len(pulled)
            passed.sent += int((~one.live.control[pushed]).sum())
        passed.shown += int(day.reaction.shown.sum())
        passed.accepted += int(day.reaction.accepted.sum())
        passed.rejected += int(day.reaction.rejected.sum())
        passed.caused += int(day.reaction.caused.sum())
        passed.purchases += int((day.lines.quantity > 0).sum())
        passed.revenue += float(day.lines.amount.sum())
        passed.revenue_without += float(day.planned.amount.sum())
    return passed


def _sum(first: Passed, second: Passed) -> Passed:
    counts = ("asked", "sent", "shown", "accepted", "rejected", "purchases", "caused")
    added = {
        name: getattr(first, name) + getattr(second, name)
        for name in (*counts, "revenue", "revenue_without")
    }
    served = first.is_served and second.is_served
    return Passed(first.tenant_id, first.since, second.until, is_served=served, **added)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _silent(done: int, total: int) -> None:
    """Ignore the progress."""
