"""The seam between the layers and what runs them: pandas, polars, duckdb or spark.

Layers are Narwhals expressions and never import an engine; only this module and frames.py do. An engine takes
Arrow batches in, keeps what is read twice, and gives Arrow batches out.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import shutil
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from c360lib.errors import UsageError

Frame = nw.LazyFrame[Any]
Parts = Iterator[Frame]  # a table one part after the other, in the order of its key
Ints = npt.NDArray[np.int64]
BATCH_ROWS = 200_000
PLACE = "_place"
_SIZE = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B")


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
        yield from _sorted(self._table(frame), _order(frame, key)).to_batches(max_chunksize=BATCH_ROWS)

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
                _give_back()
            return column

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            columns = list((pool.map if is_large else map)(moved, list(left)))
        return frame_of(self._polars.DataFrame(columns).lazy())

    def materialise(self, frame: Frame) -> Frame:
        return frame_of(frame.to_native().collect().lazy())

    def release(self, frame: Frame) -> None:  # noqa: ARG002 - the frame itself is freed by reference count
        _give_back()

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
        _give_back()

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

    def _table(self, frame: Frame) -> pa.Table:
        return self._reader(frame).read_all()

    def _batches(self, frame: Frame, key: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self._reader(frame.sort(*_order(frame, key)))

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
            _give_back()

    def close(self) -> None:
        self._connection.close()
        shutil.rmtree(self._spill, ignore_errors=True)


class Spark(Engine):
    """A cluster, or a local one: batches go through Parquet files, as they would through a lake."""

    is_cluster = True

    def __init__(self) -> None:
        sql = import_engine("pyspark.sql", "spark")
        self._files = Path(tempfile.mkdtemp(prefix="c360-spark-"))
        partitions = os.environ.get("C360_SPARK_PARTITIONS", "4")
        self._session = (
            sql.SparkSession.builder.master(os.environ.get("C360_SPARK_MASTER", "local[2]"))
            .appName("c360")
            .config("spark.sql.shuffle.partitions", partitions)
            .config("spark.default.parallelism", partitions)
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.driver.memory", os.environ.get("C360_SPARK_MEMORY", "4g"))
            .config("spark.jars", splink_jar())
            .getOrCreate()
        )
        self._session.sparkContext.setLogLevel("ERROR")
        self._made = 0

    def load(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Frame:
        self._made += 1
        path = self._files / f"{self._made}.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return frame_of(self._session.read.parquet(str(path)))

    def materialise(self, frame: Frame) -> Frame:
        return frame_of(frame.to_native().localCheckpoint(eager=True))

    def _table(self, frame: Frame) -> pa.Table:
        return frame.to_native().toArrow()

    def _batches(self, frame: Frame, key: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self._table(frame.sort(*_order(frame, key))).to_batches(max_chunksize=BATCH_ROWS)

    def close(self) -> None:
        shutil.rmtree(self._files, ignore_errors=True)


def splink_jar() -> str:
    """The file with Splink's functions for Spark; "" where Splink is not installed."""
    found = importlib.util.find_spec("splink")
    folder = Path(found.origin or "").parent / "internals" / "files" / "spark_jars" if found else Path()
    return ",".join(str(path) for path in sorted(folder.glob("*spark4*.jar"))) if found else ""


ENGINES: dict[str, type[Engine]] = {"pandas": Pandas, "polars": Polars, "duckdb": DuckDB, "spark": Spark}


def open_engine(name: str = "pandas", memory_limit: str | None = None) -> Engine:
    """The engine of that name; UsageError where there is none or its package is not installed.

    `memory_limit`, such as `"2GB"`, is kept by duckdb, which then spills to disk; the others cannot keep one.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine: expected one of {', '.join(ENGINES)}, got {name!r}")
    pa.set_memory_pool(_memory_pool(ENGINES[name].layers_at_once))
    if memory_limit is None:
        return ENGINES[name]()
    if name != "duckdb":
        raise UsageError(f"--memory-limit: only the engine duckdb can keep one, got --engine {name}")
    return DuckDB(memory_limit)


def _memory_pool(layers_at_once: int) -> pa.MemoryPool:
    """What Arrow takes its memory from: the system, which keeps the least of what is freed.

    Several layers at once free memory in several threads. In jemalloc, where pyarrow has it, each finds what another
    has freed.
    """
    if layers_at_once > 1 and "jemalloc" in pa.supported_memory_backends():
        return pa.jemalloc_memory_pool()
    return pa.system_memory_pool()


def _give_back() -> None:
    """Let others have the memory that Arrow has freed: an engine with an allocator of its own cannot use it again."""
    pa.default_memory_pool().release_unused()


def hashes_of(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """A 64-bit number for each text: SipHash-2-4, the same on every machine."""
    from pandas.util import hash_array

    return hash_array(np.asarray(texts.to_pylist(), dtype=object), categorize=False)


def _order(frame: Frame, key: Sequence[str]) -> Sequence[str]:
    return [PLACE] if PLACE in frame.collect_schema().names() else key


def _sorted(table: pa.Table, key: Sequence[str]) -> pa.Table:
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
