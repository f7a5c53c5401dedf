"""What a tenant's night publishes: which model's lists, with which outcome, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from recfleet.errors import TenantError
from recfleet.fleet.lists import Made, make_checked_lists
from recfleet.fleet.stages.arms import Way, serve_by_arms
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.record import Champion, Outcome, TenantNight
from recfleet.registry import ArtifactStore
from recfleet.tenants import Policy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recfleet.experiments import Experiment, Pause
    from recfleet.interactions.facts import Eligibility
    from recfleet.models import InteractionLog, Learning, Weights
    from recfleet.releases import Check, Lists

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Publication:
    """Lists that passed their checks, and the model that made them."""

    lists: Lists
    checks: list[Check]
    model: Champion | None
    """The model whose taste takes part; None: there is none. A challenger's version is 0 until
    it is registered."""
    champion: Champion | None
    """The champion on record when the lists were made."""
    fingerprint: str
    outcome: Outcome
    reason: str | None
    learning: Learning | None
    """The weights that were learned for the lists; None: they are the model's."""
    crowned: bool = False
    """Whether the model becomes champion with this release."""
    is_rollback: bool = False
    """Whether the model is the one before the champion, put in force again."""
    served: tuple[int, ...] = ()
    """The tenant's experiments that the lists serve."""
    pauses: tuple[Pause, ...] = ()
    """Of the experiments that rest tonight."""
    waiting: Champion | None = None
    """The challenger that a person may put in force later; its version is 0 until registered."""

    @property
    def winner(self) -> Champion:
        """The model that is crowned."""
        assert self.model is not None  # noqa: S101 - only models are crowned
        return self.model

    @property
    def to_register(self) -> Champion | None:
        """The challenger that becomes a version tonight; None: there is none."""
        if self.is_rollback:
            return None
        return self.model if self.crowned else self.waiting


@dataclass(frozen=True)
class Publisher:
    """Decides what one tenant's night publishes, and makes it."""

    row: TenantNight
    artifacts: ArtifactStore
    watch: Stopwatch
    interactions: InteractionLog
    active: NDArray[np.bool_]
    """(P,) products that may be recommended."""
    champion: Champion | None
    """The champion on record before this night."""
    priors: Sequence[Weights]
    """What the weights of lists without a model begin at."""
    eligibility: Eligibility
    """Which of the products each customer may be offered."""
    experiments: Sequence[Experiment] = ()
    """The tenant's that are running."""

    def publication(
        self, model: Champion | None, outcome: Outcome, reason: str | None
    ) -> Publication:
        """Make the lists, with a model's taste or without, and check them.

        Raises:
            TenantError: the lists fail their checks; says what is wrong.
        """
        made = self._made(Way(model), self.row.policy, self.watch)
        publication = Publication(
            made.lists,
            made.checks,
            model,
            self.champion,
            self.interactions.fingerprint,
            outcome,
            reason,
            made.learning,
        )
        return self._with_arms(publication) if self.experiments else publication

    def _made(self, way: Way, policy: Policy, watch: Stopwatch) -> Made:
        offers = self.row.numbers.offers if self.row.numbers else None
        return make_checked_lists(
            self.interactions,
            self.active,
            way.model,
            policy,
            artifacts=self.artifacts,
            priors=self.priors,
            eligibility=self.eligibility,
            offers=way.offers or offers,
            only=way.only,
            watch=watch,
        )

    def _with_arms(self, publication: Publication) -> Publication:
        """The same, with the customers of experiments served by their arms."""
        # Everybody's lists have the pairs already.
        policy = self.row.policy.model_copy(update={"pairs_products": 0})
        with self.watch.part("publish.arms"):
            by_arms = serve_by_arms(
                publication.lists,
                publication.model,
                self.experiments,
                tenant_id=self.row.tenant_id,
                known_customers=len(self.interactions.customer_ids),
                make=lambda way: self._made(way, policy, Stopwatch()).lists,
            )
        return replace(
            publication, lists=by_arms.lists, served=by_arms.served, pauses=by_arms.pauses
        )

    def as_judged(self) -> Publication:
        """Publish after a verdict that changes no champion, from it or without a model."""
        in_force = None if self.row.verdict == "reject" else self.champion
        return self.publication(in_force, _outcome(self.row), self.row.reason)

    def change(self, previous: Champion | None) -> Publication:
        """Carry out a verdict that changes the champion, or would if it were not held."""
        if self.row.verdict == "await approval":
            return self.wait()
        return self.roll_back(previous) if self.row.verdict == "rollback" else self.promote()

    def promote(self) -> Publication:
        """Put the challenger in force; or leave things as they are when its lists fail."""
        outcome: Outcome = "promoted" if self.champion else "first model"
        try:
            made = self.publication(self._candidate(), outcome, self.row.reason)
        except TenantError as error:
            return self.stay(str(error))
        return replace(made, crowned=True)

    def roll_back(self, previous: Champion | None) -> Publication:
        """Put the model before the champion in force again; or leave things as they are."""
        judged = self._judged_against()
        if previous is None or previous.version != judged:
            return self.stay(f"version {judged} is no longer the one before it")
        try:
            made = self.publication(previous, "rolled back", self.row.reason)
        except TenantError as error:
            return self.stay(str(error))
        return replace(made, crowned=True, is_rollback=True)

    def _judged_against(self) -> int | None:
        """The version of the previous model that the champion was compared with."""
        probation = self.row.numbers.probation if self.row.numbers else None
        return probation.version if probation else None

    def wait(self) -> Publication:
        """Publish from the champion, or without a model, while the change waits for a person."""
        made = self.publication(self.champion, "awaiting approval", self.row.reason)
        return replace(made, waiting=self._candidate()) if self._promotion_waits() else made

    def _promotion_waits(self) -> bool:
        # A waiting rollback has its version already.
        return self.row.held_verdict == "promote"

    def stay(self, why: str) -> Publication:
        """Publish from the champion, or without a model, although the verdict would change it."""
        log.warning("champion not changed", tenant_id=self.row.tenant_id, reason=why)
        outcome: Outcome = "kept" if self.champion else "rejected"
        verdict = self.row.held_verdict or self.row.verdict
        what = (
            "the champion was not rolled back"
            if verdict == "rollback"
            else "the challenger was not promoted"
        )
        return self.publication(self.champion, outcome, f"{what}: {why}")

    def _candidate(self) -> Champion:
        """The challenger; its version is 0 until it is registered."""
        if self.row.challenger is None:
            raise TenantError("there is no challenger to promote")
        return self.row.challenger.as_champion()


def _outcome(row: TenantNight) -> Outcome:
    if row.mode == "frozen":
        return "frozen"
    if row.verdict == "keep":
        return "kept"
    return "too thin" if row.challenger is None else "rejected"
