"""SQL over the published tables, by name."""

from __future__ import annotations

import os

from c360lib.engines.duckdb import DuckDB
from c360lib.schemas import GOLD, SILVER
from c360lib.storage.files import FORMATS
from c360lib.storage.workspace import Workspace

MOST_ROWS = 50
_SQL = {"int": "bigint", "cents": "bigint", "ts": "timestamp", "date": "date", "bool": "boolean", "ratio": "double"}


def answer(root: str | os.PathLike[str], query: str) -> str:
    """The result of a query as a text table of at most MOST_ROWS rows; UsageError where the query cannot run.

    Tables stand under their name, and under their layer's: `raw.orders`, `silver.orders`. A name alone means the
    highest layer that has it.
    """
    workspace = Workspace(root)
    workspace.repair()
    release = workspace.current_release()
    folders = {"raw": workspace.raw, **{layer: release / layer for layer in ("bronze", "silver", "gold")}}
    engine = DuckDB()
    with engine:
        for layer, folder in folders.items():
            for path in sorted(folder.iterdir()) if folder.exists() else ():
                if path.suffix.removeprefix(".") in FORMATS and path.stat().st_size:
                    engine.show(layer, path.stem, path, _types(path.stem) if layer in ("silver", "gold") else {})
        return engine.ask(query, MOST_ROWS)


def _types(name: str) -> dict[str, str]:
    """SQL types of the columns of a silver or gold table that are not text."""
    return {
        column.name: _SQL[column.kind] for column in (SILVER.get(name) or GOLD[name]).columns if column.kind in _SQL
    }
