"""From a customer's live list back to the data, the model, the night and the decision behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from psycopg2.extras import RealDictCursor

from recfleet.audit import Span
from recfleet.database import Connection, transaction
from recfleet.judging import Numbers
from recfleet.record.fits import Fit, chain_of
from recfleet.registry import run_page, version_page
from recfleet.releases import list_of, version_of
from recfleet.settings import airflow_settings, link_settings, registry_settings
from recfleet.tenants import Mode, get_tenant

_DAGS = {"fleet": "nightly_fleet", "backfill": "tenant_backfill"}
"""Kind of night -> the DAG that runs such nights."""


@dataclass(frozen=True)
class Decision:
    """How the model came into force."""

    audit_id: int
    """The number of the audit's entry."""
    kind: str
    """first model, promotion or rollback."""
    at: datetime
    actor: str
    reason: str
    numbers: Numbers
    """The judge's numbers."""


@dataclass(frozen=True)
class Link:
    """One fit of the chain that led to a model."""

    as_of: datetime
    """Of the night that fitted it."""
    run_id: str
    digest: str | None
    """The digest of its arrays; None: an older release fitted it."""
    cold_because: str | None
    """Why the chain begins with it; None: its fit began with the next link, or an older release
    fitted it."""


@dataclass(frozen=True)
class Model:
    """The model behind a list; None stands for what is no longer on record."""

    version: int
    mlflow_page: str
    run_id: str
    run_page: str | None
    """None: MLflow no longer has the run."""
    model_uri: str | None
    recipe: dict[str, Any] | None
    training: Span | None
    """The time span that it was trained on."""
    holdout: Span | None
    """The time span that it was judged by."""
    code_version: str | None
    trained_in: str | None
    """The Airflow run that trained it."""
    airflow_page: str | None
    """The page of that run."""
    decision: Decision | None
    chain: list[Link]
    """Its own fit, its parent's, and so on up to the cold one; as far as they are on record."""


@dataclass(frozen=True)
class Release:
    """The release behind a list."""

    release_id: int
    served_by: str
    """model, personal (without one) or popularity."""
    as_of: datetime
    """The release sees no later data."""
    fingerprint: str
    """The fingerprint of the interactions up to then."""
    live_since: datetime
    night_id: int
    night_kind: str
    """fleet, backfill or operator: what a person did by day."""
    run: str
    """The night's run; for a fleet's night and a backfill, the run in Airflow."""
    airflow_page: str | None
    """The page of that run; None: it was done by day, without a run."""


@dataclass(frozen=True)
class Trace:
    """A customer's list and everything that it came from."""

    tenant_id: str
    customer_id: str
    mode: Mode
    served: bool
    """Whether the customer gets this list now. False: the tenant is off, has no release, or its
    policy excludes the customer, or an experiment shows them nothing."""
    known_customer: bool
    """False: the release has no list of the customer's own, and the popular one stands in."""
    source: str | None
    """What put the first product there, such as taste; excluded: the tenant's policy excludes
    the customer, and the list is empty; None: there is no release."""
    products: list[str]
    """The best first."""
    scores: list[float]
    release: Release | None
    """None: nothing has been published for the tenant yet."""
    model: Model | None
    """None: the list was made without a model, or by an arm's own."""
    arm: str | None = None
    """The arm of the experiment that the customer is in; None: they are in none."""


def trace_list(connection: Connection, tenant_id: str, customer_id: str) -> Trace:
    """Trace a customer's live list back to its origin.

    Args:
        connection: an open connection outside any transaction.
        tenant_id: the customer's tenant.
        customer_id: as the tenant writes it, without the white space around it; an unknown customer
            gets the popular list.

    Raises:
        UnknownTenantError: there is no such tenant.
        InfrastructureError: MLflow's database is away.
    """
    customer_id = customer_id.strip()
    with transaction(connection):
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
        tenant = get_tenant(connection, tenant_id)
        origin = _row(connection, "select * from live_origin where tenant_id = %s", tenant_id)
        listed = list_of(connection, origin["release_id"], customer_id) if origin else None
        arm = listed.arm if listed else None
        model = origin if origin and origin["model_version"] is not None else None
        if model and version_of(arm, model["model_version"]) != model["model_version"]:
            model = None
        chain = chain_of(connection, tenant_id, model["mlflow_run"]) if model else []
    source = (listed.source or "popular") if listed else None
    return Trace(
        tenant_id=tenant_id,
        customer_id=customer_id,
        mode=tenant.mode,
        served=origin is not None and tenant.mode != "off" and source != "excluded",
        known_customer=listed is not None and listed.source is not None,
        source=source,
        products=listed.products if listed else [],
        scores=listed.scores if listed else [],
        release=_release(origin) if origin else None,
        model=_model(model, chain) if model else None,
        arm=arm,
    )


def airflow_page(airflow: str, night_kind: str | None, run_id: str | None) -> str | None:
    """Address of a night's run in Airflow; None for what a person did by day, without a run.

    Args:
        airflow: address of Airflow's pages.
        night_kind: the night's kind; None: there is no night.
        run_id: of the Airflow run.
    """
    dag_id = _DAGS.get(night_kind or "")
    if dag_id is None or not run_id:
        return None
    return f"{airflow.rstrip('/')}/dags/{dag_id}/runs/{quote(run_id, safe='')}"


def _row(connection: Connection, query: str, *parameters: object) -> dict[str, Any] | None:
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
    return None if row is None else dict(row)


def _release(origin: dict[str, Any]) -> Release:
    airflow = airflow_settings().airflow_url
    return Release(
        release_id=origin["release_id"],
        served_by=origin["served_by"],
        as_of=origin["as_of"],
        fingerprint=origin["fingerprint"],
        live_since=origin["switched_at"],
        night_id=origin["night_id"],
        night_kind=origin["night_kind"],
        run=origin["night_run"],
        airflow_page=airflow_page(airflow, origin["night_kind"], origin["night_run"]),
    )


def _model(origin: dict[str, Any], chain: Sequence[Fit]) -> Model:
    airflow, mlflow = airflow_settings().airflow_url, link_settings().mlflow_url
    trained_in, kind = origin["trained_in"], origin["trained_in_kind"]
    return Model(
        version=origin["model_version"],
        mlflow_page=version_page(mlflow, origin["tenant_id"], origin["model_version"]),
        run_id=origin["mlflow_run"],
        run_page=run_page(mlflow, registry_settings().mlflow_store_url, origin["mlflow_run"]),
        model_uri=origin["model_uri"],
        recipe=origin["recipe"],
        training=_span(origin["training"]),
        holdout=_span(origin["holdout"]),
        code_version=origin["code_version"],
        trained_in=trained_in,
        airflow_page=airflow_page(airflow, kind, trained_in),
        decision=_decision(origin),
        chain=[_link(fit) for fit in chain],
    )


def _link(fit: Fit) -> Link:
    known, start = fit.challenger, fit.challenger.start
    return Link(fit.as_of, known.run_id, known.digest, start.because if start else None)


def _span(stored: dict[str, Any] | None) -> Span | None:
    return None if stored is None else Span.model_validate(stored)


def _decision(origin: dict[str, Any]) -> Decision | None:
    if origin["audit_id"] is None:
        return None
    return Decision(
        audit_id=origin["audit_id"],
        kind=origin["crowned_by_kind"],
        at=origin["crowned_at"],
        actor=origin["crowned_by"],
        reason=origin["crowned_because"],
        numbers=Numbers.model_validate(origin["numbers"]),
    )
