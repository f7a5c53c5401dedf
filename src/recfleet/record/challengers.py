"""What the ledger keeps about a night's challenger."""

from __future__ import annotations

from recfleet.audit import MadeFrom
from recfleet.contents import Contents
from recfleet.judging import Numbers
from recfleet.record.champions import Champion
from recfleet.stored import Moment


class Trained(MadeFrom):
    """What a challenger was made from, before it has a run."""

    train_end: Moment
    """Where the holdout begins."""

    def logged(self, run_id: str, model_uri: str, contents: Contents) -> ChallengerFacts:
        """The same, with its run in MLflow, the place of its arrays, and what was written there."""
        known = {"run_id": run_id, "model_uri": model_uri, "contents": contents}
        return ChallengerFacts.model_validate({**self.plain(), **known})


class ChallengerFacts(Trained):
    """What a challenger was made from, with its run and the place of its arrays."""

    run_id: str
    """The run in MLflow."""
    model_uri: str
    """Where its arrays are."""
    contents: Contents | None = None
    """What was written there; None: an older release wrote it."""

    def as_champion(self) -> Champion:
        """The challenger as a champion; its version is 0 until it is registered."""
        return Champion(0, self.run_id, self.model_uri, self.train_end, self.contents)


class NightNumbers(Numbers):
    """A verdict's numbers, with the champion that the challenger was judged against."""

    against: int | None = None
    """The champion's version that a promotion would replace; None: there was none."""


def numbers_against(numbers: Numbers, version: int | None) -> NightNumbers:
    """A verdict's numbers, with the champion's version on record at the time of the verdict."""
    return NightNumbers.model_validate({**numbers.plain(), "against": version})
