"""DuckDB: SQL on one machine, within a memory limit."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa

from c360lib.engines.base import BATCH_ROWS, Engine, Frame, import_engine
from c360lib.errors import UsageError

_SIZE = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B")


class DuckDB(Engine):
    """SQL on one machine: stays within `memory_limit` and spills to a temporary folder that `close` removes."""

    def __init__(self, memory_limit: str | None = None) -> None:
        duckdb = import_engine("duckdb", "engines")
        self._error: type[Exception] = duckdb.Error
        self._connection = duckdb.connect(":memory:")
        if memory_limit is not None:
            if not _SIZE.fullmatch(memory_limit):
                raise UsageError(f"--memory-limit: expected a size such as 2GB, got {memory_limit!r}")
            self._connection.execute("set memory_limit = ?", [memory_limit])
        self._spill = tempfile.mkdtemp(prefix="c360-duckdb-")
        self._connection.execute("set temp_directory = ?", [self._spill])
        self._connection.execute("set preserve_insertion_order = false")
        self._names: dict[int, str] = {}
        self._made = 0

    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Frame:
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        return self._keep(self._connection.from_arrow(reader))

    def materialise(self, frame: Frame) -> Frame:
        return self._keep(frame.to_native())

    def _keep(self, relation: Any) -> Frame:
        self._made += 1
        name = f"kept_{self._made}"
        relation.create_view("c360_source", replace=True)
        self._connection.execute(f"create temp table {name} as from c360_source")
        self._connection.execute("drop view c360_source")
        frame: Frame = nw.from_native(self._connection.table(name))
        self._names[id(frame)] = name
        return frame

    def table(self, frame: Frame) -> pa.Table:
        return self._reader(frame).read_all()

    def batches(self, frame: Frame, key: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self._reader(frame.sort(*key))

    def _reader(self, frame: Frame) -> pa.RecordBatchReader:
        return frame.to_native().to_arrow_reader(BATCH_ROWS)

    def show(self, layer: str, name: str, path: Path, types: Mapping[str, str]) -> None:
        """Let SQL see a file as `layer.name`, and as `name` too, in place of a lower layer's.

        Columns of a CSV file that `types` does not name are text.
        """
        self._connection.execute(f'create schema if not exists "{layer}"')
        file = str(path).replace("'", "''")
        options = """header = true, all_varchar = true, nullstr = '', delim = ',', quote = '"'"""
        source = f"read_parquet('{file}')" if path.suffix == ".parquet" else f"read_csv('{file}', {options})"
        casts = ", ".join(f'"{column}"::{kind} as "{column}"' for column, kind in types.items())
        chosen = f"select * replace ({casts}) from {source}" if casts else f"from {source}"
        for view in (f'"{layer}"."{name}"', f'"{name}"'):
            self._connection.execute(f"create or replace view {view} as {chosen}")

    def ask(self, query: str, most_rows: int) -> str:
        """The result of an SQL query as a text table."""
        try:
            relation = self._connection.sql(query)
            if relation is None:
                return "done"
            return str(relation.limit(most_rows))
        except self._error as error:
            raise UsageError(f"sql: {str(error).splitlines()[0]}") from None

    def release(self, frame: Frame) -> None:
        name = self._names.pop(id(frame), None)
        if name is not None:
            self._connection.execute(f"drop table {name}")

    def close(self) -> None:
        self._connection.close()
        shutil.rmtree(self._spill, ignore_errors=True)
