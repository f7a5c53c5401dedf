"""What comes out of a validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]

Line = dict[str, Any]
"""One purchase line as people are shown it: JSON-able."""


@dataclass(frozen=True, slots=True)
class Result:
    """One tenant under one expectation."""

    tenant_id: str
    expectation: str
    """Its name in the suite's file."""
    severity: Severity
    success: bool
    observed: float | None
    """What the profile's column holds; None where there is too little to say anything."""
    expected: str
    """In words, such as ``at most 40%``."""
    sample: list[Line] | None = None
    """Some of the lines that are the cause, the latest first; None when none were looked for."""


@dataclass(frozen=True)
class Validation:
    """What a shard's validation found."""

    tenants: int
    """How many were validated."""
    results: list[Result]
    """One for each tenant and expectation, in the order of the tenants, then of the suite."""
    critical: dict[str, str]
    """Tenant id -> why it is quarantined, in words; only tenants that are."""
    warnings: dict[str, str]
    """Tenant id -> what else is odd, in words; a quarantined tenant may be here too."""
    seconds: dict[str, float]
    """Where the time went, over all the shard's tenants: ``profile`` (reading it),
    ``great_expectations`` (all calls of the library, loading the suites included) and ``examine``
    (reading the lines of tenants that failed, choosing samples)."""
