"""What the pages need of Airflow: who looks, what that person may do, and how to start a run.

The pages themselves know no Airflow; the plugin hands them this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fastapi import Request

PREFIX = "/recfleet"
"""Where the pages are below Airflow's own address."""

NIGHTLY = "nightly_fleet"
MODE = "tenant_mode"
ROLLBACK = "tenant_rollback"
BACKFILL = "tenant_backfill"
APPROVALS = "fleet_approvals"
DAGS = (NIGHTLY, MODE, ROLLBACK, APPROVALS, BACKFILL)
"""Reading needs the permission to read the first; each action that to trigger one of them."""


@dataclass(frozen=True)
class Visitor:
    """A person who is logged in to Airflow."""

    name: str
    """As Airflow knows them; it goes into the audit."""
    may_read: bool
    """Whether Airflow lets them read the nights' DAG."""
    may_trigger: Callable[[str], bool]
    """Whether Airflow lets them trigger that DAG."""


class Airflow(Protocol):
    """What the plugin gives the pages."""

    @property
    def secret(self) -> str:
        """Known to Airflow's servers alone."""

    async def visitor(self, request: Request) -> Visitor | None:
        """Who sent the request; None: nobody who is logged in."""

    def login_address(self, back_to: str) -> str:
        """Where to log in, and be led to an address afterwards."""

    def trigger(self, dag_id: str, conf: Mapping[str, Any], by: Visitor) -> str:
        """Start a run of a DAG in that person's name; returns its run id.

        Raises:
            RecfleetError: Airflow does not take it, with what it says.
        """
