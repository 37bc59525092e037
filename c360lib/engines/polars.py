"""polars: lazy plans on all cores, in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from c360lib.engines.base import BATCH_ROWS, PLACE, Engine, Frame, frame_of, give_back, import_engine


class Polars(Engine):
    """Lazy plans on all cores, in memory."""

    frees_by_reference = True
    takes_words = True

    def __init__(self) -> None:
        self._polars = import_engine("polars", "engines")

    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Frame:
        return self.load_table(pa.Table.from_batches(batches, schema))

    def load_table(self, table: pa.Table) -> Frame:
        """Column by column, each in one piece; of a large table each is freed by Arrow as soon as polars has it."""
        is_large = len(table) > BATCH_ROWS
        left = dict(zip(table.column_names, table.columns, strict=True))
        del table

        def moved(name: str) -> Any:
            cells = left.pop(name)
            if pa.types.is_dictionary(cells.type):
                words = self._polars.Enum(cells.chunk(0).dictionary.to_pylist())
                return self._polars.from_arrow(cells.chunk(0).indices).cat.to(words).rename(name)
            column = self._polars.from_arrow(cells, rechunk=True).rename(name)
            del cells
            if is_large:
                give_back()
            return column

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            columns = list((pool.map if is_large else map)(moved, list(left)))
        return frame_of(self._polars.DataFrame(columns).lazy())

    def materialise(self, frame: Frame) -> Frame:
        return frame_of(frame.to_native().collect().lazy())

    def release(self, frame: Frame) -> None:  # noqa: ARG002 - the frame itself is freed by reference count
        give_back()

    def _table(self, frame: Frame) -> pa.Table:
        categories = self._polars.selectors.enum()
        return frame.to_native().with_columns(categories.cast(self._polars.String)).collect().to_arrow()

    def _batches(self, frame: Frame, key: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """As every engine; polars sorts itself, on all cores, and `_place` only where a join left it out of order."""
        if PLACE not in frame.collect_schema().names():
            rows = frame.to_native().sort(list(key)).collect()
        else:
            rows = frame.to_native().collect()
            rows = rows if rows[PLACE].is_sorted() else rows.sort(PLACE)
        for part in rows.iter_slices(BATCH_ROWS):
            yield pa.record_batch([self._array(column) for column in part.get_columns()], part.columns)
        give_back()

    def _array(self, column: Any) -> pa.Array:
        """A column in memory of Arrow alone, text without the room to spare that polars would leave."""
        column = column.rechunk()
        if column.dtype != self._polars.String:
            return column.to_arrow()
        text = column.to_arrow(compat_level=self._polars.CompatLevel.newest()).cast(pa.string())
        if not text.null_count:
            return text
        known, *rest = text.buffers()  # `known` is still that of polars, which would keep the views with it
        return pa.Array.from_buffers(text.type, len(text), [pa.py_buffer(known.to_pybytes()), *rest], text.null_count)
