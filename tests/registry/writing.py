"""Logging one challenger and making one run a version: the start of most registry tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from recfleet.models.als import AlsModel, dump_model
from recfleet.registry import Challenger, LoggedRun, Promotion, Registry

AS_OF = datetime(2011, 12, 10, tzinfo=UTC)
TRAIN_END = datetime(2011, 11, 26, tzinfo=UTC)
NIGHT = "scheduled__2011-12-10T00:00:00+00:00"


def challenger(tenant_id: str, model: AlsModel, **changes: Any) -> Challenger:
    """A challenger with this model."""
    values: dict[str, Any] = {
        "train_end": TRAIN_END,
        "files": dump_model(model),
        "params": model.recipe.model_dump(),
        "metrics": {"rmse_challenger": 0.4712, "rmse_champion": None, "gain": float("nan")},
        "tags": {"verdict": "promote", "skill": 0.123456789},
        "description": "Beats popularity.",
    }
    return Challenger(tenant_id, **(values | changes))


def log(
    registry: Registry,
    tenant_id: str,
    model: AlsModel,
    *,
    night: str = NIGHT,
    as_of: datetime = AS_OF,
    look_for_earlier: bool = False,
    **changes: Any,
) -> LoggedRun:
    """Log one challenger."""
    [logged] = registry.log_challengers(
        [challenger(tenant_id, model, **changes)],
        night=night,
        as_of=as_of,
        look_for_earlier=look_for_earlier,
    )
    return logged


def register(registry: Registry, tenant_id: str, run: LoggedRun, **changes: Any) -> int:
    """Make a run a version; no alias moves."""
    values: dict[str, Any] = {"tags": {"verdict": "promote"}, "description": "", "previous": None}
    promotion = Promotion(
        tenant_id, run.run_id, run.model_uri, in_force=False, **(values | changes)
    )
    [version] = registry.promote([promotion])
    return version
