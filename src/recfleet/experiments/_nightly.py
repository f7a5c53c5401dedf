"""A night's look at the running experiments, and what follows from it.

All of it happens before the night makes lists, so an arm that is stopped tonight is served by
nobody tomorrow, and a rollout that goes up is served tomorrow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

import psycopg2
import structlog

from recfleet.audit import SCHEDULER, Entry, ExperimentFacts, append_entries
from recfleet.database import Connection
from recfleet.experiments._arms import version_in
from recfleet.experiments._look import Difference, Look, fewer, look_at
from recfleet.experiments._looks import keep_look, looked_until
from recfleet.experiments._pauses import pauses_of
from recfleet.experiments._start import ROLLOUT
from recfleet.experiments._table import (
    Experiment,
    add_phase,
    change_arms,
    end_experiment,
    end_phase,
    running_of,
)
from recfleet.feedback import read_outcomes
from recfleet.statistics import Bounds, next_step
from recfleet.tenants import lock_tenants

log = structlog.get_logger(__name__)

PHASE_DAYS = 28
"""Days of a rollout's phase. A version that has not shown within them that it does no harm is taken
back."""
_AFTER_WINDOW = 14
"""Days of a phase after the first customer's window, however long that is."""
_OF_DATA = (psycopg2.DataError, psycopg2.IntegrityError)
"""Errors of Postgres that one tenant's data may cause."""
_MOST_PAUSES = 3
"""Nights in a row in which an arm could not be made, after which the experiment is stopped."""

_UNKNOWN = Bounds(-math.inf, math.inf)


def look_tonight(
    connection: Connection,
    tenant_ids: Sequence[str],
    *,
    night_id: int,
    as_of: datetime,
    champions: Mapping[str, int],
) -> dict[str, tuple[Experiment, ...]]:
    """Look at all running experiments of some tenants, and take the steps that follow.

    What one experiment raises is undone and noted, and its arms go on as they are. The caller
    commits.

    Args:
        connection: an open connection.
        tenant_ids: the tenants.
        night_id: of the night.
        as_of: of the night; nothing later is seen.
        champions: tenant -> version of its champion.

    Returns:
        Tenant -> its experiments that are still running, as the night's lists serve them.
    """
    running = running_of(connection, tenant_ids)
    if not running:
        return running
    # Before any entry of the audit, whose lock is the last one taken.
    lock_tenants(connection, list(running))
    running = running_of(connection, list(running))
    for one in [one for of_tenant in running.values() for one in of_tenant]:
        with connection.cursor() as cursor:
            cursor.execute("savepoint look")
            try:
                if _is_promoted(one, champions.get(one.tenant_id)):
                    why = "it serves everybody, and is the champion now"
                    winner = one.arms[-1].name
                    _end(connection, one, as_of, night_id, winner=winner, why=why)
                else:
                    _look(connection, one, night_id, as_of)
                cursor.execute("release savepoint look")
            except (ValueError, ArithmeticError, *_OF_DATA) as error:
                cursor.execute("rollback to savepoint look")
                log.exception("no look", experiment=one.experiment_id, error=str(error))
    return running_of(connection, tenant_ids)


def _is_promoted(one: Experiment, champion: int | None) -> bool:
    """Whether a rollout has come to its end, and its version was put in force."""
    [*others, last] = one.phase.shares
    return not others and champion is not None and version_in(last) == champion


def _look(connection: Connection, one: Experiment, night_id: int, as_of: datetime) -> None:
    begins = one.phase.begins_at
    last = looked_until(connection, one.experiment_id)
    if begins is None or begins >= as_of or (last is not None and last >= as_of):
        return  # another attempt of this night has looked, and done what follows
    outcomes = read_outcomes(
        connection,
        one.tenant_id,
        since=begins,
        as_of=as_of,
        window=timedelta(days=one.window_days),
        arms=list(one.phase.shares),
    )
    look = look_at(one, outcomes, as_of)
    keep_look(connection, one.experiment_id, one.phase.phase, look)
    _follow(connection, one, look, night_id)


def _follow(connection: Connection, one: Experiment, look: Look, night_id: int) -> None:
    """Stop arms, take a rollout's step, end what is over."""
    rested = pauses_of(connection, one.experiment_id)[-_MOST_PAUSES:]
    if len(rested) == _MOST_PAUSES and _in_a_row(rested[0][0], look.as_of):
        why = f"{rested[-1][1].arm} could not be made {_MOST_PAUSES} times: {rested[-1][1].reason}"
        _end(connection, one, look.as_of, night_id, winner=None, why=why)
    elif one.kind in ("rollout", "canary"):
        _step(connection, one, look, night_id)
    elif look.worse:
        _stop_arms(connection, one, look, night_id)


