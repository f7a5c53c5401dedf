"""Validate: run the expectations; a critical failure quarantines the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recfleet.fleet.stage_loop import Desk, Stage
from recfleet.fleet.stopwatch import Stopwatch
from recfleet.record import Step, TenantNight
from recfleet.settings import suites_folder

if TYPE_CHECKING:
    from recfleet.quality import Validation


def _prepare(desk: Desk, rows: list[TenantNight]) -> Validation:
    from recfleet import quality

    desk.accounts.imported("great_expectations", quality.load_library())
    validation = quality.validate(
        desk.connection,
        [row.tenant_id for row in rows],
        desk.night.as_of,
        suites_folder(),
    )
    quality.store_results(desk.connection, desk.night.night_id, validation.results)
    return validation


def _validate(desk: Desk, row: TenantNight, validation: Validation, watch: Stopwatch) -> Step:  # noqa: ARG001
    for part, seconds in validation.seconds.items():
        watch.add(f"validate.{part}", seconds * 1000 / validation.tenants)
    if row.tenant_id in validation.critical:
        reason = validation.critical[row.tenant_id]
        return Step("quarantined", {"outcome": "quarantined", "reason": reason})
    return Step("validated")


VALIDATE: Stage[Validation, Any] = Stage(
    "validate", takes="planned", prepare=_prepare, work=_validate, batch_size=200
)
