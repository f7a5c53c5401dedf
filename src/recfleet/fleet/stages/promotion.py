"""What publishing changes in MLflow: challengers become versions, and the aliases move.

An intent for each change is committed first, so that the change can be finished or taken back if
the night dies in between (``fleet.intents``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from recfleet.contents import digest_of
from recfleet.fleet.intents import carry_out_promotions, carry_out_rollbacks
from recfleet.fleet.stage_loop import Desk, Work
from recfleet.fleet.stages.judge import number_tags
from recfleet.fleet.stages.publication import Publication
from recfleet.fleet.stages.train_and_judge import describe
from recfleet.fleet.stopwatch import shared_part
from recfleet.record import Champion, RollBack
from recfleet.registry import DIGEST, Promotion, Registry


def change_in_mlflow(
    desk: Desk, works: list[Work[Publication]], models: Callable[[], Registry]
) -> list[Work[Publication]]:
    """Carry out the publications' rollbacks and promotions in MLflow.

    Args:
        desk: the night's.
        works: of a batch.
        models: gives MLflow; called only if there is something to change.

    Returns:
        The same works, with the registered challengers' versions.

    Raises:
        TenantError: MLflow lacks one of the versions.
        InfrastructureError: MLflow's database is away, or another process has taken over a
            tenant's night.
    """
    rolled_back = [work for work in works if work.made.is_rollback]
    if rolled_back:
        registry = models()  # The import does not count as a tenant's time.
        with shared_part([work.watch for work in rolled_back], "publish.mlflow"):
            _roll_back(desk, registry, rolled_back)
    new = [work for work in works if work.made.to_register]
    if not new:
        return works
    registry = models()
    with shared_part([work.watch for work in new], "publish.mlflow"):
        versions = _register(desk, registry, new)
    return with_versions(works, versions)


def with_versions(
    works: Sequence[Work[Publication]], versions: Mapping[str, int]
) -> list[Work[Publication]]:
    """The same works, with the registered challengers' versions.

    Args:
        works: of a batch.
        versions: tenant id -> version of its registered challenger.
    """
    return [
        replace(work, made=_with_version(work.made, versions[work.row.tenant_id]))
        if work.row.tenant_id in versions
        else work
        for work in works
    ]


def _with_version(made: Publication, version: int) -> Publication:
    challenger = replace(_challenger(made), version=version)
    return replace(made, model=challenger) if made.crowned else replace(made, waiting=challenger)


def _register(desk: Desk, models: Registry, new: list[Work[Publication]]) -> dict[str, int]:
    """Register challengers as versions and point the aliases at the promoted, intent first.

    Returns:
        Tenant id -> the challenger's version.
    """
    promotions = [
        promotion(
            desk,
            work,
            verdict="promote" if work.made.crowned else "awaiting approval",
            in_force=work.made.crowned,
        )
        for work in new
    ]
    versions = carry_out_promotions(desk.connection, desk.night, models, promotions)
    return {work.row.tenant_id: version for work, version in zip(new, versions, strict=True)}


def _roll_back(desk: Desk, models: Registry, works: list[Work[Publication]]) -> None:
    """Point the aliases at the previous models, and mark the champions until now, intent first."""
    carry_out_rollbacks(
        desk.connection,
        desk.night,
        models,
        {work.row.tenant_id: _rollback(work.made) for work in works},
        {work.row.tenant_id: work.made.reason or "" for work in works},
    )


def _rollback(made: Publication) -> RollBack:
    assert made.champion is not None  # noqa: S101 - a rollback has a champion
    return RollBack(version=made.winner.version, from_version=made.champion.version)


def promotion(desk: Desk, work: Work[Publication], *, verdict: str, in_force: bool) -> Promotion:
    """A challenger as MLflow registers it.

    Args:
        desk: the night's.
        work: a publication with a challenger to register.
        verdict: what the version's tag says.
        in_force: whether the aliases move to the version.
    """
    row, model = work.row, _challenger(work.made)
    reason = row.reason or ""
    assert row.challenger is not None  # noqa: S101 - registered models were trained tonight
    tags = describe(desk, row, row.challenger, verdict, reason) | number_tags(row.numbers)
    if model.contents is not None:
        tags[DIGEST] = digest_of(model.contents)
    return Promotion(
        tenant_id=row.tenant_id,
        run_id=model.run_id,
        model_uri=model.model_uri,
        tags=tags,
        description=reason,
        previous=work.made.champion.version if work.made.champion else None,
        in_force=in_force,
    )


def _challenger(made: Publication) -> Champion:
    assert made.to_register is not None  # noqa: S101 - callers pass registered challengers only
    return made.to_register