def _in_a_row(first: datetime, as_of: datetime) -> bool:
    """Whether three pauses, the first at a time, are those of the last nights."""
    return as_of - first <= timedelta(days=_MOST_PAUSES + 1)


def _stop_arms(connection: Connection, one: Experiment, look: Look, night_id: int) -> None:
    """Serve the arms that are surely worse to nobody any more."""
    why = {
        arm: f"it brings surely {fewer(kpi)} than {one.control}" for arm, kpi in look.worse.items()
    }
    arms = [
        arm.model_copy(update={"stopped_at": look.as_of, "stopped_because": why[arm.name]})
        if arm.name in why
        else arm
        for arm in one.arms
    ]
    change_arms(connection, one.experiment_id, arms)
    for arm, because in why.items():
        facts = ExperimentFacts(experiment_id=one.experiment_id, change="arm stopped", arms=[arm])
        _tell(connection, one, night_id, because, facts)
    left = [arm.name for arm in arms if arm.stopped_at is None]
    if left == [one.control]:
        _end(
            connection, one, look.as_of, night_id, winner=one.control,
            why=f"every other arm brings surely less than {one.control}",
        )  # fmt: skip


def _step(connection: Connection, one: Experiment, look: Look, night_id: int) -> None:
    """Take a rollout up, hold it, or take it back."""
    version = one.arms[-1].name
    if version not in look.differences:
        return  # it serves everybody already
    begun = one.phase.begins_at
    assert begun is not None  # noqa: S101 - it was looked at
    days = max(PHASE_DAYS, one.window_days + _AFTER_WINDOW)
    step = next_step(
        # Arms that cannot be compared say nothing, and the phase ends with its last day.
        _UNKNOWN if look.is_mismatched else _bounds(look.differences[version][one.kpi]),
        control_mean=_mean(look, one),
        is_last_day=look.as_of >= begun + timedelta(days=days),
    )
    if step == "stop":
        is_worse = version in look.worse
        why = look.sentence.rstrip(".") if is_worse else (
            f"within {days} days it could not be shown that {version} does no harm"
        )  # fmt: skip
        _end(connection, one, look.as_of, night_id, winner=one.control, why=why)
    elif step == "up":
        _go_up(connection, one, look, night_id)


def _go_up(connection: Connection, one: Experiment, look: Look, night_id: int) -> None:
    """Begin the next phase."""
    control, version = one.control, one.arms[-1].name
    share = _next_share(one.phase.shares[version])
    shares = {version: 1.0} if share == 1 else {control: 1 - share, version: share}
    end_phase(connection, one.experiment_id, one.phase.phase, look.as_of)
    add_phase(connection, one.experiment_id, one.phase.phase + 1, shares)
    facts = ExperimentFacts(experiment_id=one.experiment_id, change="next phase", shares=shares)
    why = f"{version} surely loses less than a tenth of the {one.kpi} of {control}"
    _tell(connection, one, night_id, why, facts)


def _next_share(share: float) -> float:
    """The version's part of the customers in the next phase."""
    return next((after for before, after in pairwise(ROLLOUT) if share <= before + 1e-9), 1.0)


def _end(
    connection: Connection,
    one: Experiment,
    as_of: datetime,
    night_id: int,
    *,
    winner: str | None,
    why: str,
) -> None:
    state: Literal["stopped", "decided"] = "stopped" if winner is None else "decided"
    end_experiment(connection, one, state, winner=winner, at=as_of, actor=SCHEDULER, reason=why)
    facts = ExperimentFacts(experiment_id=one.experiment_id, change=state, winner=winner)
    _tell(connection, one, night_id, why, facts)


def _tell(
    connection: Connection, one: Experiment, night_id: int, why: str, facts: ExperimentFacts
) -> None:
    entry = Entry("experiment", one.tenant_id, SCHEDULER, why, night_id=night_id, facts=facts)
    append_entries(connection, [entry])


def _bounds(difference: Difference) -> Bounds:
    if difference.low is None or difference.high is None:
        return _UNKNOWN
    return Bounds(difference.low, difference.high)


def _mean(look: Look, one: Experiment) -> float:
    mean = look.arms[one.control].means[one.kpi]
    return math.nan if mean is None else mean
