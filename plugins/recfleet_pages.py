"""recfleet's pages in the Airflow UI, behind Airflow's own login and permissions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from recfleet.errors import BadInputError
from recfleet.pages import DAGS, PREFIX, LazyApp, Visitor

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from fastapi import Request


class ThisAirflow:
    """What the pages need from the API server they run in."""

    @property
    def secret(self) -> str:
        """The key with which Airflow signs its own sessions."""
        return str(conf.get_mandatory_value("api", "secret_key"))

    async def visitor(self, request: Request) -> Visitor | None:
        """The person logged in by token or cookie, as for Airflow's own pages."""
        from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
        from fastapi import HTTPException

        try:
            user = await get_user(request, None, await bearer_scheme(request))
        except HTTPException:
            return None
        return Visitor(
            name=user.get_name(),
            may_read=_may(user, DAGS[0], "GET"),
            may_trigger=lambda dag_id: _may(user, dag_id, "POST"),
        )

    def login_address(self, back_to: str) -> str:
        """Address of Airflow's login, which returns to the page."""
        from airflow.api_fastapi.app import get_auth_manager

        return str(get_auth_manager().get_url_login(next_url=back_to))

    def trigger(self, dag_id: str, run_conf: Mapping[str, Any], by: Visitor) -> str:
        """Start a run, as Airflow's own page does."""
        from airflow.api.common.trigger_dag import trigger_dag
        from airflow.sdk.exceptions import AirflowException
        from airflow.utils.types import DagRunTriggeredByType

        try:
            run = trigger_dag(
                dag_id,
                triggered_by=DagRunTriggeredByType.UI,
                triggering_user_name=by.name,
                conf=dict(run_conf),
            )
        except (AirflowException, ValueError) as error:
            raise BadInputError(f"Airflow did not start {dag_id}: {error}") from None
        if run is None:
            raise BadInputError(f"Airflow did not start {dag_id}.")
        return str(run.run_id)


def _may(user: BaseUser, dag_id: str, method: Literal["GET", "POST"]) -> bool:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import (
        DagAccessEntity,
        DagDetails,
    )
    from airflow.models.dag import DagModel

    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    entity = None if method == "GET" else DagAccessEntity.RUN
    allowed = get_auth_manager().is_authorized_dag(
        method=method, access_entity=entity, details=details, user=user
    )
    return bool(allowed)


# A shop with its own background: the navigation may be light, dark or, for the open page, blue.
_ICON = (
    "data:image/svg+xml,"
    "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' "
    "stroke='%231d3f72' stroke-width='1.8' stroke-linejoin='round' stroke-linecap='round'%3E"
    "%3Crect x='0.5' y='0.5' width='23' height='23' rx='5' fill='%23fff' stroke='none'/%3E"
    "%3Cpath d='M4 9.5 5.5 5h13L20 9.5M4 9.5a2.7 2.7 0 0 0 5.3 0 2.7 2.7 0 0 0 5.4 0 "
    "2.7 2.7 0 0 0 5.3 0M4 9.5h16M5.5 13v6.5h13V13M10 19.5V15.5h4v4'/%3E%3C/svg%3E"
)


class RecfleetPages(AirflowPlugin):
    """The pages, and their entry in the navigation."""

    name = "recfleet_pages"
    fastapi_apps = [  # noqa: RUF012 - the base class's way
        {"name": "recfleet", "app": LazyApp(ThisAirflow), "url_prefix": PREFIX}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Fleet",
            "href": urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
            + f"{PREFIX}/fleet",
            "destination": "nav",
            "url_route": "fleet",
            "nav_top_level": True,
            "icon": _ICON,
        }
    ]
