"""Writing a release where no reader sees it yet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from psycopg2.extras import execute_values

from recfleet.database import Connection
from recfleet.errors import TenantError
from recfleet.releases._check import Check
from recfleet.releases._lists import Lists
from recfleet.releases._pairs import write_pairs
from recfleet.releases._wire import copy_lists

ServedBy = Literal["model", "personal", "popularity"]
"""A model; without one, lists from each customer's own purchases; or the same for everybody."""

# An existing release is overwritten. xmax tells whether it existed: a row that was just inserted
# has none.
_WRITE = """
insert into release (night_id, tenant_id, served_by, model_version, run_id, as_of, fingerprint,
                     customers, from_model, popular_products, popular_scores, checks, offers)
values %s
on conflict (tenant_id, night_id, model_version) do update
   set served_by = excluded.served_by, run_id = excluded.run_id, as_of = excluded.as_of,
       fingerprint = excluded.fingerprint,
       customers = excluded.customers, from_model = excluded.from_model,
       popular_products = excluded.popular_products, popular_scores = excluded.popular_scores,
       checks = excluded.checks, offers = excluded.offers, created_at = now()
returning tenant_id, release_id, xmax <> 0,
          exists (select from live_release where live_release.release_id = release.release_id)
"""
_ROW = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text[], %s::real[], %s, %s)"


@dataclass(frozen=True)
class Draft:
    """A tenant's lists of one night, of one model version, before they are a release."""

    tenant_id: str
    lists: Lists
    """Every customer's list."""
    model_version: int | None
    """Version of the registered model; None: there is none."""
    run_id: str | None
    """The model's run in MLflow; None: there is none."""
    as_of: datetime
    """Time up to which interactions were seen."""
    fingerprint: str
    """Fingerprint of those interactions."""
    checks: Sequence[Check]
    """All checks, passed or not."""

    @property
    def served_by(self) -> ServedBy:
        """What made the lists."""
        if self.model_version is not None:
            return "model"
        return "personal" if self.lists.is_personal else "popularity"


def stage_releases(connection: Connection, night_id: int, drafts: Sequence[Draft]) -> list[int]:
    """Write tenants' lists of one night as releases.

    Staging the same night and version again replaces the release in one transaction and keeps its
    number, so repeating a night that died leaves no trace. The night's partition must be there.

    Args:
        connection: an open connection; the caller commits.
        night_id: the night's number in the ledger.
        drafts: one for each tenant.

    Returns:
        The releases' numbers, in the drafts' order.

    Raises:
        TenantError: a release is live already, and its new lists failed their checks.
    """
    if not drafts:
        return []
    with connection.cursor() as cursor:
        rows = execute_values(
            cursor,
            _WRITE,
            [_row(night_id, draft) for draft in drafts],
            _ROW,
            page_size=len(drafts),
            fetch=True,
        )
        written = {tenant_id: release_id for tenant_id, release_id, _, _ in rows}
        _refuse_failed(drafts, {tenant_id for tenant_id, _, _, is_live in rows if is_live}, written)
        if was_there := [release_id for _, release_id, was_there, _ in rows if was_there]:
            cursor.execute(
                "delete from recommendation where night_id = %s and release_id = any(%s)",
                (night_id, was_there),
            )
    numbers = [int(written[draft.tenant_id]) for draft in drafts]
    copy_lists(
        connection,
        [(number, draft.lists) for number, draft in zip(numbers, drafts, strict=True)],
        night_id=night_id,
    )
    write_pairs(
        connection,
        [
            (number, draft.tenant_id, draft.lists.pairs)
            for number, draft in zip(numbers, drafts, strict=True)
        ],
    )
    return numbers


def _row(night_id: int, draft: Draft) -> tuple[object, ...]:
    lists = draft.lists
    return (
        night_id,
        draft.tenant_id,
        draft.served_by,
        draft.model_version,
        draft.run_id,
        draft.as_of,
        draft.fingerprint,
        len(lists),
        int(np.count_nonzero(lists.from_model)),
        lists.product_ids[lists.popular_products].tolist(),
        lists.popular_scores.astype(float).tolist(),
        json.dumps([asdict(check) for check in draft.checks]),
        lists.offers,
    )


def _refuse_failed(drafts: Sequence[Draft], live: set[str], written: Mapping[str, int]) -> None:
    for draft in drafts:
        if draft.tenant_id in live and not all(check.passed for check in draft.checks):
            raise TenantError(
                f"release {written[draft.tenant_id]} is live and was not replaced: the new lists "
                "failed a check"
            )
