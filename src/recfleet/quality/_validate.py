"""Running a shard of tenants through the suites."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recfleet.database import Connection
from recfleet.quality._clock import Clock
from recfleet.quality._examine import Suspect, examine
from recfleet.quality._library import failing_expectations, failing_rows
from recfleet.quality._past import Usual, read_usual
from recfleet.quality._profile import read_profile
from recfleet.quality._result import GRAVE_FIRST, Line, Result, Severity, Validation
from recfleet.quality._suites import Expectation, Suite, load_suites, reason

if TYPE_CHECKING:
    import pandas as pd


def validate(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime, suites: Path
) -> Validation:
    """Judge tenants by their lines up to and including as-of, all of them together.

    The suite about tenants runs once over the profile, for all tenants together. Tenants beyond a
    limit that knows the past are compared with their own: what is usual of a tenant is a note. Then
    the lines of failed tenants are examined for samples: first after critical failures, then after
    warnings, 200 tenants at most. Nothing is written.

    Args:
        connection: an open connection.
        tenant_ids: the tenants; a tenant without any lines is judged too.
        as_of: with a time zone.
        suites: the folder of ``tenants.json`` and ``lines.json``.

    Raises:
        ConfigurationError: the suites cannot be used.
        ValueError: as_of has no time zone.
    """
    if as_of.tzinfo is None:
        raise ValueError(f"{as_of} has no time zone")
    asked = list(dict.fromkeys(tenant_ids))
    clock = Clock("great_expectations", "profile", "past", "examine")
    if not asked:
        return Validation(0, [], {}, {}, {}, clock.seconds)
    with clock.part("great_expectations"):
        loaded = load_suites(suites)
    with clock.part("profile"):
        profile = read_profile(connection, asked, as_of)
    with clock.part("great_expectations"):
        failed = failing_expectations(loaded.tenants.library, profile)
        failing = failing_rows(loaded.tenants.only(failed), profile) if failed else {}
    results = _results(loaded.tenants, asked, profile, failing)
    with clock.part("past"):
        results = _compared(connection, as_of, loaded.tenants, results)
    with clock.part("examine"):
        suspects = _suspects(loaded.tenants, asked, profile, results)
        samples = examine(connection, as_of, suspects, loaded.lines, clock)
    return Validation(
        tenants=len(asked),
        results=[_with_sample(loaded.tenants, result, samples) for result in results],
        critical=_reasons(loaded.tenants, results, "critical"),
        warnings=_reasons(loaded.tenants, results, "warning"),
        notes=_reasons(loaded.tenants, results, "info"),
        seconds=clock.seconds,
    )


def _results(
    suite: Suite,
    tenant_ids: Sequence[str],
    profile: pd.DataFrame,
    failing: Mapping[str, Sequence[int]],
) -> list[Result]:
    places = {name: frozenset(failing.get(name, ())) for name in suite.expectations}
    observed = {column: profile[column].tolist() for column in profile}
    return [
        Result(
            tenant_id=tenant_id,
            expectation=name,
            severity=expectation.severity,
            success=place not in places[name],
            observed=_known(observed[expectation.column][place]),
            expected=expectation.expected,
        )
        for place, tenant_id in enumerate(tenant_ids)
        for name, expectation in suite.expectations.items()
    ]


def _compared(
    connection: Connection, as_of: datetime, suite: Suite, results: Sequence[Result]
) -> list[Result]:
    """The results, with the severity of failures by what is usual of each tenant."""

    def key(result: Result) -> tuple[str, str]:
        return result.tenant_id, suite.expectations[result.expectation].column

    failed = {
        key(result)
        for result in results
        if not result.success and suite.expectations[result.expectation].past is not None
    }
    usual = read_usual(connection, failed, as_of)
    return [
        _with_severity(suite.expectations[result.expectation], result, usual.get(key(result)))
        for result in results
    ]


def _with_severity(expectation: Expectation, result: Result, usual: Usual | None) -> Result:
    if result.success or expectation.past is None or result.observed is None:
        return result
    if usual is None:
        return replace(result, severity=expectation.past.if_unknown)
    is_high = expectation.most is not None and result.observed >= expectation.most
    is_usual = usual.covers(result.observed, margin=expectation.past.margin, is_high=is_high)
    severity = "info" if is_usual else expectation.severity
    return replace(result, severity=severity, usual=usual.median)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _suspects(
    suite: Suite, tenant_ids: Sequence[str], profile: pd.DataFrame, results: Sequence[Result]
) -> list[Suspect]:
    """Tenants with critical failures, then those with warnings; nobody looks into a note."""
    columns: defaultdict[str, set[str]] = defaultdict(set)
    critical = set()
    for result in results:
        if not result.success and result.severity != "info":
            columns[result.tenant_id].add(suite.expectations[result.expectation].column)
            if result.severity == "critical":
                critical.add(result.tenant_id)
    lines = dict(zip(tenant_ids, profile["lines"], strict=True))
    return [
        Suspect(tenant_id, frozenset(columns[tenant_id]), lines[tenant_id])
        for tenant_id in sorted(columns, key=lambda tenant_id: tenant_id not in critical)
    ]


def _with_sample(
    suite: Suite, result: Result, samples: Mapping[tuple[str, str], list[Line]]
) -> Result:
    if result.success:
        return result
    column = suite.expectations[result.expectation].column
    return replace(result, sample=samples.get((result.tenant_id, column)))


def _reasons(suite: Suite, results: Sequence[Result], severity: Severity) -> dict[str, str]:
    """Tenant id -> a sentence for each column whose gravest failure has this severity."""
    gravest: dict[tuple[str, str], Result] = {}
    for result in sorted(
        (result for result in results if not result.success),
        key=lambda result: GRAVE_FIRST.index(result.severity),
    ):
        column = suite.expectations[result.expectation].column
        gravest.setdefault((result.tenant_id, column), result)
    sentences: defaultdict[str, list[str]] = defaultdict(list)
    for result in gravest.values():
        if result.severity == severity:
            sentences[result.tenant_id].append(reason(suite, result))
    return {tenant_id: " ".join(said) for tenant_id, said in sentences.items()}
