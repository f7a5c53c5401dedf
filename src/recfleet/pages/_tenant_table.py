"""The table of tenants on the Fleet page, and the address that selects its rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import get_args
from urllib.parse import urlencode

from recfleet.database import Connection
from recfleet.operations import ATTENTION, SORTS, Selection, Standings, read_standings
from recfleet.tenants import Mode

_PAGE_ROWS = 50
_NEEDY_ROWS = 10
"""The page shows this many of the tenants that need a person; a link leads to all of them."""


class Wanted(Selection):
    """The part of the table that an address asks for."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """Read an address; impossible values are ignored."""
        keys = {"any", *(attention.key for attention in ATTENTION)}
        return cls(
            search=query.get("q", "").replace("\x00", "").strip()[:200],
            mode=_if_in(query.get("mode", ""), get_args(Mode)),
            outcome=query.get("outcome", "").replace("\x00", "")[:40],
            attention=_if_in(query.get("attention", ""), keys),
            sort=_if_in(query.get("sort", ""), SORTS) or "attention",
            page=page_number(query.get("page", "")),
        )

    @property
    def narrows(self) -> bool:
        """Whether some tenants are left out."""
        return bool(self.search or self.mode or self.outcome or self.attention)

    def address(self, **changes: object) -> str:
        """The query of this view's address, with some changes."""
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


def read_table(connection: Connection, wanted: Wanted) -> Standings:
    """The wanted tenants, the first tenants that need a person, and the fleet's sums."""
    return read_standings(connection, wanted, page_rows=_PAGE_ROWS, needy_rows=_NEEDY_ROWS)


def page_number(text: str) -> int:
    """The number of the page that an address asks for, from 1."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1


def _if_in(value: str, known: Collection[str]) -> str:
    return value if value in known else ""
