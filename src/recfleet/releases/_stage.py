"""Writing a release where no reader sees it yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from recfleet.errors import TenantError
from recfleet.releases._check import Check
from recfleet.releases._lists import Lists
from recfleet.releases._wire import copy_lists

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

ServedBy = Literal["model", "popularity"]

# A release that is there already is written anew: whether it was is told by xmax, which a row
# just inserted does not have.
_WRITE = """
insert into release (night_id, tenant_id, served_by, model_version, run_id, as_of, fingerprint,
                     customers, from_model, popular_products, popular_scores, checks)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text[], %s::real[], %s)
on conflict (tenant_id, night_id, model_version) do update
   set run_id = excluded.run_id, as_of = excluded.as_of, fingerprint = excluded.fingerprint,
       customers = excluded.customers, from_model = excluded.from_model,
       popular_products = excluded.popular_products, popular_scores = excluded.popular_scores,
       checks = excluded.checks, created_at = now()
returning release_id, xmax <> 0,
          exists (select from live_release where live_release.release_id = release.release_id)
"""


def stage_release(
    connection: Connection,
    *,
    night_id: int,
    tenant_id: str,
    lists: Lists,
    served_by: ServedBy,
    model_version: int | None,
    run_id: str | None,
    as_of: datetime,
    fingerprint: str,
    checks: Sequence[Check],
) -> int:
    """Write a tenant's lists of one night, of one model version, as a release.

    Staging the same night and version again replaces what was there and keeps its number, in one
    transaction: a night that died is repeated without a trace. The night's partition must be there.

    Args:
        connection: an open connection; the caller commits.
        night_id: the night's number in the ledger.
        tenant_id: whose lists they are.
        lists: of every customer.
        served_by: what made the lists.
        model_version: version of the registered model; None for popularity.
        run_id: the model's run in MLflow; None for popularity.
        as_of: time up to which interactions were seen.
        fingerprint: of those interactions.
        checks: all of them, passed or not.

    Returns:
        The release's number.

    Raises:
        TenantError: the release is live already, and these lists failed their checks.
    """
    popular = lists.product_ids[lists.popular_products].tolist()
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            (
                night_id,
                tenant_id,
                served_by,
                model_version,
                run_id,
                as_of,
                fingerprint,
                len(lists),
                int(np.count_nonzero(lists.from_model)),
                popular,
                lists.popular_scores.astype(float).tolist(),
                json.dumps([asdict(check) for check in checks]),
            ),
        )
        [(release_id, was_there, is_live)] = cursor.fetchall()
        if is_live and not all(check.passed for check in checks):
            raise TenantError(
                f"release {release_id} is live and was not replaced: the new lists failed a check"
            )
        if was_there:
            cursor.execute(
                "delete from recommendation where night_id = %s and release_id = %s",
                (night_id, release_id),
            )
    copy_lists(connection, lists, night_id=night_id, release_id=release_id)
    return int(release_id)
