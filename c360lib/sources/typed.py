"""Rows of text to rows of the data contract: typed cells, and for each row what is wrong with it.

Works on Arrow, row by row: nothing here knows another row, so any slice of a source gives the same answer. Few rows
have anything wrong with them, so a row says only whether it `_is_usable`; what was found stands beside the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.rules import CLOCK_SKEW_SECONDS
from c360lib.schemas import Column, Table
from c360lib.sources import cells, match_keys

Mask = npt.NDArray[np.bool_]
REFERENCE = ("source_system", "customer_id")
MATCH_KEYS = {"customers": match_keys.KEYS, "support_tickets": ("email_key",)}
ON_DELETE = ("event_ts", "ingest_ts", "op", "lsn")
ARROW = {
    "int": pa.int64(),
    "cents": pa.int64(),
    "ts": pa.int64(),
    "date": pa.int64(),
    "bool": pa.bool_(),
    "ratio": pa.float64(),
    "text": pa.string(),
}

FINDINGS = pa.schema(
    [("row_number", pa.int64()), *((name, pa.string()) for name in ("column", "rule", "detail"))]
)  # a rule that makes a row unusable has no column; a cell that could not be read, in a row that is kept, no detail


class Typed(NamedTuple):
    """Typed rows, and what was found wrong with them, as FINDINGS: of an unusable row the first rule that it breaks, of
    any other each cell that could not be read.
    """

    rows: pa.RecordBatch
    findings: pa.RecordBatch


def typed_schema(table: Table, keep: Sequence[str] | None = None) -> pa.Schema:
    """The Arrow schema of typed rows of a raw table, in the order that `typed_rows` gives."""
    fields = [pa.field("_row_number", pa.int64()), pa.field("_is_usable", pa.bool_())]
    if REFERENCE[1] in table.column_names:
        fields.append(pa.field("record_id", pa.string()))
    fields += [pa.field(c.name, ARROW[c.kind]) for c in _kept(table, keep)]
    fields += [pa.field(name, pa.string()) for name in MATCH_KEYS.get(table.name, ())]
    return pa.schema(fields)


def _kept(table: Table, keep: Sequence[str] | None) -> list[Column]:
    """Columns that stay: a reference lives on as record_id, so its parts stay only where they are key."""
    parts = set(REFERENCE) - set(table.key)
    return [c for c in table.columns if c.name not in parts and (keep is None or c.name in keep)]


def typed_rows(rows: pa.Table, table: Table, keep: Sequence[str] | None = None) -> Typed:
    """Rows of text (with `_row_number` and `_raw_base64`) as typed rows of a raw table."""
    rows = rows.combine_chunks()
    text = {c.name: cells.trimmed(_cells(rows, c.name)) for c in table.columns if keep is None or c.name in keep}
    typed = {name: cells.typed(array, table.column(name)) for name, array in text.items()}
    deleted = pc.fill_null(pc.equal(typed["op"], "d"), False) if "op" in typed else None
    faults = _faults(rows, table, text, typed, deleted)
    issues = _issues(table, text, typed, deleted, faults)
    if deleted is not None and deleted.true_count:
        typed = _without_values_of_deletes(typed, table, deleted)
    is_usable = np.ones(len(rows), bool)
    is_usable[list(faults)] = False
    columns = {"_row_number": _cells(rows, "_row_number"), "_is_usable": pa.array(is_usable)}
    if REFERENCE[1] in typed:
        columns["record_id"] = pc.binary_join_element_wise(typed[REFERENCE[0]], typed[REFERENCE[1]], ":")
    columns |= {c.name: typed[c.name] for c in _kept(table, keep)}
    if table.name == "customers":
        columns |= match_keys.match_keys(typed)
    if table.name == "support_tickets":
        columns["email_key"] = cells.folded(typed["requester_email"])
    schema = typed_schema(table, keep)
    batch = pa.record_batch([columns[name] for name in schema.names], schema=schema)
    return Typed(batch, _findings(columns["_row_number"], faults, issues))


def _findings(numbers: pa.Array, faults: dict[int, tuple[str, str]], issues: list[tuple[int, str]]) -> pa.RecordBatch:
    found: list[tuple[int, str | None, str, str | None]]
    found = [(at, None, rule, detail) for at, (rule, detail) in sorted(faults.items())]
    found += [(at, column, f"valid_{column}", None) for at, column in issues]
    at, *told = zip(*found, strict=True) if found else ((),) * len(FINDINGS)
    return pa.record_batch([numbers.take(pa.array(at, pa.int64())), *told], schema=FINDINGS)


def _without_values_of_deletes(typed: dict[str, pa.Array], table: Table, deleted: pa.Array) -> dict[str, pa.Array]:
    """A delete tells that an entity is gone, not what it was like: its values are those of the last state."""
    told = _told_by_deletes(table)
    return {n: a if n in told else pc.if_else(deleted, pa.scalar(None, a.type), a) for n, a in typed.items()}


def _told_by_deletes(table: Table) -> set[str]:
    return {*ON_DELETE, *table.key, *REFERENCE, "tx_id"}


def _unless_deleted(bad: Mask, deleted: pa.Array | None) -> Mask:
    """Bad rows but for deletes, whose values do not count."""
    return bad if deleted is None else bad & ~np.asarray(deleted)


def _cells(rows: pa.Table, name: str) -> pa.Array:
    """A column as one array; a column that the file does not have is empty."""
    if name not in rows.column_names:
        return pa.repeat(pa.scalar("", pa.string()), len(rows))
    column = rows.column(name)
    return column.chunk(0) if column.num_chunks == 1 else pa.array([], column.type)


def _unreadable(text: pa.Array, typed: pa.Array) -> Mask | None:
    """True where a cell holds something that its column cannot be; None where no cell does."""
    if typed.null_count == text.null_count:
        return None
    return np.asarray(pc.and_(pc.is_null(typed), pc.is_valid(text)))


def _null(array: pa.Array) -> Mask | None:
    """True where a cell is null; None where no cell is."""
    return np.asarray(pc.is_null(array)) if array.null_count else None


def _faults(
    rows: pa.Table, table: Table, text: dict[str, pa.Array], typed: dict[str, pa.Array], deleted: pa.Array | None
) -> dict[int, tuple[str, str]]:
    """The first rule that a row breaks and what was found, by the place of the row."""
    found: dict[int, tuple[str, str]] = {}
    for bad, rule, column in _broken_rules(rows, table, text, typed, deleted):
        for at in np.flatnonzero(bad).tolist():
            if at not in found:
                found[at] = rule, _said(text[column][at].as_py(), column) if column in text else "its bytes are in row"
    return found


def _said(cell: str | None, column: str) -> str:
    return f"{column} is {'empty' if cell is None else repr(cell[:80])}"


def _broken_rules(
    rows: pa.Table, table: Table, text: dict[str, pa.Array], typed: dict[str, pa.Array], deleted: pa.Array | None
) -> Iterator[tuple[Mask, str, str]]:
    """Each rule that rows break: which rows, its name, the column to blame."""
    yield np.asarray(pc.not_equal(_cells(rows, "_raw_base64"), "")), "readable_line", "_raw_base64"
    for column in table.columns:
        if column.rule and column.name in typed:
            bad = _null(typed[column.name]) if column.needed else _unreadable(text[column.name], typed[column.name])
            if bad is not None and column.name not in (*ON_DELETE, *table.key):
                bad = _unless_deleted(bad, deleted)
            if bad is not None:
                yield bad, column.rule, column.name
    if REFERENCE[1] in typed and not table.column(REFERENCE[1]).needed:
        half = pc.and_(pc.is_null(typed[REFERENCE[0]]), pc.is_valid(typed[REFERENCE[1]]))
        yield np.asarray(half), "known_source_system", REFERENCE[0]
    if "ingest_ts" in typed:
        ahead = pc.greater(typed["event_ts"], pc.add(typed["ingest_ts"], CLOCK_SKEW_SECONDS))
        yield np.asarray(pc.fill_null(ahead, False)), "event_before_arrival", "event_ts"


def _issues(
    table: Table,
    text: dict[str, pa.Array],
    typed: dict[str, pa.Array],
    deleted: pa.Array | None,
    faults: dict[int, tuple[str, str]],
) -> list[tuple[int, str]]:
    """Cells of usable rows that hold what their column, one without a rule, cannot be: place of the row, column."""
    found = []
    for column in table.columns:
        bad = None if column.rule or column.name not in typed else _unreadable(text[column.name], typed[column.name])
        if bad is not None:
            bad = bad if column.name in _told_by_deletes(table) else _unless_deleted(bad, deleted)
            found += [(at, column.name) for at in np.flatnonzero(bad).tolist() if at not in faults]
    return found
