"""The suites: Great Expectations' JSON, read from files that people change."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from recfleet.errors import ConfigurationError
from recfleet.quality import _words
from recfleet.quality._library import load_library
from recfleet.quality._profile import COLUMNS
from recfleet.quality._result import Result, Severity

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite

LINE_COLUMNS = (
    "occurred_at",
    "customer_id",
    "product_id",
    "quantity",
    "amount",
    "price",
    "repetition",
    "reason",
)
"""What the suite ``lines.json`` can speak about. Of an unusable line only ``occurred_at`` (where it
was placed in time) and ``reason`` (why it is unusable) are known, the others are null; of a usable
line ``reason`` is null. ``price`` is amount by quantity where the quantity is above zero, and 0
where the amount is not finite."""

_SUITE_KEYS = {"name", "expectations", "meta", "notes", "id"}
_KEYS = {"type", "kwargs", "severity", "meta", "notes", "description", "id"}
_PAST_KEYS = {"margin", "if_unknown"}
_BOUNDS = ("min_value", "max_value")


@dataclass(frozen=True)
class Past:
    """How an expectation compares a tenant beyond its bounds with the tenant's own past."""

    margin: float
    """How far from its median over earlier times a number is usual in any case, in its unit."""
    if_unknown: Severity
    """The severity for a tenant whose past is too short."""


@dataclass(frozen=True)
class Expectation:
    """What recfleet needs to know about an expectation, besides the library's part."""

    name: str
    column: str
    severity: Severity
    expected: str
    """What is expected, in words."""
    bounds: tuple[float, ...]
    """The numbers in those words."""
    most: float | None
    """The upper one of them; None without an upper one."""
    past: Past | None
    """None: the bounds hold whatever was usual."""
    reason: str | None
    """A sentence for a failure, with ``{observed}`` in it."""
    explains: tuple[str, ...]
    """Columns of the profile whose failures it explains, if it is about lines."""


@dataclass(frozen=True)
class Suite:
    """One file."""

    library: ExpectationSuite
    expectations: Mapping[str, Expectation]
    """Expectations by name, in the file's order."""

    def only(self, names: Collection[str]) -> ExpectationSuite:
        """The library's suite with only some of the expectations."""
        from great_expectations.core import ExpectationSuite

        kept = [
            configuration
            for configuration in self.library.expectation_configurations
            if configuration.meta["name"] in names
        ]
        return ExpectationSuite(name=self.library.name, expectations=kept)


@dataclass(frozen=True)
class Suites:
    """The content of a folder of suites."""

    tenants: Suite
    """Expectations about the profile, which judge every tenant."""
    lines: Suite
    """Expectations about single lines, which show what is wrong with a failed tenant."""


def load_suites(folder: Path) -> Suites:
    """Read ``tenants.json`` and ``lines.json``; read them again only when one has changed.

    Raises:
        ConfigurationError: a file is missing, is not JSON, or an expectation cannot be used; the
            text names everything that is wrong, not only the first.
    """
    paths = (folder / "tenants.json", folder / "lines.json")
    problems: list[str] = []
    texts = [_read(path, problems) for path in paths]
    if problems:
        raise ConfigurationError(_listed(folder, problems))
    return _load(folder, *texts)


@lru_cache(maxsize=4)
def _load(folder: Path, tenants: str, lines: str) -> Suites:
    load_library()
    problems: list[str] = []
    loaded = {}
    for name, text, columns in (
        ("tenants", tenants, tuple(COLUMNS)),
        ("lines", lines, LINE_COLUMNS),
    ):
        own: list[str] = []
        loaded[name] = _parse(text, columns, own)
        problems += [f"{name}.json: {problem}" for problem in own]
    if problems:
        raise ConfigurationError(_listed(folder, problems))
    return Suites(**{name: cast("Suite", suite) for name, suite in loaded.items()})


def _listed(folder: Path, problems: list[str]) -> str:
    return f"the expectation suites in {folder} cannot be used:" + "".join(
        f"\n- {problem}" for problem in problems
    )


def _read(path: Path, problems: list[str]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        problems.append(f"{path.name}: the file is missing")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path.name}: cannot be read: {error}")
    return ""


def _parse(text: str, columns: Collection[str], problems: list[str]) -> Suite | None:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        problems.append(f"is not JSON: {error.msg} in line {error.lineno}, column {error.colno}")
        return None
    if not _has_shape(content):
        problems.append('must be an object with a "name" and a list of "expectations"')
        return None
    problems += [
        f"{key!r} is not part of a suite{_did_you_mean(key, _SUITE_KEYS)}"
        for key in sorted(set(content) - _SUITE_KEYS)
    ]
    for position, item in enumerate(content["expectations"], start=1):
        problems += [f"{_called(item, position)}: {problem}" for problem in _check(item, columns)]
    names = [_name(item) for item in content["expectations"]]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        problems.append(f"{name!r}: several expectations have this name")
    return None if problems else _suite(content)


def _has_shape(content: object) -> bool:
    return (
        isinstance(content, dict)
        and isinstance(content.get("name"), str)
        and content["name"] != ""
        and isinstance(content.get("expectations"), list)
        and content["expectations"] != []
    )


def _meta(item: object) -> Mapping[str, Any]:
    meta = item.get("meta") if isinstance(item, dict) else None
    return meta if isinstance(meta, dict) else {}


def _name(item: object) -> str | None:
    name = _meta(item).get("name")
    return name if isinstance(name, str) and name else None


def _called(item: object, position: int) -> str:
    name = _name(item)
    return f"expectation {position}" if name is None else repr(name)


