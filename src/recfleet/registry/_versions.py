"""Versions: promoted challengers, their aliases, and tags that are added later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from recfleet.errors import TenantError
from recfleet.registry._library import translated
from recfleet.registry._names import CHAMPION, PREFIX, PREVIOUS, model_name, tenant_of
from recfleet.registry._stores import one_transaction
from recfleet.registry._texts import begun_with, cut, model_note, texts
from recfleet.registry._version_rows import Promotion, insert_versions, put_version_back

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.exceptions import MlflowException

_PAGE = 1000


@dataclass(frozen=True)
class Aliases:
    """The versions of a tenant's model that are in force; None if there is none."""

    champion: int | None
    previous: int | None


@dataclass(frozen=True)
class ModelVersion:
    """A model that was promoted, awaits approval, or was tried by a backfill."""

    tenant_id: str
    version: int
    run_id: str
    model_uri: str
    tags: dict[str, str]
    description: str
    created_at: datetime


class Versions:
    """The tenants' registered models: their versions, and the aliases of those in force."""

    def __init__(self, store: Any) -> None:
        """Work on MLflow's open store of versions."""
        self._version_store = store

    def promote(self, promotions: Sequence[Promotion]) -> list[int]:
        """Make challengers versions and move their tenants' aliases, in one transaction.

        Safe to repeat: a run that already has a version keeps it.

        Args:
            promotions: one for each tenant.

        Returns:
            The versions, in the promotions' order.

        Raises:
            BadInputError: a tenant's id is not a slug.
            TenantError: the version to roll back to is missing; nothing was changed.
            InfrastructureError: MLflow's database is away.
        """
        if not promotions:
            return []
        notes = {each.tenant_id: model_note(each.tenant_id) for each in promotions}
        tags = {
            promotion.tenant_id: {"tenant": promotion.tenant_id, **texts(promotion.tags)}
            for promotion in promotions
        }
        short = [replace(each, description=cut(each.description)) for each in promotions]
        with translated(), self._version_store.ManagedSessionMaker(read_only=False) as session:
            versions = insert_versions(session, short, tags, notes)
        return [versions[promotion.tenant_id] for promotion in promotions]

    def set_champion(self, tenant_id: str, *, version: int | None, previous: int | None) -> None:
        """Point the aliases ``champion`` and ``previous`` at these versions; safe to repeat.

        Both move in one transaction.

        Args:
            tenant_id: the tenant.
            version: the version in force from now on; None for none.
            previous: the version to roll back to; None for none.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        name = model_name(tenant_id)
        with translated(), _known_version(tenant_id), one_transaction(self._version_store):
            for alias, number in ((PREVIOUS, previous), (CHAMPION, version)):
                if number is None:
                    self._version_store.delete_registered_model_alias(name, alias)
                else:
                    self._version_store.set_registered_model_alias(name, alias, number)

    def mark_version(
        self, tenant_id: str, version: int, tags: Mapping[str, object], *, told: str = ""
    ) -> None:
        """Add or change tags of a version, about later events; safe to repeat.

        Args:
            tenant_id: the tenant.
            version: the version's number.
            tags: name -> value; None is left out.
            told: the same in a sentence, which begins the description and the tag ``reason`` from
                now on.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        from mlflow.entities.model_registry import ModelVersionTag

        name = model_name(tenant_id)
        with translated(), _known_version(tenant_id), one_transaction(self._version_store):
            for key, value in texts(tags).items():
                tag = ModelVersionTag(key, value)  # type: ignore[no-untyped-call]
                self._version_store.set_model_version_tag(name, version, tag)
            if told:
                self._begin_with(told, name, version)

    def _begin_with(self, told: str, name: str, version: int) -> None:
        from mlflow.entities.model_registry import ModelVersionTag

        found = self._version_store.get_model_version(name, version)
        description = begun_with(told, found.description or "")
        self._version_store.update_model_version(name, version, description)
        if "reason" in found.tags:
            reason = begun_with(told, found.tags["reason"])
            tag = ModelVersionTag("reason", reason)  # type: ignore[no-untyped-call]
            self._version_store.set_model_version_tag(name, version, tag)

    def restore_version(
        self,
        tenant_id: str,
        version: int,
        *,
        run_id: str,
        model_uri: str,
        tags: Mapping[str, object],
        description: str = "",
    ) -> None:
        """Restore a version that is gone from MLflow or names another run; safe to repeat.

        Args:
            tenant_id: the tenant.
            version: its old number.
            run_id: its run.
            model_uri: folder of its arrays.
            tags: tags to add to those that are left.
            description: the reason, in words; the old description is lost with the version.

        Raises:
            BadInputError: the tenant's id is not a slug.
            InfrastructureError: MLflow's database is away.
        """
        name = model_name(tenant_id)
        found = Promotion(
            tenant_id, run_id, model_uri, tags=texts(tags), description=description, previous=None
        )
        with translated(), self._version_store.ManagedSessionMaker(read_only=False) as session:
            put_version_back(session, name, version, found, model_note(tenant_id))

    def unmark_version(self, tenant_id: str, version: int, names: Iterable[str]) -> None:
        """Remove tags from a version; a missing tag is no error.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        name = model_name(tenant_id)
        with translated(), _known_version(tenant_id), one_transaction(self._version_store):
            for key in names:
                self._version_store.delete_model_version_tag(name, version, key)

    def aliases(self, tenant_id: str) -> Aliases:
        """The versions of a tenant's model that are in force; none for a tenant without a model.

        Raises:
            InfrastructureError: MLflow's database is away.
        """
        from mlflow.exceptions import MlflowException

        try:
            with translated():
                model = self._version_store.get_registered_model(model_name(tenant_id))
        except MlflowException as error:
            if _is_missing(error):
                return Aliases(None, None)
            raise
        return _aliases(model.aliases)

    def all_aliases(self) -> Iterator[tuple[str, Aliases]]:
        """Every tenant with a registered model, by name, with its aliases; read in pages.

        Raises:
            InfrastructureError: MLflow's database is away.
        """
        token = None
        while True:
            with translated():
                page = self._version_store.search_registered_models(
                    filter_string=f"name LIKE '{PREFIX}%'",
                    max_results=_PAGE,
                    order_by=["name ASC"],
                    page_token=token,
                )
            for model in page:
                yield tenant_of(model.name), _aliases(model.aliases)
            token = page.token
            if not token:
                return

    def get_version(self, tenant_id: str, version: int) -> ModelVersion:
        """One version of a tenant's model.

        Raises:
            TenantError: there is no such version.
            InfrastructureError: MLflow's database is away.
        """
        with translated(), _known_version(tenant_id):
            return _version(self._version_store.get_model_version(model_name(tenant_id), version))

    def versions(self, tenant_id: str) -> list[ModelVersion]:
        """A tenant's versions, the newest first.

        Raises:
            InfrastructureError: MLflow's database is away.
        """
        with translated():
            found = self._version_store.search_model_versions(
                f"name = '{model_name(tenant_id)}'", max_results=_PAGE
            )
        return sorted(map(_version, found), key=lambda version: -version.version)


def _aliases(versions: Mapping[str, object]) -> Aliases:
    def version(alias: str) -> int | None:
        return int(str(versions[alias])) if alias in versions else None

    return Aliases(champion=version(CHAMPION), previous=version(PREVIOUS))


def _version(found: MlflowVersion) -> ModelVersion:
    return ModelVersion(
        tenant_id=tenant_of(found.name),
        version=int(found.version),
        run_id=found.run_id or "",
        model_uri=found.source or "",
        tags=dict(found.tags),
        description=found.description or "",
        created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
    )


@contextmanager
def _known_version(tenant_id: str) -> Iterator[None]:
    """Turn MLflow's error for a missing version into a sentence about the tenant."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if _is_missing(error):
            raise TenantError(
                f"The MLflow registry has no such version of {model_name(tenant_id)!r}: {error}"
            ) from error
        raise


def _is_missing(error: MlflowException) -> bool:
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")
