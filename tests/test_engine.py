"""Engines: what goes in comes out, in the order that is asked for."""

from __future__ import annotations

import narwhals as nw
import pyarrow as pa
import pytest

from c360lib.engines import base
from c360lib.engines.base import PLACE, Engine, parts_of
from c360lib.engines.open import open_engine


@pytest.mark.parametrize("places", [[0, 1, 2, 3], [2, 0, 3, 1], []])
def test_batches_come_in_the_order_of_a_place(engine: Engine, places: list[int]) -> None:
    """Whether the rows stand in it already or not, and where there are none."""
    frame = engine.load_table(
        pa.table({"key": pa.array([str(n) for n in places], pa.string()), PLACE: pa.array(places, pa.int64())})
    )
    found = [row["key"] for batch in engine.batches(frame, ["key"]) for row in batch.to_pylist()]
    assert sorted(str(n) for n in places) == found


def test_a_table_may_come_in_parts(engine: Engine) -> None:
    """Each in order, one after the other; a frame is one part."""
    one, two = (engine.load_table(pa.table({"key": pa.array(keys, pa.string())})) for keys in (["b", "a"], ["d", "c"]))
    assert ["a", "b", "c", "d"] == [r["key"] for b in engine.batches(iter([one, two]), ["key"]) for r in b.to_pylist()]
    whole = [row["key"] for row in engine.table(iter([one, two])).to_pylist()]
    assert (["a", "b"], ["c", "d"]) == (sorted(whole[:2]), sorted(whole[2:]))
    assert [one] == list(parts_of(one))
    assert [one, two] == list(parts_of(iter([one, two])))


@pytest.mark.parametrize("most", [base.BATCH_ROWS, 2])
def test_text_of_few_words_stays_text_to_whoever_reads_it(
    engine: Engine, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However an engine holds it, of a large table too: compared, filled, beside other text and given back."""
    monkeypatch.setattr(base, "BATCH_ROWS", most)
    op: pa.Array = pa.array(["c", None, "d"])
    if engine.takes_words:
        op = pa.DictionaryArray.from_arrays(pa.array([0, None, 2], pa.uint8()), pa.array(["c", "u", "d"]))
    frame = engine.load_table(pa.table({"n": [1, 2, 3], "op": op, "other": ["c", "x", None]}))
    frame = frame.with_columns(is_delete=(nw.col("op") == "d").fill_null(False), filled=nw.col("op").fill_null("u"))
    found = engine.table(frame).to_pylist()
    expected = [(1, "c", "c", False, "c"), (2, None, "x", False, "u"), (3, "d", None, True, "d")]
    assert expected == sorted(tuple(row.values()) for row in found)
    batches = list(engine.batches(frame, ["n"]))
    assert ["c", None, "d"] == [row["op"] for batch in batches for row in batch.to_pylist()]


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
