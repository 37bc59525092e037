"""The one shared fixture: an engine, each in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from c360lib.engines.base import Engine
from c360lib.engines.open import open_engine
from c360lib.errors import UsageError


@pytest.fixture(scope="session", params=["polars", "duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An open engine; Spark is skipped where its package is not installed."""
    try:
        opened = open_engine(request.param)
    except UsageError as error:
        pytest.skip(str(error))
    with opened:
        yield opened
