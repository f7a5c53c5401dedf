"""The check that no model is judged on data it was trained on."""

from __future__ import annotations

from datetime import datetime

from recfleet.errors import TenantError


class LeakError(TenantError):
    """A model may have seen what it would be judged on."""


def check_no_leak(train_end: datetime, holdout_start: datetime, *, who: str = "model") -> None:
    """Refuse a model whose training reaches into the holdout.

    Args:
        train_end: the model saw only what came before this time.
        holdout_start: the holdout holds this time and what came after.
        who: what to call the model in the error.

    Raises:
        LeakError: the model may have seen interactions of the holdout.
    """
    if train_end > holdout_start:
        raise LeakError(
            f"The {who} was trained on interactions up to {train_end:%Y-%m-%d %H:%M %Z}, but the "
            f"holdout begins at {holdout_start:%Y-%m-%d %H:%M %Z}: it has seen part of the "
            "holdout, so it is not judged."
        )
