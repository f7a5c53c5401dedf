"""What a night's look says of an experiment, and what follows from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from recfleet.database import Connection, copy_rows
from recfleet.errors import BadInputError
from recfleet.experiment_cli import experiment
from recfleet.experiments import (
    ArmModel,
    Experiment,
    Look,
    Wanted,
    arms_of,
    begin_phases,
    get_experiment,
    look_tonight,
    looks_of,
    start_experiment,
)
from recfleet.experiments._pauses import Pause, keep_pauses
from recfleet.experiments._table import add_phase, end_phase
from recfleet.feedback import Exposure, note_exposures
from recfleet.record import open_night
from recfleet.settings import forget_settings
from recfleet.tenants import add_tenants
from tests.nights import START, query

pytestmark = pytest.mark.postgres

DAY = timedelta(days=1)
AS_OF = "2026-01-09T09:00:00+00:00"
CUSTOMERS = [f"c{number:04}" for number in range(2_400)]
COMPARED = Wanted(("champion", "popular", "nothing"), window_days=3, planned=2_400)
ROLLED_OUT = Wanted(
    ("champion", "version:2"), kind="rollout", window_days=3, planned=2_400, alpha=0.1
)


def _model(version: int) -> ArmModel:
    return ArmModel(version=version, run_id="r", model_uri="file:///x", train_end=START)


def _start(connection: Connection, wanted: Wanted, *, share: float = 1.0) -> Experiment:
    add_tenants(connection, {"acme": "Acme"})
    open_night(connection, "one", None, START)
    connection.commit()
    started = start_experiment(
        connection, "acme", wanted, model_of=_model, actor="ann", reason="a test", now=START
    )
    begin_phases(connection, [started.experiment_id], START)
    connection.commit()
    return get_experiment(connection, "acme", started.experiment_id)


def _days(
    connection: Connection,
    one: Experiment,
    since: datetime,
    spent: Callable[[str], float],
    lost: Callable[[str, int], bool] = lambda arm, place: False,
) -> None:
    """Everybody is exposed at once in their arm, and buys a day later."""
    names = [*one.phase.shares, None]
    places = arms_of(
        "acme", CUSTOMERS, lot=(one.lot_from, one.lot_to), salt=one.salt, shares=one.phase.shares
    )
    arm_of = {who: names[place] for who, place in zip(CUSTOMERS, places, strict=True)}
    told = [
        Exposure(who, "pull", since + timedelta(hours=1), arm=arm)
        for place, (who, arm) in enumerate(arm_of.items())
        if arm is not None and not lost(arm, place)
    ]
    note_exposures(connection, "acme", told)
    draws = np.random.default_rng(5)
    rows = [
        ("acme", (since + DAY).isoformat(), int(draws.integers(2**62)), who, "p1", 1,
         spent(arm or "champion") * float(draws.lognormal(0, 0.1)))
        for who, arm in arm_of.items()
    ]  # fmt: skip
    columns = [
        "tenant_id",
        "occurred_at",
        "line_hash",
        "customer_id",
        "product_id",
        "quantity",
        "amount",
    ]
    copy_rows(connection, "interaction", columns, rows)
    connection.commit()


def _look(connection: Connection, as_of: datetime) -> Look:
    look_tonight(connection, ["acme"], night_id=1, as_of=as_of, champions={"acme": 1})
    connection.commit()
    [*_, last] = looks_of(connection, 1)
    return last.look


def _command(*words: str) -> str:
    done = CliRunner().invoke(experiment, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _told(connection: Connection) -> list[tuple[str, str]]:
    rows = query(
        connection,
        "select actor, facts ->> 'change' from history where kind = 'experiment' order by audit_id",
    )
    return [(actor, change) for actor, change in rows]


def test_an_arm_that_is_surely_worse_is_stopped_once_windows_are_complete(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = _start(connection, COMPARED)
    money = {"champion": 10.0, "popular": 10.0, "nothing": 6.0}
    _days(connection, one, START, money.__getitem__)

    early = _look(connection, START + 2 * DAY)
    assert early.sentence.startswith("Too early: the smallest arm has 0 customers")
    assert sum(arm.exposed for arm in early.arms.values()) == len(CUSTOMERS)

    late = _look(connection, START + 4 * DAY)
    assert late.worse == {"nothing": "revenue"}
    assert late.better == []
    assert late.sentence == "nothing brings surely less revenue than champion."
    found = late.differences["nothing"]["revenue"]
    assert found.low is not None
    assert found.high is not None
    assert found.low < -4 < found.high + 0.5
    # Looking again tonight changes nothing more.
    assert _look(connection, START + 4 * DAY) == late
    now = get_experiment(connection, "acme", one.experiment_id)
    assert [arm.name for arm in now.arms if arm.stopped_at] == ["nothing"]
    assert now.state == "running"
    assert _told(connection) == [("ann", "started"), ("scheduler", "arm stopped")]

    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()
    shown = _command("show", "acme")
    assert "nothing brings surely less revenue than champion" in shown
    assert re.search(r"^  2026-01-09 +-+o-+ +\|  -\d\.\d\d \(-", shown, re.MULTILINE)
    told = json.loads(_command("show", "acme", "1", "--json"))
    assert [look["as_of"] for look in told["looks"]] == ["2026-01-07T09:00:00+00:00", AS_OF]
    assert "champion, popular, nothing" in _command("list")
    needed = _command("plan", "acme", "--effect", "5%", "--window", "3", "--as-of", "2026-01-12")
    assert "customers who were given answers" in needed
    assert "Start it with `--planned" in needed
    scarce = _command("plan", "acme", "--effect", "0.1%", "--window", "3", "--as-of", "2026-01-12")
    assert scarce.splitlines()[1].startswith("It cannot be had here: +0.1% needs")
    stopped = _command("stop", "acme", "1", "--reason", "seen enough", "--yes")
    assert stopped.startswith("Experiment 1 of acme is stopped")


def test_arms_that_lose_customers_are_not_compared(connection: Connection) -> None:
    one = _start(connection, COMPARED)
    money = {"champion": 10.0, "popular": 10.0, "nothing": 6.0}
    _days(
        connection, one, START, money.__getitem__,
        lost=lambda arm, place: arm == "nothing" and place % 2 == 0,
    )  # fmt: skip

    look = _look(connection, START + 4 * DAY)

    assert look.is_mismatched
    assert look.worse == {}
    assert look.sentence.startswith("The arms do not have the customers that the lot gave them")
    assert _told(connection) == [("ann", "started")]


def test_a_rollout_goes_up_by_itself_and_back_in_one_night(connection: Connection) -> None:
    one = _start(connection, ROLLED_OUT)
    shares = {"champion": 0.05, "version:2": 0.05}
    assert one.phase.shares == shares
    money = {"champion": 10.0, "version:2": 10.1}
    _days(connection, one, START, money.__getitem__)
    _look(connection, START + 4 * DAY)

    up = get_experiment(connection, "acme", one.experiment_id)
    assert [phase.shares for phase in up.phases] == [
        shares, {"champion": 0.9, "version:2": 0.1},
    ]  # fmt: skip
    assert up.phases[0].ends_at == START + 4 * DAY
    # Nobody who has the new version loses it again.
    before, after = (
        arms_of("acme", CUSTOMERS, lot=(0, 10_000), salt=one.salt, shares=phase.shares) == 1
        for phase in up.phases
    )
    assert (before <= after).all()

    begins = START + 10 * DAY
    begin_phases(connection, [one.experiment_id], begins)
    _days(connection, up, begins, {"champion": 10.0, "version:2": 7.0}.__getitem__)
    assert _look(connection, begins + 4 * DAY).worse == {"version:2": "revenue"}
    back = get_experiment(connection, "acme", one.experiment_id)
    assert (back.state, back.winner) == ("decided", "champion")
    assert back.rests_until == begins + 18 * DAY
    assert [change for _, change in _told(connection)] == ["started", "next phase", "decided"]

    # Its customers rest, and nobody else is free.
    with pytest.raises(BadInputError, match="Only 0% of the customers are free"):
        start_experiment(
            connection, "acme", COMPARED, model_of=_model, actor="ann",
            reason="again", now=begins + 5 * DAY,
        )  # fmt: skip


def test_an_experiment_that_rests_three_nights_is_stopped(connection: Connection) -> None:
    one = _start(connection, COMPARED)
    for night in range(1, 4):
        pause = Pause(one.experiment_id, "popular", "its lists failed")
        keep_pauses(connection, night, START + night * DAY, [pause])
    _look(connection, START + 4 * DAY)

    now = get_experiment(connection, "acme", one.experiment_id)
    assert (now.state, now.end_reason) == (
        "stopped", "popular could not be made 3 times: its lists failed",
    )  # fmt: skip


def test_a_rollout_ends_when_its_version_is_promoted(connection: Connection) -> None:
    one = _start(connection, ROLLED_OUT)
    end_phase(connection, one.experiment_id, 1, START + DAY)
    add_phase(connection, one.experiment_id, 2, {"version:2": 1.0})
    for version, state in ((1, "running"), (2, "decided")):
        champions = {"acme": version}
        look_tonight(
            connection, ["acme"], night_id=1, as_of=START + version * DAY, champions=champions
        )
        assert get_experiment(connection, "acme", one.experiment_id).state == state
