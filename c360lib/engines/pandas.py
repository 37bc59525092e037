"""pandas: whole tables in memory, Arrow-backed; every step can be printed."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from c360lib.engines.base import Engine, Frame, frame_of, import_engine


class Pandas(Engine):
    """Whole tables in memory, Arrow-backed columns; every step can be printed."""

    frees_by_reference = True
    layers_at_once = 2  # each works on one core; what more of them hold is not worth their time

    def __init__(self) -> None:
        self._pandas = import_engine("pandas", "the core")

    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Frame:
        return self._whole(pa.Table.from_batches(batches, schema))

    def _whole(self, table: pa.Table) -> Frame:
        """A table as a frame; in one piece, because pandas takes rows from many pieces far more slowly."""
        return frame_of(table.combine_chunks().to_pandas(types_mapper=self._pandas.ArrowDtype))

    @contextlib.contextmanager
    def making(self) -> Iterator[None]:
        """Without the warning of pandas 2 that a concat of empty or all-null parts will get another type in pandas 3:
        `materialise` gives every column its type.
        """
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "The behavior of (array|DataFrame) concatenation with empty", FutureWarning
            )
            yield

    def settle(self, frame: Frame, read_twice: bool) -> Frame:  # noqa: ARG002 - every result is already computed
        return self.materialise(frame)

    def materialise(self, frame: Frame) -> Frame:
        """Columns that came from literals become Arrow-backed too, so that null and type mean the same as elsewhere."""
        return self._whole(pa.Table.from_pandas(arrow_backed(frame.collect().to_native()), preserve_index=False))

    def _table(self, frame: Frame) -> pa.Table:
        return pa.Table.from_pandas(frame.collect().to_native(), preserve_index=False)


def arrow_backed(table: Any) -> Any:
    """A pandas table with every column Arrow-backed."""
    from pandas import ArrowDtype

    loose = {n: d.kind for n, d in table.dtypes.items() if not isinstance(d, ArrowDtype)}
    return table.assign(**{n: table[n].astype(ArrowDtype(_arrow_kind(n, kind))) for n, kind in loose.items()})


def _arrow_kind(name: str, kind: str) -> pa.DataType:
    """The Arrow type of a column that pandas made of a literal: whole numbers with gaps come as float there."""
    if kind == "f" and name.endswith("probability"):
        return pa.float64()
    return {"b": pa.bool_(), "i": pa.int64(), "u": pa.int64(), "f": pa.int64()}.get(kind, pa.string())
