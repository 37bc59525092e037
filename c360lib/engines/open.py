"""The engines by name."""

from __future__ import annotations

import pyarrow as pa

from c360lib.engines.base import Engine
from c360lib.engines.duckdb import DuckDB
from c360lib.engines.pandas import Pandas
from c360lib.engines.polars import Polars
from c360lib.engines.spark import Spark
from c360lib.errors import UsageError

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
