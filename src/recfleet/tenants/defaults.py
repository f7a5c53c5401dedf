"""The fleet's policy: one commented file, ``policy.toml``; tenants' own values go on top."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recfleet.errors import ConfigurationError
from recfleet.settings import policy_file
from recfleet.tenants.fields import merge, problems
from recfleet.tenants.policy import Policy, as_written_now


def fleet_policy(file: Path | None = None) -> Policy:
    """Read the fleet's policy; fields that the file leaves out are as in the code.

    Args:
        file: the file; by default the configured one.

    Raises:
        ConfigurationError: it is missing or cannot be used; the text names everything that is
            wrong.
    """
    place = file or policy_file()
    try:
        written = tomllib.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"The fleet's policy is missing: {place}. It is policy.toml of the checkout, or the "
            "file that RECFLEET_POLICY names."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"The fleet's policy {place} cannot be read: {error}. Fix the file."
        ) from None
    try:
        return in_force(Policy(), written)
    except ValidationError as error:
        raise ConfigurationError(
            f"The fleet's policy {place} cannot be used. {'. '.join(problems(error))}. Fix the "
            "file: until then no night is planned."
        ) from None


def in_force(fleet: Policy, own: dict[str, Any]) -> Policy:
    """A tenant's policy: the fleet's, with the tenant's own values on top.

    Raises:
        ValidationError: they cannot be used.
    """
    if not own:
        return fleet
    return Policy.model_validate(merge(fleet.model_dump(mode="json"), as_written_now(own)))
