"""No model is judged on what it has seen."""

from __future__ import annotations

from datetime import datetime

from recfleet.errors import TenantError


def check_no_leak(train_end: datetime, holdout_start: datetime) -> None:
    """Refuse a model whose training reaches into the holdout.

    Args:
        train_end: the model saw only what came before this time.
        holdout_start: the holdout holds this time and what came after.

    Raises:
        TenantError: the model may have seen interactions of the holdout.
    """
    if train_end > holdout_start:
        raise TenantError(
            f"The model was trained on interactions up to {train_end:%Y-%m-%d %H:%M %Z}, and the "
            f"holdout begins at {holdout_start:%Y-%m-%d %H:%M %Z}: it has seen what it would be "
            "judged on, so it is not compared."
        )
