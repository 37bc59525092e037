"""Rows of text to rows of the data contract: typed cells, and for each row what is wrong with it.

Works on Arrow, row by row: nothing here knows another row, so any slice of a source gives the same answer. Few rows
have anything wrong with them, so a row says only whether it `_is_usable`; what was found stands beside the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.rules import CLOCK_SKEW_SECONDS
from c360lib.schemas import Column, Table
from c360lib.sources import cells, match_keys

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


class Read(NamedTuple):
    """Rows as the rules look at them: bytes of a line that could not be read, trimmed text and typed cells by column,
    and which rows are deletes.
    """

    bytes_set_apart: pa.Array
    text: dict[str, pa.Array]
    typed: dict[str, pa.Array]
    is_delete: pa.Array


class Rule(NamedTuple):
    """What must hold of a row: the name of that truth, the column to blame, and which rows break it.

    A rule is asked only where its `columns` are read.
    """

    name: str
    column: str
    broken: Callable[[Read], pa.Array]
    columns: tuple[str, ...]


def row_rules(table: Table) -> list[Rule]:
    """The rules for rows of a raw table; a row that breaks several is told the first.

    >>> from c360lib.schemas import RAW
    >>> [rule.name for rule in row_rules(RAW["clickstream"])][3:]
    ['key_present', 'known_source_system', 'known_source_system', 'event_before_arrival']
    """
    return [
        Rule("readable_line", "_raw_base64", lambda read: pc.not_equal(read.bytes_set_apart, ""), ()),
        *(Rule(c.rule, c.name, _bad_cells(c, table), (c.name,)) for c in table.columns if c.rule),
        Rule("known_source_system", REFERENCE[0], _half_a_reference, REFERENCE),
        Rule("event_before_arrival", "event_ts", _event_after_arrival, ("event_ts", "ingest_ts")),
    ]


def _bad_cells(column: Column, table: Table) -> Callable[[Read], pa.Array]:
    """A needed cell is null, any other is unreadable; of a delete only its key, op, lsn and times count."""

    def broken(read: Read) -> pa.Array:
        bad = pc.is_null(read.typed[column.name]) if column.needed else _unreadable(read, column.name)
        return bad if column.name in (*ON_DELETE, *table.key) else pc.and_not(bad, read.is_delete)

    return broken


def _unreadable(read: Read, name: str) -> pa.Array:
    """True where a cell holds something that its column cannot be."""
    return pc.and_(pc.is_null(read.typed[name]), pc.is_valid(read.text[name]))


def _half_a_reference(read: Read) -> pa.Array:
    system, customer = (read.typed[name] for name in REFERENCE)
    return pc.and_(pc.is_null(system), pc.is_valid(customer))


def _event_after_arrival(read: Read) -> pa.Array:
    return pc.greater(read.typed["event_ts"], pc.add(read.typed["ingest_ts"], CLOCK_SKEW_SECONDS))


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
    read = _read(rows, table, keep)
    faults = _faults(read, table)
    typed = _without_values_of_deletes(read, table)
    numbers = _cells(rows, "_row_number")
    is_usable = pc.invert(pc.is_in(numbers, numbers.take(pa.array(list(faults), pa.int64()))))
    columns = {"_row_number": numbers, "_is_usable": is_usable}
    if REFERENCE[1] in typed:
        columns["record_id"] = pc.binary_join_element_wise(typed[REFERENCE[0]], typed[REFERENCE[1]], ":")
    columns |= {c.name: typed[c.name] for c in _kept(table, keep)}
    if table.name == "customers":
        columns |= match_keys.match_keys(typed)
    if table.name == "support_tickets":
        columns["email_key"] = cells.folded(typed["requester_email"])
    schema = typed_schema(table, keep)
    batch = pa.record_batch([columns[name] for name in schema.names], schema=schema)
    return Typed(batch, _findings(numbers, faults, _issues(read, table, faults)))


def _read(rows: pa.Table, table: Table, keep: Sequence[str] | None) -> Read:
    text = {c.name: cells.trimmed(_cells(rows, c.name)) for c in table.columns if keep is None or c.name in keep}
    typed = {name: cells.typed(array, table.column(name)) for name, array in text.items()}
    is_delete = pc.fill_null(pc.equal(typed["op"], "d"), False) if "op" in typed else pa.repeat(False, len(rows))
    return Read(_cells(rows, "_raw_base64"), text, typed, is_delete)


def _findings(numbers: pa.Array, faults: dict[int, tuple[str, str]], issues: list[tuple[int, str]]) -> pa.RecordBatch:
    found: list[tuple[int, str | None, str, str | None]]
    found = [(at, None, rule, detail) for at, (rule, detail) in sorted(faults.items())]
    found += [(at, column, f"valid_{column}", None) for at, column in issues]
    at, *told = zip(*found, strict=True) if found else ((),) * len(FINDINGS)
    return pa.record_batch([numbers.take(pa.array(at, pa.int64())), *told], schema=FINDINGS)


def _without_values_of_deletes(read: Read, table: Table) -> dict[str, pa.Array]:
    """A delete tells that an entity is gone, not what it was like: its values are those of the last state."""
    if not read.is_delete.true_count:
        return read.typed
    told = _told_by_deletes(table)
    return {
        name: array if name in told else pc.if_else(read.is_delete, pa.scalar(None, array.type), array)
        for name, array in read.typed.items()
    }


def _told_by_deletes(table: Table) -> set[str]:
    return {*ON_DELETE, *table.key, *REFERENCE, "tx_id"}


def _cells(rows: pa.Table, name: str) -> pa.Array:
    """A column as one array; a column that the file does not have is empty."""
    if name not in rows.column_names:
        return pa.repeat(pa.scalar("", pa.string()), len(rows))
    column = rows.column(name)
    return column.chunk(0) if column.num_chunks == 1 else pa.array([], column.type)


def _faults(read: Read, table: Table) -> dict[int, tuple[str, str]]:
    """The first rule that a row breaks and what was found, by the index of the row."""
    found: dict[int, tuple[str, str]] = {}
    for rule in row_rules(table):
        if read.typed.keys() >= set(rule.columns):
            for at in _indices(rule.broken(read)):
                found.setdefault(at, (rule.name, _said(read, rule.column, at)))
    return found


def _indices(is_there: pa.Array) -> list[int]:
    """The indices of the rows that are true."""
    indices: list[int] = pc.indices_nonzero(is_there).to_pylist()
    return indices


def _said(read: Read, column: str, at: int) -> str:
    if column not in read.text:
        return "its bytes are in row"
    cell = read.text[column][at].as_py()
    return f"{column} is {'empty' if cell is None else repr(cell[:80])}"


def _issues(read: Read, table: Table, faults: dict[int, tuple[str, str]]) -> list[tuple[int, str]]:
    """Cells of usable rows that hold what their column, one without a rule, cannot be: (index of the row, column)."""
    found = []
    for name in (c.name for c in table.columns if not c.rule and c.name in read.typed):
        bad = _unreadable(read, name)
        counts = bad if name in _told_by_deletes(table) else pc.and_not(bad, read.is_delete)
        found += [(at, name) for at in _indices(counts) if at not in faults]
    return found
