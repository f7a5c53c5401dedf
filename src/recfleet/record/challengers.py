"""What the ledger keeps of a night's challenger."""

from __future__ import annotations

from recfleet.audit import MadeFrom
from recfleet.judging import Numbers
from recfleet.record.champions import Champion
from recfleet.stored import Moment


class Trained(MadeFrom):
    """What a challenger was made from, before it is logged as a run."""

    train_end: Moment
    """Where the holdout begins."""

    def logged(self, run_id: str, model_uri: str) -> ChallengerFacts:
        """The same, with its run in MLflow and where its arrays are."""
        return ChallengerFacts.model_validate(
            {**self.plain(), "run_id": run_id, "model_uri": model_uri}
        )


class ChallengerFacts(Trained):
    """What a challenger was made from, and where it is."""

    run_id: str
    """MLflow's."""
    model_uri: str
    """Where its arrays are."""

    def as_champion(self) -> Champion:
        """The challenger as it would be in force; its version is 0 until it is registered."""
        return Champion(0, self.run_id, self.model_uri, self.train_end)


class NightNumbers(Numbers):
    """A verdict's numbers, and whom they are about."""

    against: int | None = None
    """The champion's version that a promotion would replace; None: there was none."""


def numbers_against(numbers: Numbers, version: int | None) -> NightNumbers:
    """A verdict's numbers, with the champion's version on record when it was given."""
    return NightNumbers.model_validate({**numbers.plain(), "against": version})
