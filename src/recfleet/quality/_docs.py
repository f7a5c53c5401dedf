"""Great Expectations' Data Docs: a night's summary, and a page for each tenant that failed.

The library renders the pages from the night's stored results, within a page of our own: the
library's own page loads styles and scripts from other hosts, and needs its walkthrough.
"""

from __future__ import annotations

import gzip
import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

from recfleet.database import Connection
from recfleet.quality import _words
from recfleet.quality._library import load_library
from recfleet.quality._profile import COLUMNS
from recfleet.quality._result import GRAVE_FIRST, Line, Result
from recfleet.quality._suites import Expectation, Suite, reason

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

_SHOWN_VALUES = 20
"""Failing tenants' observed values that the summary shows for each expectation."""

_FAILING = """
select coalesce(name, tenant_id), tenant_id, expectation, severity, success, observed, expected,
       usual, sample
  from quality_result left join roster using (tenant_id)
 where night_id = %(night)s
   and tenant_id in (select tenant_id from quality_result
                      where night_id = %(night)s and not success)
 order by tenant_id, expectation
"""
_COUNTS = """
select expectation, count(*), count(*) filter (where not success),
       (array_agg(observed order by tenant_id) filter (where not success))[:%s]
  from quality_result where night_id = %s group by expectation
"""


@dataclass(frozen=True)
class DocsPage:
    """One complete page, which refers to no other file."""

    tenant_id: str | None
    """The page's tenant; None for the night's summary."""
    html: str


@dataclass(frozen=True)
class _Failing:
    """A tenant that failed an expectation, as the summary shows it."""

    tenant_id: str
    name: str
    reasons: Sequence[str]


@dataclass(frozen=True)
class _Tally:
    """How the night's tenants did under one expectation."""

    tenants: int
    failed: int
    observed: Sequence[float | None]
    """Observed values of some tenants that failed."""


def build_docs(
    connection: Connection, night_id: int, as_of: datetime, suite: Suite
) -> Iterator[DocsPage]:
    """Render a night's pages, the summary last.

    A night without validated tenants has no pages. Expectations that the suite no longer has are
    left out.

    Args:
        connection: an open connection, in one transaction until the last page.
        night_id: the night's number in the ledger.
        as_of: the night's as-of time.
        suite: the suite about tenants.
    """
    load_library()
    title = f"Night {night_id} as of {as_of:%Y-%m-%d %H:%M}"
    failing: list[_Failing] = []
    with connection.cursor("data_docs") as cursor:
        cursor.execute(_FAILING, {"night": night_id})
        found = ((name, Result(*rest)) for name, *rest in cursor)
        for (tenant_id, name), rows in groupby(found, key=lambda row: (row[1].tenant_id, row[0])):
            known = [result for _, result in rows if result.expectation in suite.expectations]
            wrong = [result for result in known if not result.success]
            if wrong:
                failing.append(_Failing(tenant_id, name, _reasons(suite, wrong)))
                yield DocsPage(tenant_id, _tenant_page(title, name, known, suite))
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, (_SHOWN_VALUES, night_id))
        tallies = {name: _Tally(*rest) for name, *rest in cursor}
    if tallies:
        yield DocsPage(None, _summary_page(title, tallies, failing, suite))


def store_docs(connection: Connection, night_id: int, pages: Iterable[DocsPage]) -> int:
    """Replace a night's pages; the caller commits.

    Args:
        connection: another connection than the one that the pages are read with.
        night_id: the night's number in the ledger.
        pages: all pages of the night.

    Returns:
        The number of pages.
    """
    count = 0
    with connection.cursor() as cursor:
        cursor.execute("delete from data_docs where night_id = %s", (night_id,))
        for page in pages:
            cursor.execute(
                "insert into data_docs (night_id, tenant_id, page) values (%s, %s, %s)",
                (night_id, page.tenant_id, gzip.compress(page.html.encode(), mtime=0)),
            )
            count += 1
    return count


def read_docs(connection: Connection, night_id: int, tenant_id: str | None) -> str | None:
    """One page as HTML, or None if it does not exist.

    Args:
        connection: an open connection.
        night_id: the night's number in the ledger.
        tenant_id: the page's tenant; None for the night's summary.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select page from data_docs where night_id = %s and tenant_id is not distinct from %s",
            (night_id, tenant_id),
        )
        row = cursor.fetchone()
    return None if row is None else gzip.decompress(bytes(row[0])).decode()


def has_docs(connection: Connection, night_id: int) -> bool:
    """Whether a night has a summary: from its end until it is past retention."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from data_docs where night_id = %s and tenant_id is null)",
            (night_id,),
        )
        [(found,)] = cursor.fetchall()
    return bool(found)


def _tenant_page(title: str, name: str, results: Sequence[Result], suite: Suite) -> str:
    found = {result.expectation: result for result in results}
    checked = [
        _library_result(suite, expectation, success=result.success, result=_seen(suite, result))
        for expectation in suite.expectations
        if (result := found.get(expectation)) is not None
    ]
    wrong = [_explained(suite, result) for result in results if not result.success]
    return _render(checked, f"Data quality of {name}", title, failures=wrong)


