"""Judge: score the contenders as they would be served; write a verdict and change nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from recfleet import registry
from recfleet.errors import TenantError
from recfleet.fleet.champions import Champion, get_champion
from recfleet.fleet.ledger import Step, TenantNight
from recfleet.fleet.stage_loop import Desk, Stage
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.registry import ArtifactStore, Registry, code_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recfleet.als import AlsModel
    from recfleet.interactions.log import InteractionLog
    from recfleet.judging import Holdout, Score, Verdict

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Tools:
    artifacts: ArtifactStore
    registry: Registry | None
    """None when no tenant of the shard has a challenger: MLflow is then not imported."""


def _prepare(desk: Desk, rows: list[TenantNight]) -> _Tools:
    from recfleet import als

    desk.import_seconds["implicit"] = als.load_library()
    artifacts = ArtifactStore(desk.settings.artifact_root, desk.settings.artifact_endpoint_url)
    if all(row.challenger is None for row in rows):
        return _Tools(artifacts, None)
    desk.import_seconds["mlflow"] = registry.load_library()
    models = Registry(desk.settings.mlflow_store_url, artifacts)
    models.prepare(row.tenant_id for row in rows)
    return _Tools(artifacts, models)


def _judge(desk: Desk, row: TenantNight, tools: _Tools, watch: Stopwatch) -> Step:
    if row.challenger is None:
        return _without_challenger(desk, row)
    from recfleet.als import load_model
    from recfleet.interactions.log import read_log
    from recfleet.judging import Holdout, LeakError, Verdict, judge, score_popularity

    recipe, as_of = row.policy.recipe, desk.night.as_of
    with watch.part("read"):
        interactions = read_log(desk.connection, row.tenant_id, as_of)
        on_record = get_champion(desk.connection, row.tenant_id)
        desk.connection.commit()  # no transaction stays open through the computing
        files = tools.artifacts.read(row.challenger["uri"])
        champion, lost = _load_champion(row, on_record, tools)
    with watch.part("score"):
        holdout = Holdout.of(
            interactions,
            as_of=as_of,
            holdout_days=recipe.holdout_days,
            repeat_purchases=recipe.repeat_purchases,
            signal=recipe.signal,
        )
        scores: dict[str, Score | None] = {
            "challenger": _score_as_served("challenger", load_model(files), holdout, interactions),
            "champion": None,
            "popularity": score_popularity(holdout),
        }
        refusal = None
        if champion is not None:
            try:
                scores["champion"] = _score_as_served("champion", champion, holdout, interactions)
            except LeakError as error:
                refusal = f"{error} The champion stays."
    with watch.part("weigh"):
        verdict = judge(holdout, scores, row.policy, seed=row.challenger["seed"])
        if refusal:
            numbers = {name: part for name, part in verdict.numbers.items() if name != "gain"}
            verdict = Verdict("keep", first=False, reason=refusal, numbers=numbers)
        if lost:
            verdict = replace(verdict, first=False, reason=f"{lost} {verdict.reason}")
    with watch.part("mlflow"):
        logged = _log_run(desk, row, tools, files, verdict)
    return Step(
        "judged",
        {
            "verdict": verdict.kind,
            "reason": verdict.reason,
            "numbers": {**verdict.numbers, "against": on_record and on_record.version},
            "challenger": row.challenger | logged,
        },
    )


def _without_challenger(desk: Desk, row: TenantNight) -> Step:
    champion = get_champion(desk.connection, row.tenant_id)
    return Step("judged", {"verdict": "reject" if champion is None else "keep"})


def _load_champion(
    row: TenantNight, on_record: Champion | None, tools: _Tools
) -> tuple[AlsModel | None, str | None]:
    """The champion, or None and, where there should be one, a sentence on what became of it.

    A champion whose files are gone or damaged can be neither judged nor served. The challenger then
    has to beat popularity, as a first model does; or the tenant would be stuck with nothing.
    """
    from recfleet.als import load_model

    if on_record is None:
        return None, None
    try:
        return load_model(tools.artifacts.read(on_record.model_uri)), None
    except TenantError as error:
        log.warning("champion lost", tenant_id=row.tenant_id, reason=str(error))
        return None, f"The champion cannot be loaded ({error}), so popularity stands in for it."


def _score_as_served(
    who: str, model: AlsModel, holdout: Holdout, interactions: InteractionLog
) -> Score:
    """A model's score, folded in from what its own recipe makes of the history."""
    from recfleet.als import fold_in
    from recfleet.judging import check_no_leak, score

    check_no_leak(model.train_end, holdout.start, who=who)
    history = interactions.matrix(model.recipe.signal, before=holdout.start)
    factors = fold_in(model, history, interactions.product_ids, wanted=holdout.customers)
    return score(holdout, factors)


def _log_run(
    desk: Desk,
    row: TenantNight,
    tools: _Tools,
    files: Mapping[str, bytes],
    verdict: Verdict,
) -> dict[str, str]:
    """Log the challenger as a run of the tenant's experiment; once, also when retried."""
    from recfleet.judging import flatten

    assert tools.registry is not None  # noqa: S101 - prepare made it: this row has a challenger
    assert row.challenger is not None  # noqa: S101
    run = tools.registry.log_challenger(
        row.tenant_id,
        night=desk.night.run_id,
        as_of=desk.night.as_of,
        train_end=datetime.fromisoformat(row.challenger["train_end"]),
        files=files,
        params=row.policy.recipe.model_dump(),
        metrics=flatten(verdict.numbers),
        tags=describe(desk, row, verdict.kind, verdict.reason),
        look_for_earlier=desk.retried,
    )
    return {"run_id": run.run_id, "model_uri": run.model_uri}


def describe(desk: Desk, row: TenantNight, verdict: str, reason: str) -> dict[str, str]:
    """The tags by which a person who browses MLflow finds and understands a model."""
    if row.challenger is None:
        raise TenantError("there is no challenger to describe")
    return {
        "tenant": row.tenant_id,
        "as_of": desk.night.as_of.isoformat(),
        "train_end": row.challenger["train_end"],
        "verdict": verdict,
        "reason": reason,
        "data_fingerprint": row.challenger["fingerprint"],
        "code_version": code_version(),
        "airflow_run": desk.night.run_id,
    }


JUDGE = Stage("judge", takes="trained", prepare=_prepare, work=_judge)
