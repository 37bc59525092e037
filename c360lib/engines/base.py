"""The seam between the layers and what runs them: an engine takes Arrow batches in and gives Arrow batches out.

Layers are Narwhals expressions and never import an engine; only this folder does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.errors import UsageError

Frame = nw.LazyFrame[Any]
Parts = Iterator[Frame]  # a table one part after the other, in the order of its key
Ints = npt.NDArray[np.int64]
BATCH_ROWS = 200_000
PLACE = "_place"


class Engine(ABC):
    """What a layer runner needs of an engine. Use it in a `with`: leaving frees what it holds."""

    is_cluster = False
    frees_by_reference = False  # a frame that is not computed yet holds what it reads
    takes_words = False  # a column whose words are known comes as a dictionary of them
    layers_at_once = 1  # more, where one layer leaves cores idle and any thread may make it

    @abstractmethod
    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Frame:
        """Arrow batches of that schema as a frame; they are read once, now."""

    def load_table(self, table: pa.Table) -> Frame:
        """An Arrow table as a frame."""
        return self.load(table.schema, table.to_batches(max_chunksize=BATCH_ROWS))

    def settle(self, frame: Frame, read_twice: bool) -> Frame:
        """The same rows as a layer's result; computed now if it is read more than once."""
        return self.materialise(frame) if read_twice else frame

    @abstractmethod
    def materialise(self, frame: Frame) -> Frame:
        """The same rows, computed once."""

    def table(self, frame: Frame | Parts) -> pa.Table:
        """All rows of the frame, or of all its parts."""
        return pa.concat_tables(self._table(part) for part in parts_of(frame))

    def batches(self, frame: Frame | Parts, key: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows of the frame in the order of its key (text by code point), a batch at a time.

        A layer may give `_place`, a number in that order, which is cheaper to sort by. Text may come as a dictionary.
        """
        for part in parts_of(frame):
            yield from self._batches(part, key)

    @abstractmethod
    def _table(self, frame: Frame) -> pa.Table:
        """All rows of one frame."""

    def _batches(self, frame: Frame, key: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows of one frame, in order."""
        yield from sorted_by(self._table(frame), order_of(frame, key)).to_batches(max_chunksize=BATCH_ROWS)

    def making(self) -> contextlib.AbstractContextManager[object]:
        """What layers are made in."""
        return contextlib.nullcontext()

    def release(self, frame: Frame) -> None:  # noqa: B027 - pandas and Spark free by reference count
        """Forget a frame that `load` or `materialise` gave; it must not be used again."""

    def close(self) -> None:  # noqa: B027 - most engines hold nothing
        """Free everything the engine holds."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def give_back() -> None:
    """Let others have the memory that Arrow has freed: an engine with an allocator of its own cannot use it again."""
    pa.default_memory_pool().release_unused()


def order_of(frame: Frame, key: Sequence[str]) -> Sequence[str]:
    """The columns that put the frame in the order of its key: `_place` where a layer gives it."""
    return [PLACE] if PLACE in frame.collect_schema().names() else key


def sorted_by(table: pa.Table, key: Sequence[str]) -> pa.Table:
    """A table in memory in the order of its key. Of several texts the distinct ones are sorted, then their places."""
    if list(key) == [PLACE]:
        return _rising(table, table[PLACE].to_numpy())
    if len(key) == 1:
        return table.take(pc.sort_indices(table[key[0]]))
    place, places = np.zeros(len(table), np.int64), 1
    for name in key:
        rank, distinct = _ranked(table[name].combine_chunks())
        if places * distinct >= 1 << 62:
            kept, place = np.unique(place, return_inverse=True)
            places = len(kept)
        place, places = place * distinct + rank, places * distinct
    return _rising(table, place)


def _rising(table: pa.Table, place: Ints) -> pa.Table:
    """The table in the order of `place`, a number a row."""
    return table if (place[1:] >= place[:-1]).all() else table.take(np.argsort(place, kind="stable"))


def _ranked(values: pa.Array) -> tuple[Ints, int]:
    """The place of each value among the distinct ones, and how many of those there are."""
    coded = (values if not isinstance(values, pa.ChunkedArray) else pa.concat_arrays(values.chunks)).dictionary_encode()
    rank = np.empty(len(coded.dictionary), np.int64)
    rank[pc.sort_indices(coded.dictionary).to_numpy()] = np.arange(len(rank))
    return rank[coded.indices.to_numpy(zero_copy_only=False)], max(1, len(rank))


def parts_of(table: Frame | Parts) -> Parts:
    """The parts of a table, one after the other; a frame is one."""
    return table if isinstance(table, Iterator) else iter([table])


def frame_of(native: Any) -> Frame:
    """A native frame of any engine as a Narwhals one."""
    frame: Frame = nw.from_native(native).lazy()
    return frame


def import_engine(module: str, extra: str) -> Any:
    """An engine's package; UsageError that says how to install it where it is not there.

    polars reads the settings of its allocator (jemalloc, on Linux and macOS) when it is first imported. With no more
    arenas than processors, memory that one thread has freed is there for the next: fewer page faults. What is not used
    again within 50 ms goes back to the system, so that Arrow may have it.
    """
    os.environ.setdefault("_RJEM_MALLOC_CONF", f"narenas:{os.cpu_count()},dirty_decay_ms:50,muzzy_decay_ms:0")
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.split(".")[0]
        raise UsageError(
            f"engine {package}: the package {package} is not installed; install it with: pip install 'c360[{extra}]' "
            f"(in a clone: python3 tools/setup_env.py {extra})"
        ) from None


_PIECE = 16_384  # whose memory is used again for the next


def pieces(count: int) -> Iterator[slice]:
    """So many rows, a piece that stays in the cache of a processor at a time."""
    return (slice(at, min(at + _PIECE, count)) for at in range(0, count, _PIECE))
