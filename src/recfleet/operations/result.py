"""What all operations have in common: a result for each tenant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from recfleet.errors import BadInputError, NotFoundError, TenantError


@dataclass(frozen=True)
class Result:
    """What an operation did to one tenant."""

    tenant_id: str
    status: Literal["done", "unchanged", "failed"]
    """Unchanged: the tenant was in the wanted state already, and nothing was written."""
    sentence: str
    """What was done, or why it was not."""


@contextmanager
def errors_of(tenant_id: str) -> Iterator[None]:
    """Make errors in the block name the tenant, and say that nothing was changed.

    Raises:
        BadInputError: in place of the block's own, or of a ``TenantError``.
        NotFoundError: in place of the block's own.
    """
    try:
        yield
    except (BadInputError, NotFoundError) as error:
        raise type(error)(f"{tenant_id}: {error}") from error
    except TenantError as error:
        what = str(error).rstrip(".")
        raise BadInputError(f"{tenant_id}: {what}. Nothing was changed.") from error
