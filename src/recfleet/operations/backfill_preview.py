"""What a backfill would do, night by night and tenant by tenant, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.fleet import Idle, Prospect, survey
from recfleet.operations.backfill_request import BackfillRequest
from recfleet.record import Night, champions_of
from recfleet.tenants import Tenant, get_tenants

_OFF = Idle("unchanged", "it is off: nothing is computed for it")


@dataclass(frozen=True)
class BackfillNight:
    """One night of a backfill, before it is written."""

    as_of: datetime
    is_trial: bool
    prospects: list[Prospect]

    @property
    def busy(self) -> list[Prospect]:
        """Tenants with something to do."""
        return [item for item in self.prospects if item.idle is None]

    @property
    def recorded(self) -> list[Prospect]:
        """Tenants with something to do, or with a reason to record."""
        return [
            item for item in self.prospects if item.idle is None or item.idle.outcome != "unchanged"
        ]

    @property
    def is_wanted(self) -> bool:
        """Whether the night gets written: it has something to do or to record."""
        return not self.is_trial or bool(self.recorded)


def look_ahead(connection: Connection, request: BackfillRequest) -> list[BackfillNight]:
    """What a backfill would do, night by night; writes nothing.

    Args:
        connection: an open connection.
        request: what is asked for.

    Raises:
        UnknownTenantError: there is no such tenant.
        BadInputError: all tenants are off; or one is frozen, and the request asks for promotion.
    """
    tenants = get_tenants(connection, request.tenants)
    _refuse(tenants, request)
    times = request.as_of_times()
    return [
        _look_at(connection, tenants, as_of, request, is_last=as_of == times[-1]) for as_of in times
    ]


def _refuse(tenants: Sequence[Tenant], request: BackfillRequest) -> None:
    if all(tenant.mode == "off" for tenant in tenants):
        raise BadInputError(
            f"{_named(tenants)} {'is' if len(tenants) == 1 else 'are'} off, and a backfill "
            "computes nothing for tenants that are off: switch them on with `recfleet tenant "
            "set-mode`."
        )
    frozen = [tenant for tenant in tenants if tenant.mode == "frozen"]
    if request.promote and frozen:
        raise BadInputError(
            f"{_named(frozen)} {'is' if len(frozen) == 1 else 'are'} frozen, and a frozen tenant "
            "keeps its champion: thaw with `recfleet tenant set-mode`, or backfill without "
            "promotion."
        )


def _named(tenants: Sequence[Tenant]) -> str:
    names = [tenant.tenant_id for tenant in tenants[:5]]
    more = len(tenants) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _look_at(
    connection: Connection,
    tenants: Sequence[Tenant],
    as_of: datetime,
    request: BackfillRequest,
    *,
    is_last: bool,
) -> BackfillNight:
    is_trial = not (request.promote and is_last)
    found = survey(connection, tenants, as_of, is_named=request.force, heeds_live=not is_trial)
    if is_trial:
        found = _as_trials(connection, found, as_of, is_forced=request.force)
    else:
        found = [_with_way_out(item) for item in found]
    found = [replace(item, idle=_OFF) if item.tenant.mode == "off" else item for item in found]
    return BackfillNight(as_of, is_trial, found)


def _with_way_out(item: Prospect) -> Prospect:
    """The same; if it is idle because nothing is new, its reason says how to judge it anyway."""
    why = item.idle
    if why is None or not why.unless_named:
        return item
    return replace(item, idle=replace(why, reason=f"{why.reason}; --force judges it all the same"))


def _as_trials(
    connection: Connection, found: Sequence[Prospect], as_of: datetime, *, is_forced: bool
) -> list[Prospect]:
    """The same with that time's champion in the basis; idle if that basis was done already."""
    tenant_ids = [item.tenant.tenant_id for item in found]
    night = Night(0, "", as_of, "backfill", is_trial=True)
    champions = champions_of(connection, night, tenant_ids)
    with_champion = []
    for item in found:
        champion = champions.get(item.tenant.tenant_id)
        version = champion.version if champion else "none"
        with_champion.append(replace(item, basis=f"{item.basis} champion={version}"))
    done = {} if is_forced else _done_nights(connection, with_champion, as_of)
    return [
        replace(item, idle=_done_already(done[item.tenant.tenant_id]))
        if item.tenant.tenant_id in done and (item.idle is None or item.idle.outcome == "no data")
        else item
        for item in with_champion
    ]


def _done_already(night_id: int) -> Idle:
    return Idle(
        "unchanged", f"night {night_id} has run it from the same data; --force runs it again"
    )


def _done_nights(
    connection: Connection, found: Sequence[Prospect], as_of: datetime
) -> dict[str, int]:
    """Tenant id -> the trial as of that time that finished from this very basis."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id, max(night_id) "
            "from unnest(%s::text[], %s::text[]) as asked (tenant_id, basis) "
            "join tenant_night using (tenant_id, basis) "
            "where as_of = %s and kind = 'backfill' and is_trial "
            "and (state = 'published' or outcome = 'no data') "
            "group by tenant_id",
            ([item.tenant.tenant_id for item in found], [item.basis for item in found], as_of),
        )
        return dict(cursor.fetchall())
