"""Charts of the course: one module per topic, one function per chart; each takes pandas tables and returns its Axes.

A topic is imported when it is first named: `plots.gold.rfm_heat_map(...)`. Needs the extra `course` (matplotlib).
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return importlib.import_module(f"c360lib.plots.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"c360lib.plots.{name}":
            raise
        raise AttributeError(f"c360lib.plots has no topic {name!r}") from None
