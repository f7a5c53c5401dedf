"""The notice after an action: a page shows once what was done, or why nothing was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Notice:
    """A result, signed into the address to which an action leads back, and shown there once."""

    said: str = ""
    """What was done."""
    run: str | None = None
    """Address of the Airflow run that does it."""
    problem: str = ""
    """Why something was not done."""
    dialog: str = ""
    """The dialog to open again, for a correction."""
    typed: Mapping[str, Any] = field(default_factory=dict)
    """Field of that dialog -> what was typed into it."""

    def again(self, dialog: str) -> Mapping[str, Any]:
        """What was typed into that dialog; empty for every other dialog."""
        return self.typed if dialog == self.dialog else {}

    def as_dict(self) -> dict[str, Any]:
        """The notice for an address, without empty fields."""
        return {name: value for name, value in asdict(self).items() if value}
