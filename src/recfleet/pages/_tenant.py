"""The Tenant page: everything about one tenant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from recfleet.audit import read_facts
from recfleet.database import Connection, Row, read_row, read_rows
from recfleet.feedback import ATTRIBUTED, INCREMENTAL, read_insights
from recfleet.interactions import count_weekly
from recfleet.keys import MEANINGS, list_keys
from recfleet.operations import cost_in_words, cost_of, explain_policy, read_standing
from recfleet.pages._charts import tenant_charts
from recfleet.pages._experiments import shown_experiments
from recfleet.pages._visit import Visit, Visiting
from recfleet.pages._words import by_name
from recfleet.quality import SAMPLE_LINES, read_advice, read_units
from recfleet.reasons import say_why
from recfleet.releases import NotServedError, look_up
from recfleet.settings import suites_folder
from recfleet.tenants import get_tenant

if TYPE_CHECKING:
    from recfleet.operations import Standing
    from recfleet.releases import Recommended

router = APIRouter()

_NIGHTS = 120
"""Nights in the chart, and also trials in the table."""
_WEEKS = 52


@router.get("/tenants/{tenant_id}")
def tenant_page(visit: Visiting, tenant_id: str, customer: str = "") -> HTMLResponse:
    """Everything about one tenant."""
    customer = customer.strip()
    connection = visit.connection
    standing = read_standing(connection, tenant_id)
    nights = _read_nights(connection, tenant_id)
    history = _read_history(connection, tenant_id)
    volume = _read_volume(connection, tenant_id)
    policy, policy_error = _read_policy(connection, tenant_id)
    suites = suites_folder()
    recommended, not_served = _customer_list(visit, standing, customer)
    insights = read_insights(connection, tenant_id, now=datetime.now(UTC))
    cost = cost_of(connection, tenant_id, insights.since, insights.until)
    reasons = say_why(connection, tenant_id, customer, recommended or [], None)
    return visit.page(
        "tenant.html",
        tenant=standing,
        models=_read_models(connection, tenant_id),
        versions=_read_versions(connection, tenant_id),
        live=_read_live(connection, tenant_id),
        nights=nights,
        history=history,
        volume=volume,
        quality=_read_quality(connection, tenant_id),
        sample_lines=SAMPLE_LINES,
        advice=read_advice(suites),
        units=read_units(suites),
        policy=policy,
        policy_error=policy_error,
        charts=tenant_charts(nights, history, volume),
        customer=customer,
        recommended=recommended,
        reasons=reasons,
        not_served=not_served,
        insights=insights,
        means={"attributed": ATTRIBUTED, "incremental": INCREMENTAL},
        cost=cost_in_words(cost, insights.incremental),
        experiments=shown_experiments(connection, tenant_id),
        keys=list_keys(connection, tenant_id),
        scopes=MEANINGS,
    )


def _customer_list(
    visit: Visit, standing: Standing, customer: str
) -> tuple[list[Recommended] | None, str]:
    """The customer's live list, or why there is none; None if no customer was asked for."""
    if not customer:
        return None, ""
    try:
        found = look_up(visit.connection, standing.tenant_id, customer.replace("\x00", ""))
    except NotServedError as error:
        return None, by_name(standing.tenant_id, standing.name, str(error))
    return found, ""


def _read_models(connection: Connection, tenant_id: str) -> dict[str, Row]:
    """Champion and previous, each with the night that put it in force, and its Airflow run.

    After a rollback, the restored model counts as in force since the rollback, not since it was
    made.
    """
    found = read_rows(
        connection,
        """
        select role, model.version, model.run_id, model.train_end, model.promoted_at,
               night.night_id, night.kind, night.airflow_run, night.as_of
          from in_force cross join lateral (values
            ('champion', version, run_id, train_end, promoted_at, night_id),
            ('previous', previous_version, previous_run_id, previous_train_end,
             previous_promoted_at, previous_night_id))
            as model (role, version, run_id, train_end, promoted_at, night_id)
          left join night_overview as night on night.night_id = model.night_id
         where tenant_id = %(tenant)s and model.version is not null
        """,
        {"tenant": tenant_id},
    )
    return {row["role"]: row for row in found}


