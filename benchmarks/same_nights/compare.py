"""Read everything that two sides' nights have left, make it comparable, and find differences."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extras import RealDictCursor

from benchmarks.same_nights.side import Side
from recfleet.database import Connection

Row = dict[str, Any]

UNEQUAL: dict[str, frozenset[str]] = {
    "alembic_version": frozenset({"version_num"}),
    "approval": frozenset({"approval_id", "requested_at", "expires_at", "decided_at"}),
    "audit": frozenset({"happened_at", "previous_hash", "hash"}),
    "champion": frozenset({"promoted_at"}),
    "ingest": frozenset({"ingest_id", "started_at", "finished_at"}),
    "ledger": frozenset({"updated_at", "timings"}),
    "live_origin": frozenset({"switched_at", "crowned_at"}),
    "live_release": frozenset({"switched_at"}),
    "night": frozenset({"started_at", "finished_at"}),
    "promotion": frozenset({"happened_at"}),
    "release": frozenset({"created_at"}),
    "shard_run": frozenset(
        {"started_at", "finished_at", "import_seconds", "overhead_seconds", "peak_mb"}
    ),
    "tenant": frozenset({"created_at"}),
    "unusable_line": frozenset({"ingest_id"}),
}
"""Table or view -> its columns of wall-clock times, of costs, and of hashes over these."""

UNEQUAL_KEYS = frozenset(
    {"audit_head", "code_version", "milliseconds_per_tenant", "peak_mb", "seconds", "slowest"}
)
"""Keys of JSON, at any depth, that hold such values."""

WORDS: dict[str, frozenset[str]] = {
    "audit": frozenset({"reason"}),
    "champion": frozenset({"reason"}),
    "data_docs": frozenset({"page"}),
    "ledger": frozenset({"reason"}),
    "live_origin": frozenset({"crowned_because"}),
    "promotion": frozenset({"reason"}),
    "quality_result": frozenset({"expected"}),
    "mlflow.registered_models": frozenset({"description"}),
    "mlflow.model_versions": frozenset({"description"}),
}
"""Table or view -> its columns that hold sentences."""

WORD_KEYS = frozenset(
    {"reason", "detail", "sentence", "shows", "expected", "why", "mlflow.note.content"}
)
"""Keys of JSON, and of MLflow's tags, that hold sentences."""

_MLFLOW = {
    "registered_models": "select name, description from registered_models",
    "registered_model_tags": "select name, key, value from registered_model_tags",
    "registered_model_aliases": "select name, alias, version from registered_model_aliases",
    "model_versions": (
        "select name, version, description, current_stage, source, run_id, status, status_message "
        "from model_versions"
    ),
    "model_version_tags": "select name, version, key, value from model_version_tags",
    "runs": (
        "select experiments.name as experiment, run_uuid, runs.name, runs.status, "
        "runs.artifact_uri, runs.lifecycle_stage from runs join experiments using (experiment_id)"
    ),
    "params": "select run_uuid, key, value from params",
    "metrics": "select run_uuid, key, value, step, is_nan from metrics",
    "tags": "select run_uuid, key, value from tags",
}
_TO_THE_TENANT = frozenset({"interaction"})
"""Large tables that no night changes: they are compared by one row for each tenant."""
_KEYS = ("night_id", "tenant_id", "release_id", "customer_id", "role", "expectation", "audit_id",
         "run_uuid", "version", "name", "key", "rank", "stage", "shard")  # fmt: skip
"""Columns by which a person finds a row."""
_RUN = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_SHORTEST = 32
"""Shorter values get no name."""
_BY_DAY = re.compile(r"[a-z-]+__\d{4}-\d\d-\d\dT[\d:]+__[0-9a-f]{8}")


@dataclass(frozen=True)
class Difference:
    """A row that only one side has, or that differs."""

    table: str
    sentence: str


@dataclass
class Comparison:
    """What was compared, and what differs."""

    rows: Counter[str] = field(default_factory=Counter)
    """Table -> rows of the old side."""
    differences: list[Difference] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Outcome -> tenants' nights of the old side."""


