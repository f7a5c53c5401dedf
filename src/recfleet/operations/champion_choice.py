"""Which version of a tenant's model a person may choose, and why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recfleet.audit import Entry, MadeFrom
from recfleet.database import Connection
from recfleet.errors import BadInputError, NotFoundError
from recfleet.judging import Numbers
from recfleet.operations.version_history import last_rollback_in_words, remarks_on, with_remark
from recfleet.record import Champion, Outcome
from recfleet.registry import KnownVersion
from recfleet.tenants import Tenant


@dataclass(frozen=True)
class Case:
    """A locked tenant, and the versions to choose from."""

    connection: Connection = field(repr=False)
    """For looking up the tenant's past."""
    tenant: Tenant
    champion: Champion | None
    previous: Champion | None
    versions: Mapping[int, KnownVersion]
    """All versions of its model in MLflow."""

    def listed(self, *, older: bool = False) -> str:
        """The versions besides the champion, with remarks, for a sentence.

        Args:
            older: only those that a rollback can return to.
        """
        champion = self.champion.version if self.champion else None
        others = [
            known
            for known in self.versions.values()
            if champion is None
            or (known.version < champion if older else known.version != champion)
        ]
        known_of = remarks_on(self.connection, self.tenant.tenant_id, others)
        return ", ".join(with_remark(it.version, known_of) for it in others) or "none"

    def last_rollback(self) -> str | None:
        """Who has rolled the tenant back since its last night, in words; None: nobody has."""
        return last_rollback_in_words(self.connection, self.tenant.tenant_id)


@dataclass(frozen=True)
class Choice:
    """A version to put in force, and what to record about it."""

    version: int
    outcome: Outcome
    is_rollback: bool = False
    numbers: Numbers = field(default_factory=Numbers)
    made_from: MadeFrom = field(default_factory=MadeFrom)
    approval_id: int | None = None
    """The request that it answers; None: there is none."""
    first: Callable[[], list[Entry]] = list
    """Runs in the same transaction, before the champion changes; returns its entries for the
    audit."""


def rollback_to(to_version: int | None) -> Callable[[Case], Choice]:
    """The choice of ``roll_back``, for ``ChampionChanges.change``."""

    def choose(case: Case) -> Choice:
        if case.champion is None:
            raise BadInputError("It has no model in force, so there is nothing to roll back.")
        if to_version is not None:
            version = to_version
        elif case.previous is not None:
            version = case.previous.version
        else:
            raise _without_previous(case, case.champion)
        if version == case.champion.version and (done := case.last_rollback()):
            raise RolledBackAlreadyError(f"{done}.")
        _check_version(case, version)
        if version > case.champion.version:
            raise BadInputError(
                f"Version {version} is newer than the champion, version {case.champion.version}: "
                "`recfleet promote` puts it in force."
            )
        return Choice(version, "rolled back", is_rollback=True)

    return choose


class RolledBackAlreadyError(BadInputError):
    """The tenant was rolled back already since its last night."""


def _without_previous(case: Case, champion: Champion) -> BadInputError:
    """An error that says why a tenant cannot go back, and to which versions it still could."""
    older = case.listed(older=True)
    there_are = (
        "There is no older one." if older == "none" else f"Name one with --to-version: {older}."
    )
    if done := case.last_rollback():
        return RolledBackAlreadyError(f"{done}, and has had no previous version since. {there_are}")
    return BadInputError(
        f"It has no previous version to go back to; its champion is version {champion.version}. "
        f"{there_are}"
    )


def promotion_of(version: int) -> Callable[[Case], Choice]:
    """The choice of ``promote``, for ``ChampionChanges.change``."""

    def choose(case: Case) -> Choice:
        _check_version(case, version)
        return Choice(version, "promoted" if case.champion else "first model")

    return choose


def _check_version(case: Case, version: int) -> None:
    if case.champion and case.champion.version == version:
        raise BadInputError(f"Version {version} is already its champion.")
    if version not in case.versions:
        raise NotFoundError(
            f"It has no version {version}. Its other versions are: {case.listed()}."
        )
