"""Read a tenant's model, if its folder holds what is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recfleet.contents import contents_of, digest_of
from recfleet.database import Connection
from recfleet.errors import TenantError
from recfleet.record import Champion
from recfleet.record.digests import find_contents
from recfleet.registry import ArtifactStore, KnownVersion

if TYPE_CHECKING:
    from recfleet.models import Model, Weights


def load(model: Champion, artifacts: ArtifactStore) -> Model:
    """The model of a champion, a previous model or a challenger.

    Args:
        model: says where it is, and what its folder must hold.
        artifacts: where the model is.

    Raises:
        TenantError: files are missing or were changed, or something else is in the folder; names
            the version, the files, and what to do.
        InfrastructureError: the store is away or refuses.
    """
    return load_serving(model, artifacts)[0]


def load_serving(model: Champion, artifacts: ArtifactStore) -> tuple[Model, Weights | None]:
    """The model, and the weights that it serves with; None: it serves by taste alone.

    Args:
        model: says where it is, and what its folder must hold.
        artifacts: where the model is.

    Raises:
        TenantError: as ``load`` does.
        InfrastructureError: the store is away or refuses.
    """
    from recfleet.models import read_model, read_weights

    try:
        files = artifacts.read(model.model_uri, model.contents)
        return read_model(files), read_weights(files)
    except TenantError as error:
        who = f"version {model.version}" if model.version else "the challenger"
        raise TenantError(f"{who} cannot be loaded: {error}") from error


def check_version(
    connection: Connection, tenant_id: str, known: KnownVersion, artifacts: ArtifactStore
) -> Champion:
    """A version that a person has chosen, after checking that its folder holds what is on record.

    If nothing is on record, MLflow's digest counts; without one, the folder is taken as found.

    Args:
        connection: an open connection.
        tenant_id: the tenant.
        known: the version, as MLflow has it.
        artifacts: where the model is.

    Raises:
        TenantError: the model cannot be loaded, or the folder holds something else.
        InfrastructureError: the store is away or refuses.
    """
    from recfleet.models import read_model

    contents = find_contents(connection, tenant_id, known.version, known.run_id)
    files = artifacts.read(known.model_uri, contents)
    found = contents_of(files)
    if contents is None and known.digest not in (None, digest_of(found)):
        raise TenantError(
            f"version {known.version} is not what MLflow has the digest of: restore the files of "
            f"{known.model_uri}, or choose another version."
        )
    train_end = read_model(files).train_end
    return Champion(known.version, known.run_id, known.model_uri, train_end, found)


def is_first_seen(connection: Connection, tenant_id: str, known: KnownVersion) -> bool:
    """Whether neither the record nor MLflow says what a version's folder held before."""
    asked = (tenant_id, known.version, known.run_id)
    return known.digest is None and find_contents(connection, *asked) is None