class Names:
    """Names for random ids and serial numbers, by what they identify."""

    def __init__(self, side: Side, connection: Connection) -> None:
        """Read the names of one side.

        Args:
            side: the side.
            connection: to its database.
        """
        self._artifacts = side.artifacts.as_uri()
        self._runs: dict[str, str] = {}
        self._nights: dict[int, str] = {}
        self._by_day: dict[str, str] = {}
        for row in _read(connection, "select night_id, run_id from night order by night_id"):
            name = str(row["run_id"])
            if _BY_DAY.fullmatch(name):
                what, number = name.partition("__")[0], len(self._by_day) + 1
                self._by_day[name] = f"{what} by day, number {number}"
            self._nights[row["night_id"]] = self._by_day.get(name, name)
        for row in _read(
            connection,
            "select challenger ->> 'run_id' as run_id, tenant_id, night_id from ledger "
            "where challenger ? 'run_id' order by night_id",
        ):
            name = f"<run of {row['tenant_id']}, {self._nights[row['night_id']]}>"
            self._runs.setdefault(row["run_id"], name)
        self._releases = {
            row["release_id"]: f"<release of {row['tenant_id']}, "
            f"{self._nights[row['night_id']]}, version {row['model_version']}>"
            for row in _read(
                connection, "select release_id, tenant_id, night_id, model_version from release"
            )
        }

    def plain(self, value: Any, key: str = "") -> Any:
        """A value with names instead of random ids and serial numbers."""
        if isinstance(value, Mapping):
            return {str(name): self.plain(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(inner, key) for inner in value]
        if isinstance(value, memoryview | bytes):
            return self._text(gzip.decompress(bytes(value)).decode())
        if isinstance(value, str):
            return self._text(value)
        counted: Mapping[Any, str] = {"night_id": self._nights, "release_id": self._releases}.get(
            key, {}
        )
        return counted.get(value, value) if counted else value

    def _text(self, text: str) -> str:
        if len(text) < _SHORTEST:
            return text
        text = text.replace(self._artifacts, "<artifacts>")
        text = _BY_DAY.sub(lambda found: self._by_day.get(found[0], found[0]), text)
        return _RUN.sub(lambda found: self._runs.get(found[0], found[0]), text)


def compare(old: Side, new: Side, *, but_words: bool) -> Comparison:
    """Compare everything that two sides have left.

    Args:
        old: a side whose nights are over.
        new: the other side.
        but_words: ignore sentences.
    """
    comparison = Comparison()
    with (
        closing(old.connect("recfleet")) as one,
        closing(new.connect("recfleet")) as other,
        closing(old.connect("mlflow")) as one_mlflow,
        closing(new.connect("mlflow")) as other_mlflow,
    ):
        names = Names(old, one), Names(new, other)
        comparison.outcomes.update(
            row["outcome"] for row in _read(one, "select outcome from ledger")
        )
        columns = _columns(one), _columns(other)
        for table in sorted(columns[0].keys() - UNEQUAL_TABLES):
            if table not in columns[1]:
                comparison.differences.append(Difference(table, "is not there in the new one"))
                continue
            _note_columns(comparison, table, columns[0][table], columns[1][table])
            text = _select(table, columns[0][table] & columns[1][table], but_words=but_words)
            _hold(comparison, table, (one, other), names, text, but_words=but_words)
        for table, text in _MLFLOW.items():
            pair = (one_mlflow, other_mlflow)
            _hold(comparison, f"mlflow.{table}", pair, names, text, but_words=but_words)
        hold_rows(comparison, "files of models", _files(old, names[0]), _files(new, names[1]))
    return comparison


UNEQUAL_TABLES = frozenset({"alembic_version", "data_docs"})


def _note_columns(
    comparison: Comparison, table: str, old: frozenset[str], new: frozenset[str]
) -> None:
    for name in sorted(old - new):
        comparison.differences.append(Difference(table, f"{name} is not there in the new one"))


def _columns(connection: Connection) -> dict[str, frozenset[str]]:
    """Table or view -> its columns; a partition counts as part of its table."""
    found: dict[str, set[str]] = {}
    for row in _read(
        connection,
        "select relname, attname from pg_class join pg_attribute on attrelid = pg_class.oid "
        "where relnamespace = 'recfleet'::regnamespace and relkind in ('r', 'p', 'v') "
        "and not relispartition and attnum > 0 and not attisdropped",
    ):
        found.setdefault(row["relname"], set()).add(row["attname"])
    return {table: frozenset(names) for table, names in found.items()}


def _select(table: str, columns: frozenset[str], *, but_words: bool) -> str:
    left_out = UNEQUAL.get(table, frozenset())
    if but_words:
        left_out |= WORDS.get(table, frozenset())
    kept = ", ".join(sorted(columns - left_out))
    if table in _TO_THE_TENANT:
        return (
            "select tenant_id, count(*) as lines, "
            f"md5(string_agg(row({kept})::text, '' order by {kept})) as digest "
            f"from {table} group by tenant_id"
        )
    return f"select {kept} from {table}"


def _hold(
    comparison: Comparison,
    table: str,
    connections: tuple[Connection, Connection],
    names: tuple[Names, Names],
    text: str,
    *,
    but_words: bool,
) -> None:
    left_out = UNEQUAL_KEYS | (WORD_KEYS if but_words else frozenset())
    old, new = (
        [_without(whose.plain(row), left_out) for row in _read(connection, text)]
        for connection, whose in zip(connections, names, strict=True)
    )
    if but_words and table.startswith("mlflow."):
        gone = WORDS.get(table, frozenset())
        old, new = (
            [_without(row, gone) for row in rows if row.get("key") not in WORD_KEYS]
            for rows in (old, new)
        )
    hold_rows(comparison, table, old, new)


def _without(value: Any, keys: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _without(inner, keys) for key, inner in value.items() if key not in keys}
    if isinstance(value, list):
        return [_without(inner, keys) for inner in value]
    return value


def hold_rows(comparison: Comparison, table: str, old: Sequence[Row], new: Sequence[Row]) -> None:
    """Note the rows, as JSON to the last digit, that only one side has."""
    comparison.rows[table] = len(old)
    lines = [Counter(map(_line, rows)) for rows in (old, new)]
    missing, added = (_by_key((lines[i] - lines[1 - i]).elements()) for i in (0, 1))
    for key in sorted(missing.keys() | added.keys()):
        before, after = missing.get(key), added.get(key)
        if before is None or after is None:
            sentence = f"only the {'new' if before is None else 'old'} one has it"
        else:
            sentence = "; ".join(
                f"{name}: {_short(before.get(name))} became {_short(after.get(name))}"
                for name in sorted(before.keys() | after.keys())
                if before.get(name) != after.get(name)
            )
        comparison.differences.append(Difference(table, f"{key}: {sentence}"))


def _line(row: Row) -> str:
    return json.dumps(row, sort_keys=True, default=str)


def _by_key(lines: Iterator[str]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    seen: Counter[str] = Counter()
    for line in sorted(lines):
        row = json.loads(line)
        key = ", ".join(str(row[name]) for name in _KEYS if name in row) or "one row"
        seen[key] += 1
        found[key if seen[key] == 1 else f"{key}, number {seen[key]}"] = row
    return found


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 400 else f"{text[:400]}…"


def _files(side: Side, names: Names) -> list[Row]:
    """The models' files, each with a hash of its content."""
    plain: Callable[[str], Any] = names.plain
    rows = []
    for path in sorted(side.artifacts.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".json":
                content = str(plain(content.decode())).encode()
            name = plain(str(path.relative_to(side.artifacts)))
            rows.append({"name": name, "sha256": hashlib.sha256(content).hexdigest()})
    return rows


def _read(connection: Connection, text: str) -> list[Row]:
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(text)
        return [dict(row) for row in cursor]
