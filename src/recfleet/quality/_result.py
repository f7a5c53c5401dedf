"""Results of a validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]

GRAVE_FIRST: tuple[Severity, ...] = ("critical", "warning", "info")

Line = dict[str, Any]
"""One purchase line as people see it, ready for JSON."""


@dataclass(frozen=True, slots=True)
class Result:
    """One tenant under one expectation."""

    tenant_id: str
    expectation: str
    """Its name in the suite's file."""
    severity: Severity
    """The suite's; of a failure that was compared with the tenant's past, what came of it."""
    success: bool
    observed: float | None
    """The value in the profile's column; None with too little data for one."""
    expected: str
    """What is expected, in words, such as ``at most 40%``."""
    usual: float | None = None
    """Of a failure that was compared with the tenant's past, the median over earlier times."""
    sample: list[Line] | None = None
    """Some of the causing lines, the latest first; None if the lines were not examined."""


@dataclass(frozen=True)
class Validation:
    """The result of a shard's validation."""

    tenants: int
    """Number of validated tenants."""
    results: list[Result]
    """A result for each tenant and expectation, in the order of the tenants, then of the suite."""
    critical: dict[str, str]
    """Tenant id -> why it is quarantined, in words; only quarantined tenants."""
    warnings: dict[str, str]
    """Tenant id -> what else is odd, in words; a quarantined tenant may be here too."""
    notes: dict[str, str]
    """Tenant id -> what is beyond a limit and always was, in words."""
    seconds: dict[str, float]
    """Where the time went, over all the shard's tenants: ``profile`` (reading it),
    ``great_expectations`` (all calls of the library, loading the suites included), ``past``
    (reading what is usual of tenants beyond a limit) and ``examine`` (reading the lines of tenants
    that failed, choosing samples)."""
