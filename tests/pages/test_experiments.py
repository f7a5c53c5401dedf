"""The experiments of a tenant on its page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from recfleet.database import Connection
from recfleet.experiments import (
    ArmLook,
    Difference,
    Look,
    Wanted,
    begin_phases,
    start_experiment,
    stop_experiment,
)
from recfleet.experiments._looks import keep_look
from tests.nights import START
from tests.pages.conftest import Visit
from tests.pages.test_fleet import Fleet
from tests.pages.test_tenant_page import chart, section

pytestmark = pytest.mark.postgres

DAY = timedelta(days=1)


def start(connection: Connection, nights: int) -> int:
    """An experiment of tenant ``a`` that so many nights have looked at."""
    one = start_experiment(
        connection, "a", Wanted(("champion", "nothing")), model_of=lambda _: pytest.fail("none"),
        actor="ann", reason="is it worth it", now=START,
    )  # fmt: skip
    number = one.experiment_id
    begin_phases(connection, [number], START)
    for night in range(1, nights + 1):
        known = min(1.0, night / 20)
        found = Difference(value=-2.1, low=-2.1 - 0.6 / known, high=-2.1 + 0.6 / known)
        arms = {
            name: ArmLook(exposed=60 * night, complete=50 * night, means={"revenue": mean})
            for name, mean in (("champion", 12.3), ("nothing", 10.2))
        }
        look = Look(
            as_of=START + night * DAY, arms=arms, differences={"nothing": {"revenue": found}},
            mismatch=0.1, is_mismatched=False, elsewhere=0, better=[], worse={},
            sentence="No arm is surely better or worse than champion by revenue yet.",
        )  # fmt: skip
        keep_look(connection, number, 1, look)
    connection.commit()
    return number


def test_the_page_shows_arms_curve_and_verdict(connection: Connection, visit: Visit) -> None:
    Fleet(connection).tenant("a")
    connection.commit()
    assert "No experiment yet." in section(visit().get("/tenants/a").text, "experiments")
    number = start(connection, 3)

    page = visit().get("/tenants/a").text
    said = section(page, "experiments")
    assert f"running Experiment {number} , a comparison: champion against nothing" in (
        said.replace(f"{number},", f"{number} ,")
    )
    assert "nothing 50.0% 180 150 – – 10.20 -2.10 -6.10 to +1.90" in said
    assert "No arm is surely better or worse than champion by revenue yet." in said
    drawn = chart(page, f"experiment-{number}-1")
    assert [one["label"] for one in drawn["series"]] == [
        "difference", "at most", "at least", "no difference",
    ]  # fmt: skip
    assert len(drawn["x"]) == 3

    stop_experiment(connection, "a", number, actor="ann", reason="seen enough", now=START + DAY)
    page = visit().get("/tenants/a").text
    assert "stopped Experiment" in section(page, "experiments")
    assert "stopped 1" in section(page, "history")
