"""A trial's end: its lists are staged and never go live, and nobody is crowned."""

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
    """Register the challengers behind the staged lists as versions without an alias.

    A release names a version. This version is not in force, so no intent has to come first.

    Args:
        desk: the trial's.
        works: of a batch.
        models: gives MLflow; called only if there is something to register.

    Returns:
        The same works, with these versions.
    """
    new = [work for work in works if work.made.crowned and not work.made.is_rollback]
    if not new:
        return works
    registry = models()  # The import does not count as a tenant's time.
    with shared_part([work.watch for work in new], "publish.mlflow"):
        numbers = registry.promote(
            [promotion(desk, work, verdict="promote, in a trial", in_force=False) for work in new]
        )
    versions = {work.row.tenant_id: number for work, number in zip(new, numbers, strict=True)}
    return with_versions(works, versions)


def stage_trial(desk: Desk, works: list[Work[Publication]]) -> list[Step]:
    """Stage the lists; champions, aliases and live releases stay as they are."""
    return [
        Step(
            "published",
            {"outcome": "backfilled", "reason": work.made.reason, "release_id": number},
        )
        for work, number in zip(works, stage(desk, works), strict=True)
    ]