def _check(item: object, columns: Collection[str]) -> Iterator[str]:
    """Everything that is wrong with one expectation."""
    if not isinstance(item, dict):
        yield "must be an object"
        return
    if _name(item) is None:
        yield 'needs a name: "meta": {"name": "…"}'
    for key in sorted(set(item) - _KEYS):
        yield f"{key!r} is not part of an expectation{_did_you_mean(key, _KEYS)}"
    severities = get_args(Severity)
    if "severity" not in item:
        yield f"has no severity: one of {', '.join(severities)}"
    elif item["severity"] not in severities:
        yield f"severity {item['severity']!r} is none of {', '.join(severities)}"
    yield from _check_type(item, columns)
    if columns is LINE_COLUMNS:
        yield from _check_explains(item)
    if "past" in _meta(item):
        yield from _check_past(item, columns)


def _check_type(item: Mapping[str, Any], columns: Collection[str]) -> Iterator[str]:
    from great_expectations.expectations.expectation import ColumnMapExpectation
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    known = list_registered_expectation_implementations(ColumnMapExpectation)
    type_ = item.get("type")
    if type_ not in known:
        yield (
            f"type {type_!r} is not an expectation about the values of a column"
            f"{_did_you_mean(type_, known)}"
        )
        return
    kwargs = item.get("kwargs")
    if not isinstance(kwargs, dict):
        yield 'has no "kwargs"'
        return
    column = kwargs.get("column")
    if column not in columns:
        near = _did_you_mean(column, columns)
        yield f"there is no column {column!r}{near or ': there are ' + ', '.join(columns)}"
    if kwargs.get("mostly", 1) != 1:
        yield '"mostly" is not allowed here: each row is judged by itself'
    yield from _check_kwargs(get_expectation_impl(str(type_)), kwargs)


def _check_kwargs(implementation: Any, kwargs: Mapping[str, Any]) -> Iterator[str]:
    known = set(implementation.__fields__)
    for name in sorted(set(kwargs) - known):
        yield f"{name!r} is not one of its kwargs{_did_you_mean(name, known)}"
    unusable = [name for name in _BOUNDS if not _is_bound(kwargs.get(name))]
    for name in unusable:
        yield f"{name} must be a number, but is {kwargs[name]!r}"
    if unusable or not set(kwargs) <= known:
        return
    try:
        implementation(**kwargs)
    except ValueError as error:
        # pydantic's errors say where each problem is; other errors are one sentence.
        details = error.errors() if hasattr(error, "errors") else [{"loc": (), "msg": str(error)}]
        for detail in details:
            yield ": ".join([*map(str, detail["loc"]), str(detail["msg"])])


def _is_bound(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _check_explains(item: Mapping[str, Any]) -> Iterator[str]:
    explains = _meta(item).get("explains")
    if not isinstance(explains, list) or not explains:
        yield 'needs "explains" in its "meta": a list of columns of the profile'
        return
    for column in explains:
        if column not in COLUMNS:
            near = _did_you_mean(column, COLUMNS)
            yield f"explains {column!r}, but that is no column of the profile{near}"


def _check_past(item: Mapping[str, Any], columns: Collection[str]) -> Iterator[str]:
    past, kwargs = _meta(item)["past"], item.get("kwargs")
    column = COLUMNS.get(str(kwargs.get("column"))) if isinstance(kwargs, dict) else None
    if columns is LINE_COLUMNS or (column is not None and not column.has_past):
        yield '"past" is not possible here: its column is not known for earlier times'
    if item.get("type") != _words.BETWEEN:
        yield f'"past" is possible with {_words.BETWEEN} only'
    if not isinstance(past, dict):
        yield '"past" must be an object, such as {"margin": 0.05}'
        return
    for key in sorted(set(past) - _PAST_KEYS):
        yield f'{key!r} is not part of "past"{_did_you_mean(key, _PAST_KEYS)}'
    margin = past.get("margin")
    if margin is None or not _is_bound(margin) or not 0 <= margin < math.inf:
        yield f'the margin of its "past" must be a number from 0, but is {margin!r}'
    severities = get_args(Severity)
    if past.get("if_unknown", "warning") not in severities:
        yield f"if_unknown {past['if_unknown']!r} is none of {', '.join(severities)}"


def _did_you_mean(word: object, known: Collection[str]) -> str:
    near = get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _suite(content: Mapping[str, Any]) -> Suite:
    from great_expectations.core import ExpectationSuite

    return Suite(
        library=ExpectationSuite(**content),
        expectations={item["meta"]["name"]: _expectation(item) for item in content["expectations"]},
    )


def _expectation(item: Mapping[str, Any]) -> Expectation:
    column, meta = item["kwargs"]["column"], item["meta"]
    unit = COLUMNS[column].unit if column in COLUMNS else "count"
    return Expectation(
        name=meta["name"],
        column=column,
        severity=item["severity"],
        expected=_words.expected(item["type"], item["kwargs"], unit),
        bounds=_words.limits(item["kwargs"]),
        most=item["kwargs"].get("max_value"),
        past=_past(meta["past"]) if "past" in meta else None,
        reason=meta.get("reason"),
        explains=tuple(meta.get("explains", ())),
    )


def _past(content: Mapping[str, Any]) -> Past:
    return Past(float(content["margin"]), content.get("if_unknown", "warning"))


def reason(suite: Suite, result: Result) -> str:
    """A failure in one sentence, with the suite's words."""
    expectation = suite.expectations[result.expectation]
    return _words.reason(
        expectation.reason,
        expectation.column,
        result.observed,
        result.expected,
        expectation.bounds,
        usual=result.usual,
        is_note=result.severity == "info",
    )
