"""polars: lazy plans on all cores, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from c360lib.engines.base import BATCH_ROWS, Engine, Frame, frame_of, import_engine


class Polars(Engine):
    """Lazy plans on all cores, in memory."""

    frees_by_reference = True

    def __init__(self) -> None:
        self._polars = import_engine("polars")
        self.panics = (self._polars.exceptions.PanicException,)

    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Frame:
        return self.load_table(pa.Table.from_batches(batches, schema))

    def load_table(self, table: pa.Table) -> Frame:
        return frame_of(self._polars.from_arrow(table))

    def materialise(self, frame: Frame) -> Frame:
        return frame_of(frame.to_native().collect())

    def table(self, frame: Frame) -> pa.Table:
        return _plain(frame.to_native().collect())

    def batches(self, frame: Frame, key: Sequence[str]) -> Iterator[pa.RecordBatch]:
        rows = frame.to_native().sort(list(key)).collect()
        for part in rows.iter_slices(BATCH_ROWS):
            yield from _plain(part).combine_chunks().to_batches()


def _plain(rows: Any) -> pa.Table:
    """A table of polars as Arrow's own: text as strings, not views."""
    table = rows.to_arrow()
    texts = [pa.types.is_large_string(kind) or pa.types.is_string_view(kind) for kind in table.schema.types]
    kinds = [pa.string() if is_text else kind for is_text, kind in zip(texts, table.schema.types, strict=True)]
    return table.cast(pa.schema(zip(table.column_names, kinds, strict=True)))
