"""The notice after an action: a page shows once what was done, or why nothing was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Notice:
    """It goes with the address that an action leads back to, signed, and is forgotten there."""

    said: str = ""
    """What was done."""
    run: str | None = None
    """Address of the Airflow run that does it."""
    problem: str = ""
    """Why something was not done."""
    dialog: str = ""
    """The dialog that is open again, for a correction."""
    typed: Mapping[str, Any] = field(default_factory=dict)
    """What was typed into it, by the field's name."""

    def again(self, dialog: str) -> Mapping[str, Any]:
        """What was typed into that dialog; nothing into every other."""
        return self.typed if dialog == self.dialog else {}

    def as_dict(self) -> dict[str, Any]:
        """For an address: without what is empty."""
        return {name: value for name, value in asdict(self).items() if value}
