"""Types for the content of JSON columns, which leave the JSON unchanged."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, PlainSerializer

Number: TypeAlias = int | float
"""A number as in JSON: a whole number stays one."""

Moment: TypeAlias = Annotated[datetime, PlainSerializer(datetime.isoformat, when_used="json")]
"""A time; in JSON it has the form of ``isoformat``."""


class Stored(BaseModel):
    """The content of a JSON column.

    It is written as it was made or read: fields that were never set are left out, and keys that are
    no fields are kept, because another version of recfleet may have written them.
    """

    model_config = ConfigDict(frozen=True, extra="allow", validate_by_name=True)

    def plain(self) -> dict[str, Any]:
        """The content, ready for JSON."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def text(self) -> str:
        """The content as JSON text."""
        return json.dumps(self.plain())
