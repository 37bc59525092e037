"""Batches to a table while they come: what is a number in memory stands in one piece there, and is copied once.

To put many pieces together at the end would hold all of them twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.sources.cells import validity

NO_WORDS: Mapping[str, pa.Array] = {}


def gathered(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, expected_rows: int, words: Mapping[str, pa.Array] = NO_WORDS
) -> pa.Table:
    """All rows as a table: whole numbers and dictionaries in one piece each, other columns as they came.

    `words` has the dictionary of each column that is one, the same in every batch and also where there is none.

    Room is made for the rows that are expected, and more where more come; what is not used of it takes no memory.

    >>> batch = pa.record_batch({"n": [1, None], "text": ["a", "b"]})
    >>> table = gathered([batch, batch], batch.schema, 3)
    >>> table["n"].num_chunks, table["n"].to_pylist(), table["text"].num_chunks
    (1, [1, None, 1, None], 2)
    """
    columns = [_column(field.type, expected_rows, words.get(field.name)) for field in schema]
    for batch in batches:
        for column, cells in zip(columns, batch.columns, strict=True):
            column.take(cells)
    return pa.table([column.whole() for column in columns], schema=schema)


def _column(kind: pa.DataType, rows: int, words: pa.Array | None) -> _Pieces | _Numbers | _Words:
    if words is not None:
        return _Words(kind, rows, words)
    return _Numbers(kind, rows) if pa.types.is_integer(kind) else _Pieces(kind)


class _Pieces:
    """A column as it came."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._pieces: list[pa.Array] = []

    def take(self, cells: pa.Array) -> None:
        self._pieces.append(cells)

    def whole(self) -> pa.ChunkedArray:
        return pa.chunked_array(self._pieces, self._kind)


class _Numbers:
    """A column of whole numbers. The memory is Arrow's own, so that whoever holds the column last can free it."""

    def __init__(self, kind: pa.DataType, rows: int) -> None:
        self._kind = kind
        self._count = 0
        self._buffer, self._cells = self._room(rows)
        self._known: npt.NDArray[np.bool_] | None = None  # None: every cell so far

    def _room(self, rows: int) -> tuple[pa.Buffer, npt.NDArray[Any]]:
        kind = np.dtype(self._kind.to_pandas_dtype())
        buffer = pa.allocate_buffer(rows * kind.itemsize)
        return buffer, np.frombuffer(buffer, kind)

    def take(self, cells: pa.Array) -> None:
        at = slice(self._count, self._count + len(cells))
        if at.stop > len(self._cells):
            self._grow(at.stop + at.stop // 4)
        self._cells[at] = np.frombuffer(cells.buffers()[1], self._cells.dtype)[cells.offset :][: len(cells)]
        if cells.null_count and self._known is None:
            self._known = np.ones(len(self._cells), bool)
        if self._known is not None:
            self._known[at] = pc.is_valid(cells).to_numpy(zero_copy_only=False)
        self._count = at.stop

    def _grow(self, rows: int) -> None:
        done = self._cells[: self._count]
        self._buffer, self._cells = self._room(rows)
        self._cells[: self._count] = done
        if self._known is not None:
            self._known = np.append(self._known[: self._count], np.ones(rows - self._count, bool))

    def whole(self) -> pa.Array:
        known = None if self._known is None else validity(self._known[: self._count])
        return pa.Array.from_buffers(self._kind, self._count, [known, self._buffer])


class _Words:
    """A column of words by their numbers."""

    def __init__(self, kind: pa.DataType, rows: int, words: pa.Array) -> None:
        self._numbers = _Numbers(kind.index_type, rows)
        self._words = words

    def take(self, cells: pa.Array) -> None:
        self._numbers.take(cells.indices)

    def whole(self) -> pa.Array:
        return pa.DictionaryArray.from_arrays(self._numbers.whole(), self._words)
