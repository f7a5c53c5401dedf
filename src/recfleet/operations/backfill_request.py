"""The request for a backfill, as conf of the Airflow run ``tenant_backfill``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from recfleet.audit import visible_text
from recfleet.errors import BadInputError
from recfleet.fleet import parse_as_of

MOST_NIGHTS = 400
"""Most nights of one backfill: more than a year, day by day."""

LONGEST_STEP = 3660
"""Most days from one night to the next: ten years."""


class BackfillRequest(BaseModel):
    """The conf of a run of ``tenant_backfill``."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    tenants: tuple[str, ...]
    """The tenants whose nights are run again."""

    first: datetime = Field(alias="from")
    """As-of time of the first night."""

    last: datetime = Field(alias="to")
    """No night has a later as-of; the last night has this one if the step leads there."""

    step: int = Field(default=1, ge=1, le=LONGEST_STEP)
    """Days from one night to the next."""

    promote: bool = False
    """Whether the last night carries out its verdict, as tonight's night would."""

    force: bool = False
    """Whether to repeat nights that an earlier backfill has run from the same data."""

    actor: str | None = None
    """Who asked for it; None: the person who triggered the run."""

    reason: str | None = None
    """Why, in words."""

    @field_validator("tenants", mode="before")
    @classmethod
    def _some(cls, value: object) -> object:
        if isinstance(value, str) or not value:
            raise ValueError('give a list of tenants, such as ["united-kingdom"]')
        return value

    @field_validator("tenants")
    @classmethod
    def _each_once(cls, tenants: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(tenants)))

    @field_validator("first", "last", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        if value is None:
            raise ValueError("give a date, such as 2011-12-10")
        return parse_as_of(value) if isinstance(value, str) else value

    @field_validator("first", "last")
    @classmethod
    def _has_come(cls, moment: datetime) -> datetime:
        if moment > datetime.now(UTC):
            raise ValueError(f"{moment:%Y-%m-%d %H:%M} is in the future")
        return moment

    @field_validator("step", "promote", "force", mode="before")
    @classmethod
    def _default_when_none(cls, value: object, info: Any) -> object:
        return cls.model_fields[info.field_name].default if value is None else value

    @field_validator("actor", "reason")
    @classmethod
    def _none_when_blank(cls, text: str | None) -> str | None:
        return visible_text(text) or None if text else None

    @model_validator(mode="after")
    def _is_a_range(self) -> BackfillRequest:
        if self.first > self.last:
            raise ValueError(
                f"from {_day(self.first)} is later than to {_day(self.last)}: the range is the "
                "other way round"
            )
        nights = (self.last - self.first) // timedelta(days=self.step) + 1
        if nights > MOST_NIGHTS:
            raise ValueError(
                f"from {self.first:%Y-%m-%d} to {self.last:%Y-%m-%d} are {nights:,} nights, more "
                f"than the {MOST_NIGHTS} of one backfill: take a larger step or a shorter range"
            )
        return self

    def as_of_times(self) -> list[datetime]:
        """As-of times of the nights, in order; at least one."""
        step = timedelta(days=self.step)
        nights = (self.last - self.first) // step + 1
        return [self.first + number * step for number in range(nights)]

    def conf(self) -> dict[str, Any]:
        """The request as the conf of an Airflow run."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def sentence(self) -> str:
        """The request in words."""
        times = self.as_of_times()
        every = "" if self.step == 1 else f", every {self.step} days"
        if len(times) == 1:
            return f"the night as of {times[0]:%Y-%m-%d}"
        return f"{len(times)} nights as of {times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d}{every}"


def read_conf(conf: Mapping[str, Any]) -> BackfillRequest:
    """Read a run's conf.

    Raises:
        BadInputError: the conf is unusable; says everything that is wrong, and what it may hold.
    """
    try:
        return read_backfill(conf)
    except BadInputError as error:
        raise BadInputError(
            f"{error} Its conf holds tenants, from and to, and may hold step, promote, force, "
            'actor and reason: {"tenants": ["germany"], "from": "2011-11-01", "to": "2011-11-14"}.'
        ) from None


def read_backfill(conf: Mapping[str, Any]) -> BackfillRequest:
    """Read a request with the names of a conf.

    Raises:
        BadInputError: the request is unusable; says everything that is wrong.
    """
    try:
        return BackfillRequest.model_validate(dict(conf))
    except ValidationError as error:
        problems = "; ".join(_problem(detail) for detail in error.errors())
        raise BadInputError(f"This backfill cannot run: {problems}.") from None


def _day(moment: datetime) -> str:
    """A time as text, without the clock time if that is midnight."""
    return f"{moment:%Y-%m-%d %H:%M}".removesuffix(" 00:00")


def _problem(detail: Any) -> str:
    where = ".".join(map(str, detail["loc"]))
    text = detail["msg"].removeprefix("Value error, ")
    return f"{where}: {text}" if where else text