def _read_versions(connection: Connection, tenant_id: str) -> list[Row]:
    """All versions ever put in force, newest first, with how each was judged then.

    ``left_at`` is the time when a rollback last replaced the version; None: never.
    """
    return read_rows(
        connection,
        """
        select distinct on (to_version) to_version as version, happened_at,
               (numbers #>> '{contenders,challenger,rmse}')::float as rmse,
               (select max(happened_at) from history as back
                 where back.tenant_id = history.tenant_id and back.kind = 'rollback'
                   and back.from_version = history.to_version) as left_at
          from history
         where tenant_id = %(tenant)s and to_version is not null
           and history.kind in ('first model', 'promotion')
         order by to_version desc, audit_id
        """,
        {"tenant": tenant_id},
    )


def _read_live(connection: Connection, tenant_id: str) -> Row | None:
    """The live release, with the shard that published it and the shard's place in Airflow."""
    return read_row(
        connection,
        """
        select live.*, tenant_night.shard,
               (select count(distinct shard) from tenant_night as other
                 where other.night_id = live.night_id and other.state <> 'unchanged'
                   and other.shard < tenant_night.shard) as map_index
          from live left join tenant_night using (night_id, tenant_id)
         where tenant_id = %(tenant)s
        """,
        {"tenant": tenant_id},
    )


def _read_nights(connection: Connection, tenant_id: str) -> list[Row]:
    """The tenant's newest nights, newest first, with every contender's numbers.

    Trials have a limit of their own, so that a long backfill does not crowd out real nights.
    """
    return read_rows(
        connection,
        """
        select night.night_id, night.as_of, night.kind, is_trial, mode, outcome, state, verdict,
               reason, skill,
               rmse_champion,
               rmse_challenger,
               rmse_popularity,
               ndcg_champion,
               ndcg_challenger,
               ndcg_popularity,
               holdout_customers
          from (select *, row_number() over (partition by is_trial order by night_id desc) as place
                  from tenant_night where tenant_id = %(tenant)s) as night
         where place <= %(nights)s order by night_id desc
        """,
        {"tenant": tenant_id, "nights": _NIGHTS},
    )


def _read_history(connection: Connection, tenant_id: str) -> list[Row]:
    """What was changed or decided, and by whom, newest first.

    ``at`` is the time on the nights' own clock, which may differ from the wall clock. For something
    done outside a night, it is the as-of of the fleet's night before plus the time since that
    night's beginning, but at most the next night's as-of.
    """
    rows = read_rows(
        connection,
        """
        select audit_id, happened_at, history.kind, from_version, to_version, facts, actor, reason,
               night_id,
               coalesce(night.as_of,
                        least(former.as_of + (happened_at - former.started_at), next.as_of),
                        happened_at) as at
          from history left join night_overview as night using (night_id)
          left join lateral (
            select as_of, started_at from night_overview
             where kind = 'fleet' and started_at <= happened_at
             order by started_at desc limit 1) as former on true
          left join lateral (
            select as_of from night_overview
             where kind = 'fleet' and started_at > happened_at and as_of >= former.as_of
             order by started_at limit 1) as next on true
         where tenant_id = %(tenant)s order by audit_id desc limit 100
        """,
        {"tenant": tenant_id},
    )
    return [{**row, "facts": read_facts(row["kind"], row["facts"])} for row in rows]


def _read_volume(connection: Connection, tenant_id: str) -> list[Row]:
    """Purchase lines and customers for each seven days of the last year, earliest first.

    The weeks end with the last purchase or, if that is later, the last night, so that weeks without
    a purchase show.
    """
    [row] = read_rows(
        connection,
        "select max(as_of) as last from counted_night where tenant_id = %(tenant)s",
        {"tenant": tenant_id},
    )
    return count_weekly(connection, tenant_id, weeks=_WEEKS, until=row["last"])


def _read_quality(connection: Connection, tenant_id: str) -> list[Row]:
    """The results of the last night that checked the tenant's data, the failing ones first.

    Trials are left out, because they check the data of the past.
    """
    return read_rows(
        connection,
        """
        select night_id, as_of, expectation, severity, success, observed, expected, usual,
               sample, has_docs
          from quality_finding join night_overview using (night_id)
         where tenant_id = %(tenant)s and night_id = (
           select max(night_id) from quality_finding join night_overview using (night_id)
            where tenant_id = %(tenant)s and not is_trial)
         order by success, array_position(array['critical', 'warning', 'info'], severity),
                  expectation
        """,
        {"tenant": tenant_id},
    )


def _read_policy(connection: Connection, tenant_id: str) -> tuple[list[Row], str | None]:
    """The policy in force with each value's source, and what is wrong with it, if anything.

    Raises:
        ConfigurationError: the fleet's policy cannot be used.
    """
    return explain_policy(connection, tenant_id), get_tenant(connection, tenant_id).policy_error
