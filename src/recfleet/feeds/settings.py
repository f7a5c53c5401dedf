"""What a feed's TOML file says: where data comes from, whose it is, and how it is read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from recfleet.errors import BadInputError
from recfleet.interactions import PRESETS, ColumnMapping, Reading
from recfleet.interactions.facts import CustomerMapping, FactMapping, ProductMapping, Subject

Kind = Literal["folder", "s3", "sql"]
Complete = Literal["renamed", "done", "unchanged"]

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SPAN = re.compile(r"(\d+) *(second|minute|hour|day)s?")
_SECRETS = re.compile(r"(?i)password|passwd|secret|token|access_?key|credential|api_?key")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _span(text: object) -> object:
    """``15 minutes`` as a timedelta; anything else as it is."""
    if isinstance(text, timedelta) or text is None:
        return text
    found = _SPAN.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"write it like '15 minutes', '2 hours' or '1 day', not {text!r}")
    return timedelta(**{f"{found[2]}s": int(found[1])})


class FolderPart(_Part):
    """A folder where files arrive."""

    path: str
    """The folder; each machine that runs Airflow's tasks sees it under this name."""

    complete: Complete = "unchanged"
    """When a file is whole: ``renamed`` in, ``done`` beside it, or ``unchanged`` for a minute."""

    @field_validator("path")
    @classmethod
    def _is_absolute(cls, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError(f"name the whole path, from / on, not {path!r}")
        return path


class S3Part(_Part):
    """A bucket where files arrive."""

    bucket: str
    prefix: str = ""
    """Begins each key, such as ``sales/``."""
    connection: str
    """The Airflow connection with the credentials; its extra may have region_name and
    endpoint_url."""
    complete: Literal["renamed", "done"] = "renamed"
    """An object appears whole (``renamed``); with ``done``, when there is one with .done behind."""

    @field_validator("prefix")
    @classmethod
    def _is_folder(cls, prefix: str) -> str:
        return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


class SqlPart(_Part):
    """A query against a database."""

    connection: str
    """The Airflow connection."""
    query: str
    """One select, without a condition on the cursor."""
    cursor: str
    """Column of the query that grows with new rows: an id, or the time of a row's last change."""
    overlap: timedelta | int | None = None
    """Rows that far below the last cursor are read again: a time, or a number."""
    rows: int = Field(default=100_000, ge=1, le=5_000_000)
    """A batch ends after this many rows, at the end of the rows with one value of the cursor."""

    @field_validator("overlap", mode="before")
    @classmethod
    def _is_span(cls, overlap: object) -> object:
        return overlap if isinstance(overlap, int) else _span(overlap)

    @field_validator("query")
    @classmethod
    def _is_one_select(cls, query: str) -> str:
        query = query.strip().rstrip(";").rstrip()
        if ";" in query or not re.match(r"(?is)\s*(select|with)\b", query):
            raise ValueError("it is one select, without a semicolon")
        return query


class NightPart(_Part):
    """Whether nights wait for the feed."""

    waits: bool = True
    """Whether a night waits until what has arrived for its day is in."""
    expects: str | None = None
    """A file of each day, by its name with the day in it: ``sales-%Y-%m-%d.csv``."""


class FeedSettings(_Part):
    """One feed."""

    kind: Kind
    data: Subject = "purchases"
    """What the lines are."""
    every: timedelta = timedelta(minutes=15)
    """How often it is looked at."""
    tenant: str | None = None
    """The one tenant whose data it is."""
    tenants: Literal["folders"] | None = None
    """``folders``: each folder below the feed's has one tenant's files, and its name."""
    pattern: str = "*"
    """Only files whose names fit, such as ``sales-*.csv``."""
    most_new_tenants: int = Field(default=100, ge=0)
    """A file that would add more tenants is set aside."""
    preset: str | None = None
    """A known kind of file, as ``recfleet ingest --preset`` has it."""
    columns: dict[str, Any] = {}
    """Which column says what, by the names of ``recfleet ingest``'s options."""
    form: dict[str, Any] = {}
    """The form of the files: delimiter, encoding, sheet, has_header, skip_lines."""
    night: NightPart = NightPart()
    folder: FolderPart | None = None
    s3: S3Part | None = None
    sql: SqlPart | None = None

    @field_validator("every", mode="before")
    @classmethod
    def _is_span(cls, every: object) -> object:
        return _span(every)

    @field_validator("every")
    @classmethod
    def _is_a_minute(cls, every: timedelta) -> timedelta:
        if every < timedelta(minutes=1):
            raise ValueError("at least a minute")
        return every

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for kind in ("folder", "s3", "sql"):
            if (getattr(self, kind) is not None) != (kind == self.kind):
                raise ValueError(f"a feed of kind {self.kind!r} has a section [{self.kind}] alone")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"there is no preset {self.preset!r}: use {', '.join(PRESETS)}")
        if self.tenants and self.kind == "sql":
            raise ValueError("a query has no folders: name tenant, or columns.tenant_column")
        told = [self.tenant, self.tenants, self.fields.get("tenant_column")]
        if sum(value is not None for value in told) != 1:
            raise ValueError(
                'say whose data it is, in one way: tenant = "ID", tenants = "folders", or '
                "tenant_column in [columns]"
            )
        try:
            self.mapping("any")
        except ValidationError as error:
            problems = "; ".join(_problem(detail) for detail in error.errors())
            raise ValueError(f"columns: {problems}") from None
        self.reading()
        return self

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The mapping's fields: the preset's, with the file's own on top."""
        known = dict(PRESETS[self.preset].mapping) if self.preset else {}
        for pair in ({"tenant_id", "tenant_column"}, {"amount_column", "price_column"}):
            if pair & self.columns.keys() or (
                "tenant_id" in pair and (self.tenant or self.tenants)
            ):
                known = {name: value for name, value in known.items() if name not in pair}
        return known | self.columns

    def mapping(self, tenant_id: str | None) -> ColumnMapping | FactMapping:
        """Which column says what.

        Args:
            tenant_id: the tenant of all lines, where no column says it.
        """
        fields = dict(self.fields)
        if "tenant_column" not in fields:
            fields["tenant_id"] = self.tenant or tenant_id
        return _MAPPINGS[self.data](**fields)

    def reading(self) -> Reading:
        """What the feed says about the form of its files."""
        known = dict(PRESETS[self.preset].form) if self.preset else {}
        try:
            return Reading(**(known | self.form))
        except TypeError:
            raise ValueError(
                "form has delimiter, encoding, sheet, has_header and skip_lines"
            ) from None


