"""Write at MLflow's versions what became of the changes that waited for a person."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from recfleet.database import Connection, transaction
from recfleet.errors import TenantError
from recfleet.record import Ended, mark_told, read_untold
from recfleet.registry import Registry, open_registry
from recfleet.settings import RegistrySettings

log = structlog.get_logger(__name__)

_TAGS: Mapping[str, str] = {
    "approved": "approved",
    "rejected": "rejected by a person",
    "expired": "approval expired",
    "overtaken": "overtaken while it awaited approval",
}
"""How a request ended -> the verdict that MLflow shows at its version."""

_TOLD: Mapping[str, str] = {
    "approved": "Approved by {by}",
    "rejected": "Rejected by {by}",
    "expired": "Approval expired",
    "overtaken": "Overtaken while it awaited approval",
}
"""The same as the first sentence of the version's description."""


def tell_registry(connection: Connection, settings: RegistrySettings) -> int:
    """Write at the versions in MLflow what became of those that waited; safe to repeat.

    MLflow is imported only if there is something to write.

    Returns:
        How many versions were marked.

    Raises:
        InfrastructureError: MLflow's database is away; another call continues from there.
    """
    untold = read_untold(connection)
    connection.commit()
    if not untold:
        return 0
    models = open_registry(settings)
    for ended in untold:
        _mark(models, ended)
        with transaction(connection):
            mark_told(connection, ended.approval_id)
    return len(untold)


def _mark(models: Registry, ended: Ended) -> None:
    # A rollback's version was in force once, and its tags keep saying so.
    is_promotion = ended.change == "promotion"
    verdict = {"verdict": _TAGS[ended.ending]} if is_promotion else {}
    tags = {
        **verdict,
        "decided_by": ended.decided_by,
        "decision_reason": ended.decision_reason or None,
    }
    told = _in_a_sentence(ended) if is_promotion else ""
    try:
        models.mark_version(ended.tenant_id, ended.version, tags, told=told)
    except TenantError as error:
        log.warning("version not marked", tenant_id=ended.tenant_id, reason=str(error))


def _in_a_sentence(ended: Ended) -> str:
    reason = ended.decision_reason
    told = _TOLD[ended.ending].format(by=ended.decided_by) + (f": {reason}" if reason else "")
    return told if told[-1] in ".!?…" else f"{told}."
