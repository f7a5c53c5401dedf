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
from recfleet.quality import _words
from recfleet.quality._clock import Clock
from recfleet.quality._examine import Suspect, examine
from recfleet.quality._library import failing_expectations, failing_rows
from recfleet.quality._profile import read_profile
from recfleet.quality._result import Line, Result, Validation
from recfleet.quality._suites import Suite, load_suites

if TYPE_CHECKING:
    import pandas as pd


def validate(
    connection: Connection, tenant_ids: Sequence[str], as_of: datetime, suites: Path
) -> Validation:
    """Judge tenants by their lines up to and including as-of, all of them together.

    The suite about tenants runs once over the profile, for all tenants together. Then the lines of
    failed tenants are examined for samples: first after critical failures, then after warnings, 200
    tenants at most. Nothing is written.

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
    clock = Clock("great_expectations", "profile", "examine")
    if not asked:
        return Validation(0, [], {}, {}, clock.seconds)
    with clock.part("great_expectations"):
        loaded = load_suites(suites)
    with clock.part("profile"):
        profile = read_profile(connection, asked, as_of)
    with clock.part("great_expectations"):
        failed = failing_expectations(loaded.tenants.library, profile)
        failing = failing_rows(loaded.tenants.only(failed), profile) if failed else {}
    results = _results(loaded.tenants, asked, profile, failing)
    with clock.part("examine"):
        suspects = _suspects(loaded.tenants, asked, profile, results)
        samples = examine(connection, as_of, suspects, loaded.lines, clock)
    return Validation(
        tenants=len(asked),
        results=[_with_sample(loaded.tenants, result, samples) for result in results],
        critical=_reasons(loaded.tenants, results, critical=True),
        warnings=_reasons(loaded.tenants, results, critical=False),
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


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _suspects(
    suite: Suite, tenant_ids: Sequence[str], profile: pd.DataFrame, results: Sequence[Result]
) -> list[Suspect]:
    """Tenants that failed anything, critical failures first."""
    columns: defaultdict[str, set[str]] = defaultdict(set)
    critical = set()
    for result in results:
        if not result.success:
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


def _reasons(suite: Suite, results: Sequence[Result], *, critical: bool) -> dict[str, str]:
    """Tenant id -> a sentence for each column in which it failed, critically or with a warning."""
    wrong = [result for result in results if not result.success]
    worse = {
        (result.tenant_id, suite.expectations[result.expectation].column)
        for result in wrong
        if result.severity == "critical"
    }
    sentences: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for result in wrong:
        expectation = suite.expectations[result.expectation]
        key = (result.tenant_id, expectation.column)
        if (key in worse) is not critical or (result.severity == "critical") is not critical:
            continue
        if result.severity == "info":
            continue
        sentence = _words.reason(
            expectation.reason,
            expectation.column,
            result.observed,
            expectation.expected,
            expectation.bounds,
        )
        sentences[result.tenant_id].setdefault(expectation.column, sentence)
    return {tenant_id: " ".join(said.values()) for tenant_id, said in sentences.items()}
