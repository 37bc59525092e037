"""Engines: what goes in comes out, in the order that is asked for."""

from __future__ import annotations

import pyarrow as pa
import pytest

from c360lib.engine import PLACE, Engine, open_engine


@pytest.mark.parametrize("places", [[0, 1, 2, 3], [2, 0, 3, 1], []])
def test_batches_come_in_the_order_of_a_place(engine: Engine, places: list[int]) -> None:
    """Whether the rows stand in it already or not, and where there are none."""
    frame = engine.load_table(
        pa.table({"key": pa.array([str(n) for n in places], pa.string()), PLACE: pa.array(places, pa.int64())})
    )
    found = [row["key"] for batch in engine.batches(frame, ["key"]) for row in batch.to_pylist()]
    assert sorted(str(n) for n in places) == found


def test_arrow_takes_the_memory_of_an_engine_where_that_engine_needs_the_least() -> None:
    """On pandas jemalloc, where pyarrow has it, because several threads work on it; elsewhere that of the system."""
    before = pa.default_memory_pool()
    try:
        with open_engine("pandas"):
            has_jemalloc = "jemalloc" in pa.supported_memory_backends()
            assert ("jemalloc" if has_jemalloc else "system") == pa.default_memory_pool().backend_name
        pytest.importorskip("duckdb")
        with open_engine("duckdb"):
            assert pa.default_memory_pool().backend_name == "system"
    finally:
        pa.set_memory_pool(before)
