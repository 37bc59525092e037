"""Files of the product on disk: how a table is written and read back, JSON, checksums.

Where they stand and when they change is `workspace`'s business.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from c360lib.errors import IntegrityError

FORMATS = ("csv", "parquet")
_BLOCK_BYTES = 16 << 20
_GROUP_ROWS = 200_000


class CsvWriter:
    """The only writer of CSV: commas, LF, quotes only around cells that need them, an empty cell for null."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._stream: BinaryIO = path.open("wb")
        header = _quoted(pa.array(schema.names, pa.string())).to_pylist()
        self._stream.write((",".join(header) + "\n").encode())

    def write_table(self, table: pa.Table) -> None:
        """Append the rows of a table."""
        for batch in table.to_batches():
            self.write_batch(batch)

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append the rows of a batch."""
        ends = pa.scalar("\n", pa.string())
        cells = [_quoted(pc.fill_null(column.cast(pa.string()), "")) for column in batch.columns]
        lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*cells, ","), ends, "")
        if len(lines):
            self._stream.write(_bytes_of(lines))

    def __enter__(self) -> CsvWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


_SPECIAL = tuple(b',"\r\n')


def _quoted(cells: pa.Array) -> pa.Array:
    """Cells with quotes around those that hold a comma, a quote or a line end."""
    data = np.frombuffer(_bytes_of(cells), np.uint8)
    if not np.isin(data, _SPECIAL).any():
        return cells
    needed = pc.match_substring_regex(cells, '[,"\r\n]')
    doubled = pc.replace_substring(cells, '"', '""')
    return pc.if_else(needed, pc.binary_join_element_wise('"', doubled, '"', ""), cells)


def _bytes_of(cells: pa.Array) -> memoryview:
    """The text of all cells, end to end."""
    offsets = np.frombuffer(cells.buffers()[1], np.int32, len(cells) + 1, cells.offset * 4)
    data = cells.buffers()[2]
    return memoryview(b"" if data is None else data)[int(offsets[0]) : int(offsets[-1])]


def read_csv(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A file of ours, every column text and never null."""
    return _csv_reader(path, columns).read_all()


def _csv_reader(path: Path, columns: Sequence[str] | None) -> pacsv.CSVStreamingReader:
    with path.open(encoding="utf-8", newline="") as stream:
        names = next(csv.reader(stream))
    return pacsv.open_csv(
        path,
        read_options=pacsv.ReadOptions(block_size=_BLOCK_BYTES),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
            include_columns=list(columns) if columns else [],
        ),
    )


def table_writer(path: Path, schema: pa.Schema) -> CsvWriter | pq.ParquetWriter:
    """A writer of the format that the file's suffix names; use it in a `with`."""
    return CsvWriter(path, schema) if path.suffix == ".csv" else pq.ParquetWriter(path, schema)


def write_table(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches as the file's suffix says; gives the row count."""
    rows = 0
    with table_writer(path, schema) as writer:
        for batch in regrouped(batches, _GROUP_ROWS):
            writer.write_batch(batch)
            rows += len(batch)
    return rows


def regrouped(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `size`, the last one smaller: Parquet keeps each batch apart, and how many an engine
    gives is chance.

    >>> batch = pa.record_batch({"a": [1, 2, 3]})
    >>> [len(part) for part in regrouped([batch.slice(0, 0), batch.slice(0, 1), batch], 3)]
    [3, 1]
    """
    held: list[pa.RecordBatch] = []
    missing = size
    for batch in batches:
        while len(batch):
            held.append(batch.slice(0, missing))
            batch, missing = batch.slice(missing), missing - len(held[-1])
            if not missing:
                yield pa.concat_batches(held)
                held, missing = [], size
    if held:
        yield pa.concat_batches(held)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A table of ours as it stands at rest, every column text."""
    batches = list(table_batches(path, columns))
    return pa.Table.from_batches(batches) if batches else pa.table({name: [] for name in columns or ()})


def table_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """A table of ours a batch at a time, every column text; at least one batch, that may be empty."""
    if path.suffix == ".csv":
        reader = _csv_reader(path, columns)
        yield pa.record_batch([pa.array([], field.type) for field in reader.schema], schema=reader.schema)
        yield from reader
        return
    file = pq.ParquetFile(path)
    names = list(columns) if columns else file.schema_arrow.names
    schema = pa.schema([(name, pa.string()) for name in names])
    yield pa.record_batch([pa.array([], pa.string()) for _ in names], schema=schema)
    for batch in file.iter_batches(columns=names):
        texts = [pc.fill_null(batch[name].cast(pa.string()), "") for name in names]
        yield pa.record_batch(texts, schema=schema)


class Files:
    """The tables of one release folder, read when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Columns of a table as text; no rows where the table is not there."""
        for layer in ("silver", "gold", "bronze"):
            for suffix in FORMATS:
                path = self.folder / layer / f"{name}.{suffix}"
                if path.exists():
                    return read_table(path, columns)
        return pa.table({column: pa.array([], pa.string()) for column in columns})


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of ours."""
    try:
        value: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return value
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read as JSON ({error}); run `c360 reset`, then build again") from None


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object so that a kill leaves the old file or the new."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    replace_bytes(path, f"{text}\n".encode())


def csv_line(cells: Sequence[str]) -> bytes:
    """One line of CSV, as `CsvWriter` writes it.

    >>> csv_line(["a", 'say "b", c', ""]).decode().rstrip()
    'a,"say ""b"", c",'
    """
    return (",".join(_quoted(pa.array(cells, pa.string())).to_pylist()) + "\n").encode()


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a kill leaves the old file or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def unlink(path: Path) -> None:
    """Remove a file of ours, read-only or not; nothing where there is none."""
    if path.exists():
        if os.name == "nt":
            path.chmod(stat.S_IWRITE | stat.S_IREAD)
        path.unlink()


def remove_tree(path: Path) -> None:
    """Remove a folder of ours with its read-only files; nothing where there is none."""
    if path.exists():
        for file in path.rglob("*"):
            if file.is_file() and os.name == "nt":
                file.chmod(stat.S_IWRITE | stat.S_IREAD)
        shutil.rmtree(path)