_MAPPINGS: dict[str, type[ColumnMapping] | type[FactMapping]] = {
    "purchases": ColumnMapping,
    "customers": CustomerMapping,
    "products": ProductMapping,
}


def parse_feed(text: str) -> FeedSettings:
    """Read a feed's TOML.

    Raises:
        BadInputError: it is no TOML, or cannot be used; names everything that is wrong.
    """
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"This is no TOML: {error}.") from None
    if secret := _secret(said):
        raise BadInputError(
            f"{secret}: credentials do not belong into a feed's file. Make a connection in Airflow "
            '(Admin, Connections) and name it: connection = "ID".'
        )
    try:
        return FeedSettings.model_validate(said)
    except ValidationError as error:
        problems = "; ".join(_problem(detail) for detail in error.errors())
        raise BadInputError(f"The feed cannot be used: {problems}.") from None


def check_name(name: str) -> str:
    """A feed's name, if it can be one.

    Raises:
        BadInputError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise BadInputError(
            f"A feed's name is made of a-z, 0-9 and hyphens, such as till-germany; not {name!r}."
        )
    return name


def _problem(detail: Any) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "there is no such field"
    return f"{place}: {message}" if place else message


def _secret(said: Mapping[str, Any], place: str = "") -> str | None:
    """The first key or address that seems to hold a credential."""
    for name, value in said.items():
        here = f"{place}{name}"
        if place != "columns." and _SECRETS.search(name):
            return here
        if isinstance(value, Mapping) and (found := _secret(value, f"{here}.")):
            return found
        if isinstance(value, str) and re.search(r"\w://[^/\s]*:[^/\s]*@", value):
            return here
    return None
