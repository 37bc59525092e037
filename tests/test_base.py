"""The seam of the engines: what goes in comes out, in the order that is asked for."""

from __future__ import annotations

import pyarrow as pa
import pytest

from c360lib.engines.base import Engine


@pytest.mark.parametrize("keys", [["a", "b", "c"], ["c", "a", "\uffff", "😀", "B", "ä"], []])
def test_batches_come_in_the_order_of_the_key(engine: Engine, keys: list[str]) -> None:
    """Text by code point, whether the rows stand in it already or not, and where there are none."""
    frame = engine.load_table(pa.table({"key": pa.array(keys, pa.string())}))
    assert sorted(keys) == [row["key"] for batch in engine.batches(frame, ["key"]) for row in batch.to_pylist()]


def test_a_table_goes_in_and_comes_out(engine: Engine) -> None:
    """With its types, its nulls, and as many batches as it takes."""
    table = pa.table({"n": [1, None, 3], "text": ["a", None, ""], "is": [True, None, False], "share": [0.5, None, 1.0]})
    frame = engine.load(table.schema, table.to_batches(max_chunksize=1))
    assert table.to_pylist() == sorted(engine.table(frame).to_pylist(), key=lambda row: row["n"] or 2)
    assert 0 == len(engine.table(engine.load_table(table[:0])))
