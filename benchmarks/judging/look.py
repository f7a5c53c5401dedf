"""What the judge sees of one challenger in one night, kept to try any rule on it."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from recfleet.judging import Comparison, Evidence, pool, rule
from recfleet.judging._probation import weigh_trial
from recfleet.statistics import Estimate
from recfleet.tenants import Policy


@dataclass(frozen=True)
class Look:
    """A challenger compared with a champion on one night's holdout, and the truth about them."""

    trial: str
    """null, decline, damage, flapping or probation."""
    size: int
    """The tenant's size: interactions in 26 weeks."""
    tenant: int
    """The tenant's number within its trial and size."""
    data: str
    """How the challenger's data is damaged; sound: not at all."""
    night: int
    """Day of history."""
    champion: int
    """The night that promoted the champion."""
    customers: int
    """Customers in the holdout."""
    gain: float
    gain_error: float
    ndcg: float
    ndcg_error: float
    recall: float
    recall_error: float
    skill: float
    """Share by which the challenger's RMSE is below popularity's."""
    truth: float | None = None
    """The true gain, as served; None: not measured."""

    @property
    def age(self) -> int:
        """Nights since the champion's own."""
        return self.night - self.champion

    @property
    def comparison(self) -> Comparison:
        """The comparison as the judge made it."""
        return Comparison(
            over="champion",
            gain=Estimate(self.gain, self.gain_error, self.customers),
            ndcg=Estimate(self.ndcg, self.ndcg_error, self.customers),
            recall=Estimate(self.recall, self.recall_error, self.customers),
        )


Rule = Callable[[Look, Sequence[Look]], bool]
"""Whether a look promotes, given the earlier nights' looks at the same champion."""


def by_policy(policy: Policy) -> Rule:
    """The night's own rule under a policy."""

    def promotes(look: Look, earlier: Sequence[Look]) -> bool:
        if look.customers < policy.minimum_holdout_customers or look.skill < 0:
            return False
        comparison = look.comparison
        before = [
            Evidence(float(look.night - one.night), one.gain, one.gain_error) for one in earlier
        ]
        pooled = pool(comparison.gain, before, policy)
        return rule(comparison, policy, pooled=pooled, champion_days=look.age).passes

    return promotes


def back_by_policy(policy: Policy) -> Rule:
    """The rule of a probation under a policy: whether previous becomes champion again."""

    def rolls_back(look: Look, earlier: Sequence[Look]) -> bool:
        if look.customers < policy.minimum_holdout_customers:
            return False
        before = [
            Evidence(float(look.night - one.night), one.gain, one.gain_error) for one in earlier
        ]
        return weigh_trial(look.comparison, before, policy).ruling.passes

    return rolls_back


def above_zero(confidence: float, minimum_gain: float) -> Rule:
    """One night's bound above zero, and the gain itself above a minimum."""

    def promotes(look: Look, earlier: Sequence[Look]) -> bool:  # noqa: ARG001
        gain = look.comparison.gain
        return gain.low(confidence) > 0 and gain.value >= minimum_gain and look.skill >= 0

    return promotes


def write_looks(path: Path, looks: Iterable[Look]) -> None:
    """Write looks as compressed CSV; equal looks make equal files."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = [item.name for item in fields(Look)]
    table.writerow(names)
    for look in looks:
        values = [getattr(look, name) for name in names]
        table.writerow(f"{value:.5g}" if isinstance(value, float) else value for value in values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def read_looks(path: Path) -> list[Look]:
    """The looks of a file."""
    rows = csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode()))
    return [_look(row) for row in rows]


def _look(row: dict[str, str]) -> Look:
    return Look(
        trial=row["trial"],
        size=int(row["size"]),
        tenant=int(row["tenant"]),
        data=row["data"],
        night=int(row["night"]),
        champion=int(row["champion"]),
        customers=int(row["customers"]),
        gain=float(row["gain"]),
        gain_error=float(row["gain_error"]),
        ndcg=float(row["ndcg"]),
        ndcg_error=float(row["ndcg_error"]),
        recall=float(row["recall"]),
        recall_error=float(row["recall_error"]),
        skill=float(row["skill"]),
        truth=float(row["truth"]) if row["truth"] else None,
    )
