"""The seam between the layers and what runs them: an engine takes Arrow batches in and gives Arrow batches out.

Layers are Narwhals expressions and never import an engine; only this folder does.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from c360lib.errors import UsageError

Frame = nw.LazyFrame[Any]
Ints = npt.NDArray[np.int64]
BATCH_ROWS = 200_000


class Engine(ABC):
    """What a layer runner needs of an engine. Use it in a `with`: leaving frees what it holds."""

    is_cluster = False
    frees_by_reference = False  # a frame that is not computed yet holds what it reads
    panics: tuple[type[BaseException], ...] = ()  # what it raises where it breaks itself, which is no Exception

    @abstractmethod
    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Frame:
        """Arrow batches of that schema as a frame; they are read once, now."""

    def load_table(self, table: pa.Table) -> Frame:
        """An Arrow table as a frame."""
        return self.load(table.schema, table.to_batches(max_chunksize=BATCH_ROWS))

    @abstractmethod
    def materialise(self, frame: Frame) -> Frame:
        """The same rows, computed once."""

    @abstractmethod
    def table(self, frame: Frame) -> pa.Table:
        """All rows of the frame."""

    @abstractmethod
    def batches(self, frame: Frame, key: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows of the frame in the order of its key (text by code point), a batch at a time."""

    def release(self, frame: Frame) -> None:  # noqa: B027 - polars and Spark free by reference count
        """Forget a frame that `load` or `materialise` gave; it must not be used again."""

    def close(self) -> None:  # noqa: B027 - most engines hold nothing
        """Free everything the engine holds."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def frame_of(native: Any) -> Frame:
    """A native frame of any engine as a Narwhals one."""
    frame: Frame = nw.from_native(native).lazy()
    return frame


def import_engine(module: str, extra: str = "") -> Any:
    """An engine's package; UsageError that says how to install it where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.split(".")[0]
        wanted, words = (f"c360[{extra}]", f" {extra}") if extra else ("c360", "")
        raise UsageError(
            f"engine {package}: the package {package} is not installed; install it with: pip install '{wanted}' "
            f"(in a clone: python3 tools/setup_env.py{words})"
        ) from None
