"""Registered models, versions and aliases as rows of MLflow's tables, a batch of tenants at once.

The reason is the same as in ``_run_rows``, and the same test compares the rows with MLflow's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recfleet.errors import TenantError
from recfleet.registry._names import CHAMPION, PREVIOUS, model_name
from recfleet.registry._stores import milliseconds_now

Row = dict[str, Any]


@dataclass(frozen=True)
class Promotion:
    """A challenger that becomes a version, and champion unless it awaits approval."""

    tenant_id: str
    run_id: str
    model_uri: str
    """Folder of its arrays."""
    tags: Mapping[str, object]
    description: str
    """The reason, in words."""
    previous: int | None
    """The version to roll back to; None if there is none."""
    in_force: bool = True
    """Whether the aliases move to it; False while it awaits approval."""


def insert_versions(
    session: Any,
    promotions: Sequence[Promotion],
    tags: Mapping[str, Row],
    models: Mapping[str, Row],
) -> dict[str, int]:
    """Make each promotion's run a version of its tenant's model, and point its aliases.

    A run that already has a version keeps it. Other writers of versions of the same models wait
    until the caller commits.

    Args:
        session: a session of MLflow's version store.
        promotions: one for each tenant.
        tags: tenant id -> the version's tags.
        models: tenant id -> description and tags of its registered model, if it must be made.

    Returns:
        Tenant id -> version.

    Raises:
        TenantError: the version to roll back to is missing.
    """
    from sqlalchemy import insert

    tables = _tables()
    now = milliseconds_now()
    names = {model_name(promotion.tenant_id): promotion for promotion in promotions}
    last = _lock_models(session, names, models, now)
    crowned = {name: promotion for name, promotion in names.items() if promotion.in_force}
    _check_previous(session, crowned)
    versions = _known_versions(session, names)
    new = {name: last[name] + 1 for name in names if name not in versions}
    if new:
        session.execute(
            insert(tables.SqlModelVersion),
            [
                {
                    "name": name,
                    "version": version,
                    "creation_time": now,
                    "last_updated_time": now,
                    "source": names[name].model_uri,
                    "storage_location": names[name].model_uri,
                    "run_id": names[name].run_id,
                    "description": names[name].description,
                }
                for name, version in new.items()
            ],
        )
        session.execute(
            insert(tables.SqlModelVersionTag),
            [
                {"name": name, "version": version, "key": key, "value": value}
                for name, version in new.items()
                for key, value in tags[names[name].tenant_id].items()
            ],
        )
    versions |= new
    if crowned:
        _point_aliases(session, crowned, versions)
    return {promotion.tenant_id: versions[name] for name, promotion in names.items()}


def put_version_back(session: Any, name: str, version: int, found: Promotion, model: Row) -> None:
    """Write a version under its old number, whether or not its row is still there.

    Args:
        session: a session of MLflow's version store.
        name: name of the registered model, which is made if it is gone.
        version: the number.
        found: its run, its folder, its tags and its description.
        model: description and tags of the registered model, if it must be made.
    """
    from mlflow.entities.model_registry.model_version_stages import STAGE_NONE
    from sqlalchemy.dialects import postgresql

    tables = _tables()
    now = milliseconds_now()
    _lock_models(session, {name: found}, {found.tenant_id: model}, now)
    columns = {
        "last_updated_time": now,
        "current_stage": STAGE_NONE,
        "source": found.model_uri,
        "storage_location": found.model_uri,
        "run_id": found.run_id,
        "run_link": None,
        "description": found.description,
    }
    written = postgresql.insert(tables.SqlModelVersion).values(
        name=name, version=version, creation_time=now, **columns
    )
    session.execute(
        written.on_conflict_do_update(index_elements=["workspace", "name", "version"], set_=columns)
    )
    tags = postgresql.insert(tables.SqlModelVersionTag)
    rows = [
        {"name": name, "version": version, "key": key, "value": value}
        for key, value in found.tags.items()
    ]
    if rows:
        session.execute(
            tags.on_conflict_do_update(
                index_elements=["workspace", "name", "version", "key"],
                set_={"value": tags.excluded.value},
            ),
            rows,
        )


def _lock_models(
    session: Any, names: Mapping[str, Promotion], models: Mapping[str, Row], now: int
) -> dict[str, int]:
    """Make missing registered models, lock all of them, and return their last versions."""
    from sqlalchemy import func, insert, select, update
    from sqlalchemy.dialects import postgresql

    tables = _tables()
    held = select(tables.SqlRegisteredModel.name).where(tables.SqlRegisteredModel.name.in_(names))
    held = held.order_by(tables.SqlRegisteredModel.name).with_for_update()
    missing = sorted(names.keys() - set(session.scalars(held)))
    if missing:
        rows = [
            {
                "name": name,
                "creation_time": now,
                "last_updated_time": now,
                "description": models[names[name].tenant_id]["description"],
            }
            for name in missing
        ]
        statement = postgresql.insert(tables.SqlRegisteredModel).on_conflict_do_nothing()
        made = set(session.scalars(statement.returning(tables.SqlRegisteredModel.name), rows))
        if tag_rows := [
            {"name": name, "key": key, "value": value}
            for name in sorted(made)
            for key, value in models[names[name].tenant_id]["tags"].items()
        ]:
            session.execute(insert(tables.SqlRegisteredModelTag), tag_rows)
        if made != set(missing):  # Another process has just made it.
            session.scalars(held).all()
    session.execute(
        update(tables.SqlRegisteredModel)
        .where(tables.SqlRegisteredModel.name.in_(names))
        .values(last_updated_time=now)
    )
    counted = session.execute(
        select(tables.SqlModelVersion.name, func.max(tables.SqlModelVersion.version))
        .where(tables.SqlModelVersion.name.in_(names))
        .group_by(tables.SqlModelVersion.name)
    )
    return dict.fromkeys(names, 0) | {name: int(version) for name, version in counted}


def _known_versions(session: Any, names: Mapping[str, Promotion]) -> dict[str, int]:
    """The versions that the promotions' runs already have."""
    from sqlalchemy import select

    tables = _tables()
    found = session.execute(
        select(
            tables.SqlModelVersion.name,
            tables.SqlModelVersion.run_id,
            tables.SqlModelVersion.version,
        )
        .where(tables.SqlModelVersion.name.in_(names), _is_there(tables.SqlModelVersion))
        .where(
            tables.SqlModelVersion.run_id.in_({promotion.run_id for promotion in names.values()})
        )
        .order_by(tables.SqlModelVersion.version.desc())
    )
    return {name: int(version) for name, run_id, version in found if run_id == names[name].run_id}


