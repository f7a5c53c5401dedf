"""Files read without a database: what would be stored, what would not and why, and the notes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recfleet.files import inspect
from recfleet.interactions import ColumnMapping, Reading, TenantNames
from recfleet.interactions._reading import read_cleaned

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_OF_FORM = ("delimiter", "encoding", "sheet", "has_header", "skip_lines")


@dataclass
class Read:
    """What came of a file."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    """Unusable ones, as JSON."""
    notes: list[str] = field(default_factory=list)

    def column(self, name: str) -> list[Any]:
        """One column of the usable lines."""
        return [row[name] for row in self.rows]


def read(path: Path, **options: Any) -> Read:
    """Read a file of one tenant, unless the options say otherwise.

    Args:
        path: the file.
        options: of the mapping, where ``customer`` stands for ``customer_column`` and so on, and of
            the form.
    """
    how = Reading(**{name: options.pop(name) for name in _OF_FORM if name in options})
    columns = {"customer": "customer", "product": "product", "time": "time"} | options
    named = {
        f"{name}_column" if f"{name}_column" in ColumnMapping.model_fields else name: said
        for name, said in columns.items()
    }
    if "tenant_column" not in named:
        named["tenant_id"] = "t"
    result = Read()
    for cleaned, _ in read_cleaned(
        inspect(path, how.encoding),
        ColumnMapping(**named),
        how,
        now=NOW,
        tenants=TenantNames(),
        notes=result.notes,
    ):
        result.rows += cleaned.usable.to_pylist()
        result.reasons.update(cleaned.unusable["reason"].to_pylist())
        result.lines += cleaned.unusable["line"].to_pylist()
    return result
