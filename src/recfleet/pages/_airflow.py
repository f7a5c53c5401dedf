"""What the pages need from Airflow: who visits, what that person may do, how to start a run.

The pages do not import Airflow; the plugin provides this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fastapi import Request

PREFIX = "/recfleet"
"""The path of the pages below Airflow's own address."""

NIGHTLY = "nightly_fleet"
MODE = "tenant_mode"
ROLLBACK = "tenant_rollback"
BACKFILL = "tenant_backfill"
APPROVALS = "fleet_approvals"
DAGS = (NIGHTLY, MODE, ROLLBACK, APPROVALS, BACKFILL)
"""Reading needs the permission to read the first DAG; each action needs that to trigger one."""


@dataclass(frozen=True)
class Visitor:
    """A person logged in to Airflow."""

    name: str
    """The name in Airflow, which goes into the audit."""
    may_read: bool
    """Whether Airflow lets them read the nights' DAG."""
    may_trigger: Callable[[str], bool]
    """Whether Airflow lets them trigger that DAG."""


class Airflow(Protocol):
    """What the plugin gives the pages."""

    @property
    def secret(self) -> str:
        """A secret that only Airflow's servers know."""

    async def visitor(self, request: Request) -> Visitor | None:
        """The person who sent the request; None: that person is not logged in."""

    def login_address(self, back_to: str) -> str:
        """Address of the login page, which leads to the given address afterwards."""

    def trigger(self, dag_id: str, conf: Mapping[str, Any], by: Visitor) -> str:
        """Start a run of a DAG in that person's name; returns its run id.

        Raises:
            RecfleetError: Airflow refuses; quotes its answer.
        """