def _check_previous(session: Any, names: Mapping[str, Promotion]) -> None:
    from sqlalchemy import select, tuple_

    tables = _tables()
    wanted = {
        (name, promotion.previous)
        for name, promotion in names.items()
        if promotion.previous is not None
    }
    if not wanted:
        return
    key = tuple_(tables.SqlModelVersion.name, tables.SqlModelVersion.version)
    found = session.execute(
        select(tables.SqlModelVersion.name, tables.SqlModelVersion.version).where(
            key.in_(sorted(wanted)), _is_there(tables.SqlModelVersion)
        )
    )
    lost = sorted(wanted - {(name, version) for name, version in found})
    if lost:
        told = ", ".join(f"{version} of {name!r}" for name, version in lost)
        raise TenantError(f"The MLflow registry has no such version: {told}")


def _is_there(versions: Any) -> Any:
    from mlflow.entities.model_registry.model_version_stages import STAGE_DELETED_INTERNAL

    return versions.current_stage != STAGE_DELETED_INTERNAL


def _point_aliases(
    session: Any, names: Mapping[str, Promotion], versions: Mapping[str, int]
) -> None:
    from sqlalchemy import delete
    from sqlalchemy.dialects import postgresql

    tables = _tables()
    rows = [{"name": name, "alias": CHAMPION, "version": versions[name]} for name in names]
    rows += [
        {"name": name, "alias": PREVIOUS, "version": promotion.previous}
        for name, promotion in names.items()
        if promotion.previous is not None
    ]
    insertion = postgresql.insert(tables.SqlRegisteredModelAlias)
    session.execute(
        insertion.on_conflict_do_update(
            index_elements=["workspace", "name", "alias"],
            set_={"version": insertion.excluded.version},
        ),
        rows,
    )
    without = [name for name, promotion in names.items() if promotion.previous is None]
    if without:
        session.execute(
            delete(tables.SqlRegisteredModelAlias).where(
                tables.SqlRegisteredModelAlias.name.in_(without),
                tables.SqlRegisteredModelAlias.alias == PREVIOUS,
            )
        )


def _tables() -> Any:
    """MLflow's own declarations of its tables of versions."""
    import mlflow.store.model_registry.dbmodels.models as tables

    return tables
