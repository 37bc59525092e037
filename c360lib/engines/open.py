"""The engines by name."""

from __future__ import annotations

from c360lib.engines.base import Engine
from c360lib.engines.duckdb import DuckDB
from c360lib.engines.polars import Polars
from c360lib.engines.spark import Spark
from c360lib.errors import UsageError
from c360lib.rules import DEFAULT_ENGINE

ENGINES: dict[str, type[Engine]] = {"polars": Polars, "duckdb": DuckDB, "spark": Spark}


def open_engine(name: str = DEFAULT_ENGINE, memory_limit: str | None = None) -> Engine:
    """The engine of that name; UsageError where there is none or its package is not installed.

    `memory_limit`, such as `"2GB"`, is kept by duckdb, which then spills to disk; the others cannot keep one.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine: expected one of {', '.join(ENGINES)}, got {name!r}")
    if memory_limit is None:
        return ENGINES[name]()
    if name != "duckdb":
        raise UsageError(f"--memory-limit: only the engine duckdb can keep one, got --engine {name}")
    return DuckDB(memory_limit)
