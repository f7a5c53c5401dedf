"""The tenant's mode, and what a key opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from recfleet.serving._asked import Asked, Storable, no_parameters, read_body
from recfleet.serving._database import Database
from recfleet.serving._gate import Gate, check_opened
from recfleet.serving._http import Answer, Call, answer_json
from recfleet.serving._lists import moment
from recfleet.serving._problems import ProblemError
from recfleet.settings import retention_settings

if TYPE_CHECKING:
    from recfleet.keys import ShownKey

_MODE = "select * from recfleet.serve_mode($1, $2, $3, $4, $5, $6)"
_KEY = "select * from recfleet.serve_key($1, $2)"


class AskedMode(Asked):
    """A tenant's mode from now on."""

    mode: Literal["on", "frozen", "off"]
    """on: retrain and publish; frozen: publish from the champion; off: recommend nothing."""
    reason: Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"\S"), Storable]
    """Why; the audit keeps it with the key's name."""


class Modes:
    """Shows and switches modes."""

    def __init__(self, database: Database, gate: Gate) -> None:
        """Keep where to ask, and whom to tell what a key has opened."""
        self._database = database
        self._gate = gate

    async def show(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        """The tenant's mode."""
        no_parameters(call)
        return await self._mode(key, named[0], None)

    async def switch(self, call: Call, key: ShownKey, named: list[str]) -> Answer:
        """Switch the tenant."""
        no_parameters(call)
        return await self._mode(key, named[0], read_body(await call.body(), AskedMode))

    async def _mode(self, key: ShownKey, tenant_id: str, asked: AskedMode | None) -> Answer:
        row = await self._database.row(
            _MODE,
            key.key_id,
            key.digest,
            tenant_id,
            asked and asked.mode,
            asked and asked.reason.strip(),
            retention_settings().revive_days,
        )
        if row["trouble"] == "stale":
            raise ProblemError(
                409,
                "The last lists may not be shown again",
                f"They are old, not whole, or the policy has changed since: whoever runs recfleet "
                f"can switch {tenant_id} on, and makes new lists with it.",
            )
        check_opened(row["trouble"], row["tenant_id"], tenant_id, "control")
        return answer_json(
            {
                "tenant": tenant_id,
                "mode": row["mode"],
                "former": row["former"],
                "note": row["shows"],
            }
        )

    async def key(self, call: Call, key: ShownKey, _named: list[str]) -> Answer:
        """What the key itself opens."""
        no_parameters(call)
        row = await self._database.row(_KEY, key.key_id, key.digest)
        check_opened(row["trouble"], row["tenant_id"], row["tenant_id"] or "")
        self._gate.note(key, row["tenant_id"], str(row["topic"]))
        return answer_json(
            {
                "tenant": row["tenant_id"],
                "tenant_name": row["tenant_name"],
                "mode": row["mode"],
                "name": row["key_name"],
                "scopes": row["scopes"],
                "expires_at": moment(row["expires_at"]),
            }
        )
