"""Nights of a tenant with an experiment: each customer's list is made by their arm."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from recfleet.campaigns import make_campaign
from recfleet.database import Connection
from recfleet.experiments import (
    Experiment,
    Wanted,
    arms_of,
    get_experiment,
    looks_of,
    pauses_of,
    start_experiment,
    stop_experiment,
)
from recfleet.feedback import Exposure, note_exposures
from recfleet.operations import arm_model
from recfleet.registry import open_artifacts
from recfleet.releases import NotServedError, look_up
from recfleet.settings import RegistrySettings, registry_settings
from tests.nights import START, WEEK, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

ARMS = ("champion", "popular", "nothing", "version:1", "again")
LATER = START + 20 * WEEK
STEP = timedelta(minutes=1)
"""The last week stays whole: a fresh one would look like a slump."""


@past
def turned(connection: Connection) -> None:
    """A tenant whose champion is another version than its first model."""
    shop(connection, "alpha")
    run_night("one", START + 12 * WEEK)
    shop(connection, "alpha", weeks=range(12, 20), shuffled=True)


def _start(connection: Connection, wanted: Wanted) -> Experiment:
    return start_experiment(
        connection,
        "alpha",
        wanted,
        model_of=partial(arm_model, connection, "alpha"),
        actor="ann",
        reason="a test",
        now=LATER,
    )


def _arms(connection: Connection) -> dict[str, str | None]:
    rows = query(
        connection,
        "select customer_id, arm from recommendation "
        "join live_release using (night_id, release_id)",
    )
    return dict(rows)


def test_each_list_is_made_by_the_arm_of_its_customer(
    connection: Connection, turned: Connection, stack: RegistrySettings
) -> None:
    started = _start(connection, Wanted(ARMS, share=0.8))
    run_night("two", LATER)

    told = _arms(connection)
    places = arms_of(
        "alpha",
        list(told),
        lot=(started.lot_from, started.lot_to),
        salt=started.salt,
        shares=started.phase.shares,
    )
    drawn = dict(zip(told, [[*ARMS, None][place] for place in places], strict=True))
    assert told == drawn
    assert set(told.values()) == {*ARMS, None}
    of = {arm: [customer for customer, its in told.items() if its == arm] for arm in told.values()}

    served = {arm: look_up(connection, "alpha", of[arm][0]) for arm in {*ARMS, None} - {"nothing"}}
    assert {arm: places[0].model_version for arm, places in served.items()} == {
        None: 2, "champion": 2, "again": 2, "version:1": 1, "popular": None,
    }  # fmt: skip
    assert {place.source for place in served["popular"]} == {"popular"}
    assert {place.kind for place in served["again"]} == {"again"}
    with pytest.raises(NotServedError, match="An experiment shows customer"):
        look_up(connection, "alpha", of["nothing"][0])
    assert (of["nothing"][0],) in query(connection, "select customer_id from live_excluded")
    sent = {one.customer: one for one in make_campaign(connection, "alpha").lists}
    assert {customer: one.arm for customer, one in sent.items()} == told
    assert {len(sent[customer].items) for customer in of["nothing"]} == {0}
    again = get_experiment(connection, "alpha", started.experiment_id)
    assert [phase.begins_at for phase in again.phases] == [LATER]

    exposed = [Exposure(who, "pull", LATER + STEP / 2, arm=arm) for who, arm in told.items()]
    note_exposures(connection, "alpha", exposed)
    connection.commit()

    # A model that is gone makes the whole experiment rest, and says why.
    artifacts = open_artifacts(registry_settings())
    model = started.arm("version:1").model
    assert model is not None
    artifacts.delete(model.model_uri)
    run_night("three", LATER + STEP)
    assert set(_arms(connection).values()) == {None}
    [(rested, pause)] = pauses_of(connection, started.experiment_id)
    assert (rested, pause.arm) == (LATER + STEP, "version:1")
    assert pause.reason.startswith("version 1 cannot be loaded")
    # The same night has looked at the experiment before it made lists.
    [kept] = looks_of(connection, started.experiment_id)
    assert {arm: one.exposed for arm, one in kept.look.arms.items()} == {
        arm: len(of[arm]) for arm in ARMS
    }
    assert (kept.look.as_of, kept.look.elsewhere) == (LATER + STEP, 0)

    stop_experiment(
        connection, "alpha", started.experiment_id, actor="ann", reason="enough", now=LATER + STEP
    )
    run_night("four", LATER + 2 * STEP)
    run_night("five", LATER + 3 * STEP)
    night = "select run_id from night join live_release using (night_id)"
    assert query(connection, night) == [("four",)]  # then there is nothing to do again
    told_by = query(
        connection,
        "select actor, reason, facts ->> 'change' from history where kind = 'experiment' "
        "order by audit_id",
    )
    assert told_by == [("ann", "a test", "started"), ("ann", "enough", "stopped")]
