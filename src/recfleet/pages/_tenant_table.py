"""The table of tenants on the Fleet page: what is asked of it, and its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from recfleet.database import Connection, Row, read_row
from recfleet.pages._standing import ATTENTION, EXPLAINED, OLD_NIGHTS, STANDING

PAGE_ROWS = 50
NEEDY_ROWS = 10
"""So many of those that need a person are on the page before the table is asked for all."""
MODES = ("on", "frozen", "off")

_SORTS = {
    "attention": "urgency nulls last, waits_until nulls last, tenant_id",
    "-attention": "urgency desc nulls first, waits_until desc nulls first, tenant_id",
    "tenant": "tenant_id",
    "-tenant": "tenant_id desc",
    "mode": "mode, tenant_id",
    "-mode": "mode desc, tenant_id",
    "outcome": "outcome nulls last, tenant_id",
    "-outcome": "outcome desc nulls last, tenant_id",
    "skill": "skill nulls last, tenant_id",
    "-skill": "skill desc nulls last, tenant_id",
    "lists": "live_as_of nulls last, tenant_id",
    "-lists": "live_as_of desc nulls last, tenant_id",
}


@dataclass(frozen=True)
class Wanted:
    """What of the table of tenants is looked at."""

    search: str = ""
    mode: str = ""
    outcome: str = ""
    attention: str = ""
    """``any``, or the key of one reason."""
    sort: str = "attention"
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """From an address; what it says that cannot be is left out."""
        keys = {"any", *(attention.key for attention in ATTENTION)}
        return cls(
            search=query.get("q", "").replace("\x00", "").strip()[:200],
            mode=_if_in(query.get("mode", ""), MODES),
            outcome=query.get("outcome", "").replace("\x00", "")[:40],
            attention=_if_in(query.get("attention", ""), keys),
            sort=_if_in(query.get("sort", ""), _SORTS) or "attention",
            page=page_number(query.get("page", "")),
        )

    @property
    def narrows(self) -> bool:
        """Whether some tenants are left out."""
        return bool(self.search or self.mode or self.outcome or self.attention)

    def address(self, **changes: object) -> str:
        """The query of the address of this view, with some of it changed."""
        fields: dict[str, object] = {
            "q": self.search,
            "mode": self.mode,
            "outcome": self.outcome,
            "attention": self.attention,
            "sort": self.sort if self.sort != "attention" else "",
            "page": self.page if self.page > 1 else "",
        }
        if "page" not in changes:
            fields["page"] = ""
        fields.update({name: "" if value == 1 else value for name, value in changes.items()})
        return "?" + urlencode({name: value for name, value in fields.items() if value})


def page_number(text: str) -> int:
    """The page that an address asks for, from 1."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1


def _if_in(value: str, known: Any) -> str:
    return value if value in known else ""


@dataclass(frozen=True)
class Tenants:
    """A part of the table of tenants."""

    rows: list[Row]
    found: int
    """Tenants that fit, on all pages."""
    page: int
    """The one that this is: the last one when there are fewer than was asked for."""
    pages: int
    needy: list[Row]
    """The first of those that need a person, whatever else is wanted."""
    modes: dict[str, int]
    """Tenants of the fleet."""
    outcomes: dict[str, int]
    attention: dict[str, int]
    """Key -> tenants, the most urgent first."""

    @property
    def fleet(self) -> int:
        """How many tenants there are."""
        return sum(self.modes.values())

    @property
    def in_need(self) -> int:
        """How many of them need a person."""
        return sum(self.attention.values())


def read_tenants(connection: Connection, wanted: Wanted) -> Tenants:
    """The table and what there is to choose from, in one statement: all tenants are read once."""
    text = f"""
    with standing as materialized ({STANDING}),
    fitting as (
      select * from standing
       where (%(search)s = '' or strpos(tenant_id, lower(%(search)s)) > 0
              or strpos(lower(name), lower(%(search)s)) > 0)
         and (%(mode)s = '' or mode = %(mode)s)
         and (%(outcome)s = '' or outcome = %(outcome)s)
         and (%(attention)s = '' or urgency = %(urgency)s
              or (%(attention)s = 'any' and urgency is not null))
    ),
    page as (select * from fitting order by {_SORTS[wanted.sort]} limit %(rows)s
             offset (select least(%(before)s, greatest(count(*) - 1, 0) / %(rows)s * %(rows)s)
                       from fitting)),
    needy as (
      select * from standing where urgency is not null
       order by {_SORTS["attention"]} limit %(needy)s
    ),
    chosen as (select *, 'page' as part from page union all select *, 'needy' from needy),
    tally as (
      select mode, outcome, urgency, count(*)::int as tenants
        from standing group by grouping sets ((mode), (outcome), (urgency))
    )
    select (select count(*) from fitting) as found,
           (select coalesce(jsonb_agg(to_jsonb(explained) order by {_SORTS[wanted.sort]}), '[]')
              from ({EXPLAINED}) as explained where part = 'page') as page,
           (select coalesce(jsonb_agg(to_jsonb(explained) order by {_SORTS["attention"]}), '[]')
              from ({EXPLAINED}) as explained where part = 'needy') as needy,
           (select coalesce(jsonb_agg(to_jsonb(tally)), '[]') from tally) as tally
    """  # noqa: S608 - made of this room's own words; what people wrote are parameters
    found = read_row(
        connection,
        text,
        {
            "old_nights": OLD_NIGHTS,
            "search": wanted.search,
            "mode": wanted.mode,
            "outcome": wanted.outcome,
            "attention": wanted.attention,
            "urgency": _place(wanted.attention),
            "rows": PAGE_ROWS,
            "before": (wanted.page - 1) * PAGE_ROWS,
            "needy": NEEDY_ROWS,
        },
    )
    assert found is not None  # noqa: S101 - one row, whatever there is
    tally = found["tally"]
    urgencies = {row["urgency"]: row["tenants"] for row in tally if row["urgency"] is not None}
    pages = max(1, -(-found["found"] // PAGE_ROWS))
    return Tenants(
        rows=[_typed(row) for row in found["page"]],
        found=found["found"],
        page=min(wanted.page, pages),
        pages=pages,
        needy=[_typed(row) for row in found["needy"]],
        modes=_counts(tally, "mode"),
        outcomes=_counts(tally, "outcome"),
        attention={
            attention.key: urgencies[place]
            for place, attention in enumerate(ATTENTION, 1)
            if place in urgencies
        },
    )


def _place(key: str) -> int | None:
    return next(
        (place for place, attention in enumerate(ATTENTION, 1) if attention.key == key), None
    )


def _counts(tally: list[Row], column: str) -> dict[str, int]:
    found = {row[column]: row["tenants"] for row in tally if row[column] is not None}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _typed(row: Row) -> Row:
    """Times as times again, after their way through JSON; the urgency by its name."""
    for name in ("live_as_of", "waits_until"):
        if row[name] is not None:
            row[name] = datetime.fromisoformat(row[name])
    row["attention"] = ATTENTION[row["urgency"] - 1] if row["urgency"] else None
    return row
