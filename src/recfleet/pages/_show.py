"""Pages that are put together from many queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recfleet.pages import _approvals as approvals
from recfleet.pages import _tenant as tenant
from recfleet.pages._charts import tenant_charts
from recfleet.pages._words import by_name
from recfleet.quality import SAMPLE_LINES, read_advice, read_units
from recfleet.releases import NotServedError, look_up
from recfleet.settings import settings, suites_folder

if TYPE_CHECKING:
    from fastapi.responses import HTMLResponse

    from recfleet.database import Row
    from recfleet.pages._look import Look
    from recfleet.releases import Recommended


def show_tenant(looking: Look, tenant_id: str, *, customer: str = "") -> HTMLResponse:
    """The tenant's page."""
    connection = looking.connection
    standing = tenant.read_standing(connection, tenant_id)
    nights = tenant.read_nights(connection, tenant_id)
    history = tenant.read_history(connection, tenant_id)
    volume = tenant.read_volume(connection, tenant_id)
    policy, policy_error = tenant.read_policy(connection, tenant_id)
    suites = suites_folder(settings().suites)
    recommended, not_served = _customer_list(looking, standing, customer)
    return looking.page(
        "tenant.html",
        tenant=standing,
        models=tenant.read_models(connection, tenant_id),
        versions=tenant.read_versions(connection, tenant_id),
        live=tenant.read_live(connection, tenant_id),
        nights=nights,
        history=history,
        volume=volume,
        quality=tenant.read_quality(connection, tenant_id),
        sample_lines=SAMPLE_LINES,
        advice=read_advice(suites),
        units=read_units(suites),
        policy=policy,
        policy_error=policy_error,
        charts=tenant_charts(nights, history, volume),
        customer=customer,
        recommended=recommended,
        not_served=not_served,
    )


def _customer_list(
    looking: Look, standing: Row, customer: str
) -> tuple[list[Recommended] | None, str]:
    """The customer's live list, or why there is none; None when nobody was asked for."""
    if not customer:
        return None, ""
    try:
        found = look_up(looking.connection, standing["tenant_id"], customer.replace("\x00", ""))
    except NotServedError as error:
        return None, by_name(standing["tenant_id"], standing["name"], str(error))
    return found, ""


def show_approvals(looking: Look) -> HTMLResponse:
    """The page of approvals."""
    return looking.page(
        "approvals.html",
        waiting=approvals.read_waiting(looking.connection),
        count=approvals.count_waiting(looking.connection),
        decided=approvals.read_decided(looking.connection),
    )
