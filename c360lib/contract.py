"""Rows of text to rows of the data contract: typed cells, and for each row what is wrong with it.

Works on Arrow, row by row: nothing here knows another row, so any slice of a source gives the same answer. Each typed
row carries `_row_number`, `_fault` (the rule that makes it unusable, else null), `_detail`, and `_issues` (columns
whose cell could not be read, between bars, else null).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from c360lib import cells
from c360lib.identity import normalise
from c360lib.rules import CLOCK_SKEW_SECONDS
from c360lib.schemas import Column, Table

REFERENCE = ("source_system", "customer_id")
MATCH_KEYS = {"customers": normalise.KEYS, "support_tickets": ("email_key",)}
ON_DELETE = ("event_ts", "ingest_ts", "op", "lsn")
_ARROW = {
    "int": pa.int64(),
    "cents": pa.int64(),
    "ts": pa.int64(),
    "date": pa.int64(),
    "bool": pa.bool_(),
    "ratio": pa.float64(),
    "text": pa.string(),
}


def typed_schema(table: Table, keep: Sequence[str] | None = None) -> pa.Schema:
    """The Arrow schema of typed rows of a raw table, in the order that `typed_rows` gives."""
    fields = [pa.field("_row_number", pa.int64())]
    fields += [pa.field(name, pa.string()) for name in ("_fault", "_detail", "_issues")]
    if REFERENCE[1] in table.column_names:
        fields.append(pa.field("record_id", pa.string()))
    fields += [pa.field(c.name, _ARROW[c.kind]) for c in _kept(table, keep)]
    fields += [pa.field(name, pa.string()) for name in MATCH_KEYS.get(table.name, ())]
    return pa.schema(fields)


def _kept(table: Table, keep: Sequence[str] | None) -> list[Column]:
    """Columns that stay: a reference lives on as record_id, so its parts stay only where they are key."""
    parts = set(REFERENCE) - set(table.key)
    return [c for c in table.columns if c.name not in parts and (keep is None or c.name in keep)]


def typed_rows(rows: pa.Table, table: Table, keep: Sequence[str] | None = None) -> pa.RecordBatch:
    """Rows of text (with `_row_number` and `_raw_base64`) as typed rows of a raw table; see the module."""
    rows = rows.combine_chunks()
    text = {c.name: _text(rows, c.name) for c in table.columns if keep is None or c.name in keep}
    typed = {name: cells.typed(array, table.column(name)) for name, array in text.items()}
    fault, detail = _faults(rows, table, text, typed)
    columns = {
        "_row_number": _text(rows, "_row_number"),
        "_fault": fault,
        "_detail": detail,
        "_issues": _issues(table, text, typed, fault),
    }
    if REFERENCE[1] in typed:
        columns["record_id"] = pc.binary_join_element_wise(typed[REFERENCE[0]], typed[REFERENCE[1]], ":")
    columns |= {c.name: typed[c.name] for c in _kept(table, keep)}
    if table.name == "customers":
        columns |= normalise.match_keys(typed)
    if table.name == "support_tickets":
        columns["email_key"] = cells.folded(typed["requester_email"])
    schema = typed_schema(table, keep)
    return pa.record_batch([columns[name] for name in schema.names], schema=schema)


def _text(rows: pa.Table, name: str) -> pa.Array:
    """A column of text as one array; a column that the file does not have is empty."""
    if name not in rows.column_names:
        return pa.repeat(pa.scalar("", pa.string()), len(rows))
    column = rows.column(name)
    return column.chunk(0) if column.num_chunks == 1 else pa.array([], column.type)


def _is_absent(text: pa.Array) -> pa.Array:
    return pc.is_null(cells.trimmed(text))


def _unreadable(text: pa.Array, typed: pa.Array) -> np.ndarray:
    """True where a cell holds something that its column cannot be."""
    if typed.null_count == 0:
        return np.zeros(len(typed), bool)
    return np.asarray(pc.and_(pc.is_null(typed), pc.invert(_is_absent(text))))


def _null(array: pa.Array) -> np.ndarray:
    return np.asarray(pc.is_null(array))


def _faults(
    rows: pa.Table, table: Table, text: dict[str, pa.Array], typed: dict[str, pa.Array]
) -> tuple[pa.Array, pa.Array]:
    """The first rule that each row breaks and what was found; null for a usable row."""
    fault = np.full(len(rows), None, dtype=object)
    detail = np.full(len(rows), None, dtype=object)

    def mark(bad: np.ndarray, rule: str, column: str) -> None:
        for at in np.flatnonzero(bad):
            if fault[at] is None:
                found = text[column][int(at)].as_py() if column in text else ""
                fault[at], detail[at] = rule, f"{column} is {found[:80]!r}" if column in text else column

    mark(np.asarray(pc.not_equal(_text(rows, "_raw_base64"), "")), "readable_line", "the line does not parse or decode")
    deleted = (
        np.asarray(pc.fill_null(pc.equal(typed["op"], "d"), False)) if "op" in typed else np.zeros(len(rows), bool)
    )
    for column in table.columns:
        if column.rule and column.name in typed:
            bad = _null(typed[column.name]) if column.needed else _unreadable(text[column.name], typed[column.name])
            if column.name not in (*ON_DELETE, *table.key):
                bad &= ~deleted
            mark(bad, column.rule, column.name)
    if REFERENCE[1] in typed and not table.column(REFERENCE[1]).needed:
        half = _null(typed[REFERENCE[0]]) & ~_null(typed[REFERENCE[1]])
        mark(half, "known_source_system", REFERENCE[0])
    if "ingest_ts" in typed:
        mark(_is_before_event(typed), "event_before_arrival", "event_ts")
    return pa.array(fault, pa.string()), pa.array(detail, pa.string())


def _is_before_event(typed: dict[str, pa.Array]) -> np.ndarray:
    ahead = pc.greater(typed["event_ts"], pc.add(typed["ingest_ts"], CLOCK_SKEW_SECONDS))
    return np.asarray(pc.fill_null(ahead, False))


def _issues(table: Table, text: dict[str, pa.Array], typed: dict[str, pa.Array], fault: pa.Array) -> pa.Array:
    """Columns without a rule whose cell is there but unreadable, as `|email|csat|`; null where all is well."""
    found = np.full(len(fault), None, dtype=object)
    usable = _null(fault)
    for column in table.columns:
        if column.name not in typed or column.rule:
            continue
        bad = _unreadable(text[column.name], typed[column.name]) & usable
        for at in np.flatnonzero(bad):
            found[at] = f"{found[at] or '|'}{column.name}|"
    return pa.array(found, pa.string())
