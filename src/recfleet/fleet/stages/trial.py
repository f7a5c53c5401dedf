"""A trial's end: lists that are staged and never switched to, and nobody is crowned."""

from __future__ import annotations

from collections.abc import Callable

from recfleet.fleet.stage_loop import Desk, Work
from recfleet.fleet.stages.promotion import promotion, with_versions
from recfleet.fleet.stages.publication import Publication
from recfleet.fleet.stages.staging import stage
from recfleet.fleet.stopwatch import shared_part
from recfleet.record import Step
from recfleet.registry import Registry


def register_tried(
    desk: Desk, works: list[Work[Publication]], models: Callable[[], Registry]
) -> list[Work[Publication]]:
    """Make versions without an alias of the challengers whose lists are staged.

    A release names a version. Nothing is in force by it, so there is no intent to write first.

    Args:
        desk: the trial's.
        works: of a batch.
        models: MLflow; called where something is to be registered.

    Returns:
        The same works, with these versions.
    """
    new = [work for work in works if work.made.crowned and not work.made.is_rollback]
    if not new:
        return works
    registry = models()  # Importing it is no tenant's time.
    with shared_part([work.watch for work in new], "publish.mlflow"):
        numbers = registry.promote([promotion(desk, work) for work in new])
    versions = {work.row.tenant_id: number for work, number in zip(new, numbers, strict=True)}
    return with_versions(works, versions)


def stage_trial(desk: Desk, works: list[Work[Publication]]) -> list[Step]:
    """Stage the lists, and leave champions, aliases and what is live as they are."""
    return [
        Step(
            "published",
            {"outcome": "backfilled", "reason": work.made.reason, "release_id": number},
        )
        for work, number in zip(works, stage(desk, works), strict=True)
    ]
