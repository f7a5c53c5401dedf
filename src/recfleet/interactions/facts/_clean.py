"""Which lines of a file are usable as facts, and why the others are not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recfleet.files import Batch, is_missing, is_missing_time
from recfleet.ids import LONGEST_ID
from recfleet.interactions._ids import Spellings, one_spelling
from recfleet.interactions._numbers import Marks, parse_numbers
from recfleet.interactions._tenant_names import TenantNames
from recfleet.interactions._times import parse_times
from recfleet.interactions.clean import NO_TENANT
from recfleet.interactions.facts.mapping import FactMapping, ProductMapping

_TIMES = ("introduced_at", "discontinued_at")


@dataclass(frozen=True)
class CleanedFacts:
    """The lines of a batch, split into usable and unusable; each part in the file's order."""

    usable: pa.Table
    """Columns tenant_id, id, each fact that the mapping has, and attributes (JSON text or null)."""
    unusable: pa.Table
    """Columns tenant_id, placed_at (null), reason, line (JSON text)."""


def clean_facts(
    batch: Batch, mapping: FactMapping, *, tenants: TenantNames, marks: Marks
) -> CleanedFacts:
    """Split a batch into usable and unusable lines.

    Args:
        batch: some lines of a file.
        mapping: the meaning of its columns.
        tenants: the tenants that names mean.
        marks: is told which decimal marks the prices show.
    """
    length = len(batch)
    text = {
        column: _stripped(batch.columns[column], mapping.missing)
        for column in mapping.columns.values()
    }
    ids, lost = one_spelling(text[mapping.id_column], ".", Spellings())
    tenant_ids, tenant_trouble = _tenants(batch, mapping, tenants)
    garbled = batch.garbled if batch.garbled is not None else _all(length, value=False)
    facts, unreadable = _facts(batch, mapping, text, marks)
    troubles = {
        "malformed line": pc.and_not(pc.is_valid(batch.broken), garbled),
        "unreadable text": garbled,
        **tenant_trouble,
        f"no {mapping.subject[:-1]}": pc.is_null(ids),
        "id lost in scientific notation": lost,
        "id too long": pc.greater(pc.utf8_length(ids), LONGEST_ID),
        **unreadable,
    }
    masks = [
        condition.fill_null(False).to_numpy(zero_copy_only=False) for condition in troubles.values()
    ]
    reason = np.select(masks, range(len(masks)), -1)
    good, bad = pa.array(np.flatnonzero(reason < 0)), np.flatnonzero(reason >= 0)
    columns = {"tenant_id": tenant_ids, "id": ids, **facts}
    columns["attributes"] = _attributes(text, mapping, length)
    lines = [json.dumps(line, ensure_ascii=False) for line in batch.lines(bad.tolist())]
    return CleanedFacts(
        usable=pa.table(columns).take(good),
        unusable=pa.table(
            {
                "tenant_id": tenant_ids.take(pa.array(bad)),
                "placed_at": pa.nulls(len(bad), pa.timestamp("us", tz="UTC")),
                "reason": pa.array(list(troubles)).take(pa.array(reason[bad])),
                "line": pa.array(lines, pa.string()),
            }
        ),
    )


def _facts(
    batch: Batch, mapping: FactMapping, text: Mapping[str, pa.Array], marks: Marks
) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    """The facts' values, and the lines where one is there and cannot be read."""
    facts: dict[str, pa.Array] = {}
    bad_time = bad_number = _all(len(batch), value=False)
    for fact, column in mapping.facts.items():
        written = text[column]
        facts[fact] = written
        if isinstance(mapping, ProductMapping) and fact in _TIMES:
            written = pc.if_else(is_missing_time(written), None, written)
            read = parse_times(written, mapping.time_format)
            if column in batch.times:
                read = pc.coalesce(batch.times[column], read)
            facts[fact] = read
            bad_time = pc.or_(bad_time, pc.and_(pc.is_valid(written), pc.is_null(read)))
        elif isinstance(mapping, ProductMapping) and fact == "price":
            decimal = mapping.decimal
            read = parse_numbers(written, decimal or ".", column, None if decimal else marks)
            if column in batch.numbers:
                read = pc.coalesce(batch.numbers[column], read)
            facts[fact] = read
            bad_number = pc.and_(pc.is_valid(written), pc.is_null(read))
    return facts, {"unreadable time": bad_time, "unreadable number": bad_number}


def _attributes(text: Mapping[str, pa.Array], mapping: FactMapping, length: int) -> pa.Array:
    if not mapping.also:
        return pa.nulls(length, pa.string())
    rows = zip(*(text[column].to_pylist() for column in mapping.also), strict=True)
    told = [
        {name: value for name, value in zip(mapping.also, row, strict=True) if value is not None}
        for row in rows
    ]
    return pa.array([json.dumps(one, ensure_ascii=False) for one in told], pa.string())


def _tenants(
    batch: Batch, mapping: FactMapping, tenants: TenantNames
) -> tuple[pa.Array, dict[str, pa.Array]]:
    length = len(batch)
    if mapping.tenant_column is None:
        return pa.array([mapping.tenant_id] * length, pa.string()), {}
    # NA is a country.
    words = tuple(word for word in mapping.missing if word != "na")
    names = _stripped(batch.columns[mapping.tenant_column], words)
    found = {
        name: tenants.tenant_id(name) for name in pc.unique(names).to_pylist() if name is not None
    }
    told = names.to_pylist()
    ids = [None if name is None or found[name][1] else found[name][0] for name in told]
    return pa.array([one or NO_TENANT for one in ids], pa.string()), {
        "no tenant": pc.is_null(names),
        "tenant name cannot be an id": pa.array(
            [name is not None and found[name][0] is None for name in told], pa.bool_()
        ),
        "tenant name makes another tenant's id": pa.array(
            [name is not None and found[name][1] is not None for name in told], pa.bool_()
        ),
    }


def _stripped(column: pa.Array, missing: tuple[str, ...]) -> pa.Array:
    bare = pc.utf8_trim_whitespace(column)
    return pc.if_else(is_missing(bare, missing), None, bare)


def _all(length: int, *, value: bool) -> pa.Array:
    return pa.array(np.full(length, value))
