"""What JSON columns hold, as types that leave the JSON as it is."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, PlainSerializer

Number: TypeAlias = int | float
"""As JSON has it: a whole number stays one."""

Moment: TypeAlias = Annotated[datetime, PlainSerializer(datetime.isoformat, when_used="json")]
"""A time, in JSON by ``isoformat``."""


class Stored(BaseModel):
    """What a JSON column holds.

    Written as it was made or read: fields that were never set are left out, and keys that are not
    fields, as another release may have written them, are kept.
    """

    model_config = ConfigDict(frozen=True, extra="allow", validate_by_name=True)

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def text(self) -> str:
        """As JSON."""
        return json.dumps(self.plain())