def _summary_page(
    title: str,
    tallies: Mapping[str, _Tally],
    failing: Sequence[_Failing],
    suite: Suite,
) -> str:
    checked = [
        _library_result(suite, name, success=tally.failed == 0, result=_counted(suite, name, tally))
        for name, tally in ((name, tallies.get(name)) for name in suite.expectations)
        if tally is not None
    ]
    tenants = max((tally.tenants for tally in tallies.values()), default=0)
    heading = f"Data quality of {tenants:,} tenant{'' if tenants == 1 else 's'}"
    return _render(checked, heading, title, tenants=failing)


def _seen(suite: Suite, result: Result) -> dict[str, Any]:
    unit = COLUMNS[suite.expectations[result.expectation].column].unit
    seen = "not judged" if result.observed is None else _words.measured(result.observed, unit)
    return {"observed_value": seen}


def _counted(suite: Suite, name: str, tally: _Tally) -> dict[str, Any]:
    unit = COLUMNS[suite.expectations[name].column].unit
    values = [
        "unknown" if value is None else _words.measured(value, unit)
        for value in tally.observed or ()
    ]
    share = 100 * tally.failed / tally.tenants
    return {
        "element_count": tally.tenants,
        "missing_count": 0,
        "missing_percent": 0.0,
        "unexpected_count": tally.failed,
        "unexpected_percent": share,
        "unexpected_percent_total": share,
        "unexpected_percent_nonmissing": share,
        "partial_unexpected_list": values,
    }


def _reasons(suite: Suite, wrong: Sequence[Result]) -> list[str]:
    """A sentence for each wrong number, from its gravest expectation; others would repeat it."""
    gravest: dict[str, Result] = {}
    for result in sorted(wrong, key=lambda result: GRAVE_FIRST.index(result.severity)):
        gravest.setdefault(suite.expectations[result.expectation].column, result)
    return [reason(suite, result) for result in gravest.values()]


def _explained(suite: Suite, result: Result) -> dict[str, Any]:
    meta = _configuration(suite, suite.expectations[result.expectation]).meta
    sample = result.sample or []
    columns = list(dict.fromkeys(name for line in sample for name in line))
    return {
        "name": result.expectation,
        "severity": result.severity,
        "reason": reason(suite, result),
        "means": meta.get("means"),
        "do": meta.get("do"),
        "columns": columns,
        "sample": [[_cell(line, column) for column in columns] for line in sample],
    }


def _cell(line: Line, column: str) -> str:
    value = line.get(column)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {part}" for name, part in value.items())
    if column == "at":
        return f"{datetime.fromisoformat(str(value)):%Y-%m-%d %H:%M}"
    return "" if value is None else str(value)


def _configuration(suite: Suite, expectation: Expectation) -> Any:
    return next(
        configuration
        for configuration in suite.library.expectation_configurations
        if configuration.meta["name"] == expectation.name
    )


def _library_result(
    suite: Suite, name: str, *, success: bool, result: Mapping[str, Any]
) -> ExpectationValidationResult:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult

    return ExpectationValidationResult(
        success=success,
        expectation_config=_configuration(suite, suite.expectations[name]),
        result=dict(result),
        exception_info={
            "raised_exception": False,
            "exception_message": None,
            "exception_traceback": None,
        },
    )


def _render(
    checked: Sequence[ExpectationValidationResult],
    heading: str,
    title: str,
    *,
    failures: Sequence[Mapping[str, Any]] = (),
    tenants: Sequence[_Failing] | None = None,
) -> str:
    """The library's sections, in a page of our own with what the library does not know."""
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    document = ValidationResultsPageRenderer().render(_suite_result(checked))
    # The first section links to pages that are not made; only its statistics are worth keeping.
    overview = document.sections[0]
    overview.content_blocks = [
        block for block in overview.content_blocks if block.content_block_type == "table"
    ]
    page: str = _view().render(
        document, heading=heading, night=title, failures=failures, tenants=tenants
    )
    return page


def _suite_result(
    checked: Sequence[ExpectationValidationResult],
) -> ExpectationSuiteValidationResult:
    import great_expectations
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
    )

    passed = sum(bool(result.success) for result in checked)
    return ExpectationSuiteValidationResult(
        success=passed == len(checked),
        results=list(checked),
        suite_name="tenants",
        statistics={
            "evaluated_expectations": len(checked),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(checked) - passed,
            "success_percent": 100 * passed / len(checked) if checked else None,
        },
        meta={"great_expectations_version": great_expectations.__version__},
    )


@cache
def _view() -> Any:
    """The library's view, with our page around its sections."""
    from great_expectations.render.view.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, DictLoader

    page = files("recfleet.quality").joinpath("docs_page/page.j2").read_text(encoding="utf-8")
    view = DefaultJinjaPageView()
    theirs = [view.env.loader] if view.env.loader else []
    view.env.loader = ChoiceLoader([DictLoader({"page.j2": page}), *theirs])
    view.env.filters["text"] = lambda value: html.escape(str(value))
    return view
