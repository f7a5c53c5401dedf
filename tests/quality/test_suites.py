from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recfleet.errors import ConfigurationError
from recfleet.quality import COLUMNS, load_suites, read_advice, read_units
from tests.quality.shops import SUITES

BETWEEN = "expect_column_values_to_be_between"


def _expectation(**changes: Any) -> dict[str, Any]:
    expectation = {
        "type": BETWEEN,
        "kwargs": {"column": "lines", "min_value": 3},
        "severity": "critical",
        "meta": {"name": "enough-lines"},
    } | changes
    return {key: value for key, value in expectation.items() if value is not None}


def _line_expectation(**changes: Any) -> dict[str, Any]:
    line = {
        "kwargs": {"column": "quantity", "min_value": 0},
        "severity": "info",
        "meta": {"name": "sells", "explains": ["share_returned"]},
    }
    return _expectation(**(line | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _write(tmp_path, "tenants", _expectation())
    _write(tmp_path, "lines", _line_expectation())
    return tmp_path


def _write(folder: Path, name: str, *expectations: Any) -> None:
    text = json.dumps({"name": name, "expectations": expectations})
    (folder / f"{name}.json").write_text(text)


def _problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_suites(folder)
    first, *problems = str(caught.value).splitlines()
    assert first == f"the expectation suites in {folder} cannot be used:"
    return [problem.removeprefix("- ") for problem in problems]


class TestOurs:
    def test_every_expectation_says_what_it_is_about(self) -> None:
        suites = load_suites(SUITES)

        assert set(suites.tenants.expectations) > {"customers-missing", "volume-fall"}
        for expectation in suites.tenants.expectations.values():
            assert expectation.severity in {"critical", "warning"}
            assert expectation.expected
            assert expectation.reason
        for item in json.loads((SUITES / "tenants.json").read_text())["expectations"]:
            assert item["meta"].keys() - {"past"} == {"name", "reason", "means", "do"}

    def test_every_critical_share_can_be_explained_by_lines(self) -> None:
        suites = load_suites(SUITES)
        explained = {
            column for line in suites.lines.expectations.values() for column in line.explains
        }

        assert {
            expectation.column
            for expectation in suites.tenants.expectations.values()
            if expectation.column.startswith(("share_", "latest_", "customerless_", "repeated_"))
        } == explained

    def test_a_warning_is_never_wider_than_its_critical_twin(self) -> None:
        expectations = load_suites(SUITES).tenants.library.expectation_configurations
        kwargs = {item.meta["name"]: item.kwargs for item in expectations if item.meta}
        for name, critical in kwargs.items():
            warning = kwargs.get(f"{name}-warning")
            if warning:
                assert warning["column"] == critical["column"]
                assert warning.get("max_value", 0) <= critical.get("max_value", 0)
                assert warning.get("min_value", 0) >= critical.get("min_value", 0)

    @pytest.mark.parametrize("name", ["tenants", "lines"])
    def test_the_files_are_what_the_library_itself_writes(self, name: str) -> None:
        content = json.loads((SUITES / f"{name}.json").read_text())
        suite = getattr(load_suites(SUITES), name).library

        written = suite.to_json_dict()

        assert written["name"] == content["name"]
        assert written["notes"] == content["notes"]
        for item in written["expectations"]:
            item.pop("id", None)
        assert written["expectations"] == content["expectations"]

    @pytest.mark.parametrize("name", ["tenants", "lines"])
    def test_the_library_reads_back_what_it_writes(self, name: str) -> None:
        from great_expectations.core.expectation_suite import (
            ExpectationSuite,
            expectationSuiteSchema,
        )

        suite = getattr(load_suites(SUITES), name).library

        again = ExpectationSuite(**expectationSuiteSchema.load(suite.to_json_dict()))

        assert again.to_json_dict() == suite.to_json_dict()

    def test_the_files_name_every_column_that_there_is(self) -> None:
        notes = " ".join(json.loads((SUITES / "tenants.json").read_text())["notes"])

        assert [column for column in COLUMNS if column not in notes] == []


class TestLoading:
    def test_a_good_folder(self, folder: Path) -> None:
        suites = load_suites(folder)

        expectation = suites.tenants.expectations["enough-lines"]
        assert expectation.expected == "at least 3"
        assert suites.lines.expectations["sells"].explains == ("share_returned",)

    def test_a_changed_file_is_seen(self, folder: Path) -> None:
        assert load_suites(folder) is load_suites(folder)
        _write(folder, "tenants", _expectation(kwargs={"column": "lines", "min_value": 4}))

        assert load_suites(folder).tenants.expectations["enough-lines"].expected == "at least 4"

    def test_how_an_expectation_compares_with_the_past(self, folder: Path) -> None:
        named = {"name": "enough-lines", "past": {"margin": 5}}
        _write(folder, "tenants", _expectation(meta=named))

        past = load_suites(folder).tenants.expectations["enough-lines"].past

        assert past is not None
        assert (past.margin, past.if_unknown) == (5, "warning")

    @pytest.mark.parametrize(
        ("past", "column", "problem"),
        [
            ({}, "lines", 'the margin of its "past" must be a number from 0, but is None'),
            (
                {"margin": -1},
                "lines",
                'the margin of its "past" must be a number from 0, but is -1',
            ),
            (5, "lines", '"past" must be an object, such as {"margin": 0.05}'),
            (
                {"margin": 1, "if_unknwon": "info"},
                "lines",
                "'if_unknwon' is not part of \"past\"; did you mean 'if_unknown'?",
            ),
            (
                {"margin": 1, "if_unknown": "fatal"},
                "lines",
                "if_unknown 'fatal' is none of critical, warning, info",
            ),
            (
                {"margin": 1},
                "customers",
                '"past" is not possible here: its column is not known for earlier times',
            ),
        ],
    )
    def test_a_past_that_cannot_be(
        self, folder: Path, past: object, column: str, problem: str
    ) -> None:
        meta = {"name": "enough-lines", "past": past}
        kwargs = {"column": column, "min_value": 3}
        _write(folder, "tenants", _expectation(meta=meta, kwargs=kwargs))

        assert _problems(folder) == [f"tenants.json: 'enough-lines': {problem}"]

    def test_missing_files(self, tmp_path: Path) -> None:
        assert _problems(tmp_path / "nowhere") == [
            "tenants.json: the file is missing",
            "lines.json: the file is missing",
        ]

    def test_not_text(self, folder: Path) -> None:
        (folder / "lines.json").write_bytes(b"\xff\xfe\x00")

        (problem,) = _problems(folder)

        assert problem.startswith("lines.json: cannot be read: ")

    def test_not_json(self, folder: Path) -> None:
        (folder / "tenants.json").write_text('{\n  "name": "tenants",\n  "expectations": [,]\n}')

        assert _problems(folder) == [
            "tenants.json: is not JSON: Expecting value in line 3, column 20"
        ]

    @pytest.mark.parametrize(
        "content",
        [[], {}, {"name": "tenants"}, {"name": "", "expectations": [1]},
         {"name": "tenants", "expectations": []}, {"name": 1, "expectations": [1]}],
    )  # fmt: skip
    def test_not_a_suite(self, folder: Path, content: Any) -> None:
        (folder / "tenants.json").write_text(json.dumps(content))

        assert _problems(folder) == [
            'tenants.json: must be an object with a "name" and a list of "expectations"'
        ]

    def test_an_unknown_part_of_the_suite(self, folder: Path) -> None:
        content = {"name": "tenants", "expectations": [_expectation()], "note": "?"}
        (folder / "tenants.json").write_text(json.dumps(content))

        assert _problems(folder) == [
            "tenants.json: 'note' is not part of a suite; did you mean 'notes'?"
        ]

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"severity": None}, "has no severity: one of critical, warning, info"),
            ({"severity": "fatal"}, "severity 'fatal' is none of critical, warning, info"),
            (
                {"type": "expect_column_values_to_be_betwen"},
                "type 'expect_column_values_to_be_betwen' is not an expectation about the values "
                "of a column; did you mean 'expect_column_values_to_be_between'?",
            ),
            (
                {"type": "expect_column_mean_to_be_between"},
                "type 'expect_column_mean_to_be_between' is not an expectation about the values "
                "of a column; did you mean 'expect_column_values_to_be_between'?",
            ),
            ({"kwargs": None}, 'has no "kwargs"'),
            (
                {"kwargs": {"column": "line", "min_value": 1}},
                "there is no column 'line'; did you mean 'lines'?",
            ),
            (
                {"kwargs": {"column": "zzz", "min_value": 1}},
                f"there is no column 'zzz': there are {', '.join(COLUMNS)}",
            ),
            (
                {"kwargs": {"column": "lines", "minvalue": 1, "max_value": 2}},
                "'minvalue' is not one of its kwargs; did you mean 'min_value'?",
            ),
            (
                {"kwargs": {"column": "lines", "min_value": 1, "mostly": 0.9}},
                '"mostly" is not allowed here: each row is judged by itself',
            ),
            (
                {"severty": "warning"},
                "'severty' is not part of an expectation; did you mean 'severity'?",
            ),
        ],
    )
    def test_one_fault(self, folder: Path, changes: dict[str, Any], problem: str) -> None:
        _write(folder, "tenants", _expectation(**changes))

        assert _problems(folder) == [f"tenants.json: 'enough-lines': {problem}"]

    @pytest.mark.parametrize("bound", ["many", {"$PARAMETER": "least"}, [3]])
    def test_a_bound_that_is_no_number(self, folder: Path, bound: Any) -> None:
        _write(folder, "tenants", _expectation(kwargs={"column": "lines", "min_value": bound}))

        assert _problems(folder) == [
            f"tenants.json: 'enough-lines': min_value must be a number, but is {bound!r}"
        ]

    def test_no_bound_at_all(self, folder: Path) -> None:
        _write(folder, "tenants", _expectation(kwargs={"column": "lines"}))

        (problem,) = _problems(folder)

        assert "min_value and max_value cannot both be None" in problem

    @pytest.mark.parametrize("meta", [None, {}, {"name": ""}, {"name": 3}, "enough-lines"])
    def test_no_name(self, folder: Path, meta: Any) -> None:
        _write(folder, "tenants", _expectation(), _expectation(meta=meta))

        assert _problems(folder) == [
            'tenants.json: expectation 2: needs a name: "meta": {"name": "…"}'
        ]

    def test_not_an_object(self, folder: Path) -> None:
        _write(folder, "tenants", "enough lines")

        assert _problems(folder) == ["tenants.json: expectation 1: must be an object"]

    def test_two_of_one_name(self, folder: Path) -> None:
        _write(folder, "tenants", _expectation(), _expectation(severity="warning"))

        assert _problems(folder) == [
            "tenants.json: 'enough-lines': several expectations have this name"
        ]

    @pytest.mark.parametrize("explains", [None, [], "share_returned"])
    def test_a_line_that_explains_nothing(self, folder: Path, explains: Any) -> None:
        meta = {"name": "sells", "explains": explains}
        _write(folder, "lines", _line_expectation(meta=meta))

        assert _problems(folder) == [
            "lines.json: 'sells': "
            'needs "explains" in its "meta": a list of columns of the profile'
        ]

    def test_everything_that_is_wrong_is_said_at_once(self, folder: Path) -> None:
        _write(folder, "tenants", _expectation(severity=None, kwargs={"column": "?", "max": 1}), 7)
        meta = {"name": "sells", "explains": ["share_return"]}
        _write(folder, "lines", _line_expectation(type="expect", meta=meta))

        problems = _problems(folder)

        assert [problem.split(": ")[0] for problem in problems].count("tenants.json") >= 4
        assert "tenants.json: 'enough-lines': has no severity: one of critical, warning, info" in (
            problems
        )
        assert "tenants.json: expectation 2: must be an object" in problems
        assert (
            "lines.json: 'sells': explains 'share_return', but that is no column of the profile; "
            "did you mean 'share_returned'?"
        ) in problems


@pytest.mark.slow
def test_the_library_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys, recfleet.quality as quality\n"
        "assert not {'great_expectations', 'pandas'} & set(sys.modules)\n"
        "assert quality.load_library() > 0.01 > quality.load_library()\n"
        "assert 'great_expectations' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_units_are_those_of_the_columns() -> None:
    units = read_units(SUITES)

    assert units["no-usable-line"] == units["no-recent-line"] == "days"
    assert units["customers-missing"] == "share"


def test_a_page_goes_without_what_a_suite_does_not_say(folder: Path) -> None:
    odd = [{"column": ["lines"]}, {"column": "no such"}, None]
    _write(folder, "tenants", "no object", {}, *({"meta": {"name": "x"}, "kwargs": k} for k in odd))
    assert (read_units(folder), read_advice(folder)) == ({}, {})

    (folder / "tenants.json").write_text("[1")
    assert (read_units(folder), read_advice(folder)) == ({}, {})
