"""A table of a layer as it is written: times and dates are text, and a row set aside carries its cells of bronze."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.schemas import Table
from c360lib.sources import cells
from c360lib.storage.files import table_batches, write_table

_WITH_CELLS = ("quarantine", "field_issues")


def write(batches: Iterable[pa.RecordBatch], table: Table, stage: Path, suffix: str) -> int:
    """Write a table into the folder of its layer; gives its rows. The bronze tables stand in `stage` already."""
    if table.name in _WITH_CELLS:
        batches = _with_bronze_cells(batches, stage, suffix)
    rest = (_rendered(batch, table) for batch in batches)
    return write_table(stage / table.layer / f"{table.name}.{suffix}", _schema(table), rest)


def _schema(table: Table) -> pa.Schema:
    return pa.schema([(c.name, cells.AT_REST[c.kind]) for c in table.columns])


def _rendered(batch: pa.RecordBatch, table: Table) -> pa.RecordBatch:
    arrays = [cells.rendered(batch[c.name], c) for c in table.columns]
    return pa.record_batch(arrays, schema=_schema(table))


def _with_bronze_cells(batches: Iterable[pa.RecordBatch], stage: Path, suffix: str) -> Iterator[pa.RecordBatch]:
    """Add what bronze holds of each row: the whole `row` as JSON, and the `value` of the column named."""
    for batch in batches:
        rows: list[dict[str, Any]] = batch.to_pylist()
        wanted: dict[str, set[int]] = {}
        for row in rows:
            wanted.setdefault(row["source"], set()).add(row["row_number"])
        found = {
            name: _bronze_rows(stage / "bronze" / f"{name}_bronze.{suffix}", numbers)
            for name, numbers in wanted.items()
        }
        kept = [found[row["source"]][row["row_number"]] for row in rows]
        values = [cell.get(row.get("column", ""), "") for row, cell in zip(rows, kept, strict=True)]
        yield pa.RecordBatch.from_arrays(
            [*batch.columns, pa.array([_json(row) for row in kept], pa.string()), pa.array(values, pa.string())],
            [*batch.schema.names, "row", "value"],
        )


def _bronze_rows(file: Path, numbers: set[int]) -> dict[int, dict[str, Any]]:
    """The bronze rows of these numbers, by number."""
    wanted = pa.array([str(number) for number in sorted(numbers)])
    chosen = (batch.filter(pc.is_in(batch["_row_number"], wanted)) for batch in table_batches(file))
    return {int(row["_row_number"]): row for batch in chosen for row in batch.to_pylist()}


def _json(row: dict[str, Any]) -> str:
    """A bronze row as JSON: the columns of its source, and the bytes of a line that could not be read.

    >>> _json({"city": "Zürich", "_raw_base64": "", "_row_number": "7"})
    '{"city": "Zürich"}'
    """
    told = {name: cell for name, cell in row.items() if not name.startswith("_") or (cell and name == "_raw_base64")}
    return json.dumps(told, ensure_ascii=False)
