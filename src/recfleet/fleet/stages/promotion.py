"""What publishing changes in MLflow: challengers become versions, and the aliases move.

Each change is committed as an intent first, so that a night that dies in between can be finished or
taken back (``fleet.intents``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from recfleet.fleet.intents import carry_out_promotions, carry_out_rollbacks
from recfleet.fleet.stage_loop import Desk, Work
from recfleet.fleet.stages.judge import number_tags
from recfleet.fleet.stages.publication import Publication
from recfleet.fleet.stages.train_and_judge import describe
from recfleet.fleet.stopwatch import shared_part
from recfleet.record import Champion, RollBack
from recfleet.registry import Promotion, Registry


def change_in_mlflow(
    desk: Desk, works: list[Work[Publication]], models: Callable[[], Registry]
) -> list[Work[Publication]]:
    """Roll back and promote in MLflow whom the publications roll back and promote.

    Args:
        desk: the night's.
        works: of a batch.
        models: MLflow; called where something is to be changed.

    Returns:
        The same works, with the versions that challengers were registered as.

    Raises:
        TenantError: one of the versions is not there.
        InfrastructureError: MLflow's database is away, or somebody else has gone on with a
            tenant's night.
    """
    rolled_back = [work for work in works if work.made.is_rollback]
    if rolled_back:
        registry = models()  # Importing it is no tenant's time.
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
    """The same works, their challengers with the versions that they were registered as.

    Args:
        works: of a batch.
        versions: tenant id -> version, of those that were registered.
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
    promotions = [promotion(desk, work) for work in new]
    versions = carry_out_promotions(desk.connection, desk.night, models, promotions)
    return {work.row.tenant_id: version for work, version in zip(new, versions, strict=True)}


def _roll_back(desk: Desk, models: Registry, works: list[Work[Publication]]) -> None:
    """Point the aliases at the models before, and mark the champions until now, intent first."""
    carry_out_rollbacks(
        desk.connection,
        desk.night,
        models,
        {work.row.tenant_id: _rollback(work.made) for work in works},
        {work.row.tenant_id: work.made.reason or "" for work in works},
    )


def _rollback(made: Publication) -> RollBack:
    assert made.champion is not None  # noqa: S101 - who is rolled back was champion
    return RollBack(version=made.winner.version, from_version=made.champion.version)


def promotion(desk: Desk, work: Work[Publication]) -> Promotion:
    """A challenger as MLflow registers it; in a trial, without putting it in force."""
    row, model = work.row, _challenger(work.made)
    reason = row.reason or ""
    verdict = "promote" if work.made.crowned else "awaiting approval"
    if desk.night.is_trial:
        verdict = "promote, in a trial"
    assert row.challenger is not None  # noqa: S101 - who is registered was trained tonight
    tags = describe(desk, row, row.challenger, verdict, reason)
    return Promotion(
        tenant_id=row.tenant_id,
        run_id=model.run_id,
        model_uri=model.model_uri,
        tags=tags | number_tags(row.numbers),
        description=reason,
        previous=work.made.champion.version if work.made.champion else None,
        in_force=work.made.crowned and not desk.night.is_trial,
    )


def _challenger(made: Publication) -> Champion:
    assert made.to_register is not None  # noqa: S101 - only who is registered is asked
    return made.to_register
