"""The request for a night, its as-of time and its tenants, as conf of the Airflow run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from recfleet.errors import BadInputError


class NightRequest(BaseModel):
    """The conf of a run of ``nightly_fleet``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: datetime | None = None
    """The night sees no later data; by default the run's own time."""

    tenants: tuple[str, ...] | None = None
    """Only these tenants, even with nothing new; by default all."""

    @field_validator("as_of", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        return parse_as_of(value) if isinstance(value, str) else value

    @field_validator("as_of")
    @classmethod
    def _has_come(cls, as_of: datetime | None) -> datetime | None:
        # Lists with a future as-of would stop every night until then from making newer ones.
        if as_of is not None and as_of > datetime.now(UTC) + timedelta(days=1):
            raise ValueError(f"{as_of:%Y-%m-%d %H:%M} is in the future")
        return as_of

    @field_validator("tenants", mode="before")
    @classmethod
    def _some_or_all(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError('give a list, such as ["united-kingdom"]')
        # A list that somebody made and that came out empty must not run the whole fleet.
        if value is not None and not value:
            raise ValueError("the list is empty: name tenants, or leave it out for all of them")
        return value


def parse_as_of(text: str) -> datetime:
    """Read a date (its midnight) or a time; without a zone it is UTC.

    Raises:
        ValueError: the text is neither.
    """
    try:
        if len(text.strip()) == len("2011-12-10"):
            return datetime.combine(date.fromisoformat(text.strip()), time(), tzinfo=UTC)
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no date or time: write it like 2011-12-10 or 2011-12-10T06:00:00+00:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_request(conf: Mapping[str, Any]) -> NightRequest:
    """Read a run's conf.

    Raises:
        BadInputError: the conf is unusable; names everything that is wrong.
    """
    try:
        return NightRequest.model_validate(dict(conf))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors()
        )
        raise BadInputError(
            f"The conf of this night cannot be used: {problems}. It may hold as_of, a date or "
            'time, and tenants, a list: {"as_of": "2011-12-10", "tenants": ["germany"]}.'
        ) from None
