"""What came of a tenant's answers, for its own applications."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from recfleet.feedback import ATTRIBUTED, BY, INCREMENTAL, KpiDay, Kpis, add_up
from recfleet.feedback.insights import by
from recfleet.serving._asked import Asked, read_parameters
from recfleet.serving._database import Database
from recfleet.serving._gate import Gate, check_opened
from recfleet.serving._http import Answer, Call, answer_json
from recfleet.serving._problems import ProblemError

if TYPE_CHECKING:
    from recfleet.keys import ShownKey

_INSIGHTS = "select * from recfleet.serve_insights($1, $2, $3, $4, $5)"
_USUAL = timedelta(days=28)
_LONGEST = timedelta(days=400)


class AskedInsights(Asked):
    """Which days are wanted."""

    since: Annotated[date | None, Field(examples=["2026-11-01"])] = None
    """The first day, in UTC; by default four weeks before the end."""
    until: Annotated[date | None, Field(examples=["2026-11-29"])] = None
    """The first day that is not among them; by default tomorrow."""


class Insights:
    """Tells KPIs."""

    def __init__(self, database: Database, gate: Gate) -> None:
        """Keep where to ask, and whom to tell what a key has opened."""
        self._database = database
        self._gate = gate

    async def tell(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        """KPIs of some days, attributed and incremental side by side.

        Raises:
            ProblemError: there are no such days, or too many.
        """
        asked = read_parameters(call, AskedInsights)
        since, until = _days(asked)
        row = await self._database.row(_INSIGHTS, key.key_id, key.digest, named[0], since, until)
        check_opened(row["trouble"], row["tenant_id"], named[0])
        self._gate.note(key, named[0], str(row["topic"]))
        days = [
            KpiDay(**{**one, "day": date.fromisoformat(one["day"])})
            for one in json.loads(row["days"])
        ]
        return answer_json(
            {
                "tenant": named[0],
                "since": since.isoformat(),
                "until": until.isoformat(),
                "attributed": {
                    "means": ATTRIBUTED,
                    "all": _told(add_up(days)),
                    **{
                        f"by_{what}": [
                            {what: one, **_told(sums)} for one, sums in by(days, what).items()
                        ]
                        for what in BY
                    },
                    "by_day": [
                        {"day": one.isoformat(), **_told(sums)}
                        for one, sums in by(days, "day").items()
                    ],
                },
                "incremental": {"means": INCREMENTAL, "channels": json.loads(row["incremental"])},
            }
        )


def _days(asked: AskedInsights) -> tuple[date, date]:
    try:
        until = asked.until or datetime.now(UTC).date() + timedelta(days=1)
        since = asked.since or until - _USUAL
    except OverflowError:
        since = until
    if not timedelta(0) < until - since <= _LONGEST:
        raise ProblemError(
            400,
            "A parameter is wrong",
            f"since must be before until, by at most {_LONGEST.days} days.",
        )
    return since, until


def _told(sums: Kpis) -> dict[str, Any]:
    return {**asdict(sums), "accept_rate": sums.accept_rate}
