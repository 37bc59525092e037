"""The helpers of the engine that consent goes through: on each engine by another way, everywhere the same rows."""

from __future__ import annotations

from itertools import product
from typing import Any

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.engine import PLACE, Engine, Frame, crossed, last_each, looked_up, named, open_engine
from tests.support import FAST

WORDS = st.sampled_from(["", "a", "b", "é", "Z", "\uffff", "😀"])
CHOICES = st.lists(st.tuples(st.integers(0, 1), st.integers(-1, 0), WORDS), min_size=1, max_size=12)
WANTED = st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=8)
KNOWN = st.dictionaries(st.integers(0, 6), st.one_of(st.none(), WORDS), max_size=5)
each_engine = pytest.mark.parametrize("name", ["pandas", FAST, "duckdb"])


def frame_of_columns(engine: Engine, **columns: pa.Array) -> Frame:
    """A frame of those columns."""
    return engine.load_table(pa.table(columns))


def rows_of(engine: Engine, frame: Frame) -> list[dict[str, Any]]:
    """The rows of a frame that is computed as a layer's result is."""
    rows: list[dict[str, Any]] = engine.table(engine.materialise(frame)).to_pylist()
    return rows


@each_engine
def test_the_last_row_of_each_is_that_of_the_greatest_number_then_text(name: str) -> None:
    """As a loop finds it, text by code point."""

    @settings(deadline=None, max_examples=50)
    @given(CHOICES)
    def holds(rows: list[tuple[int, int, str]]) -> None:
        rows = list(dict.fromkeys(rows))
        whole = {n: pa.array([row[i] for row in rows], pa.int64()) for i, n in enumerate(("by", "number"))}
        with open_engine(name) as engine:
            frame = frame_of_columns(engine, **whole, text=pa.array([row[2] for row in rows], pa.string()))
            found = rows_of(engine, last_each(frame, "by", "number", "text"))
        expected = [max(row for row in rows if row[0] == by) for by in sorted({row[0] for row in rows})]
        assert expected == sorted(tuple(row.values()) for row in found)

    holds()


@each_engine
@pytest.mark.parametrize("in_order", [False, True])
def test_a_number_is_looked_up_or_unknown(name: str, in_order: bool) -> None:
    """Every row stays, once; where the number is absent, null or known to have nothing, nothing is known."""

    @settings(deadline=None, max_examples=25)
    @given(WANTED, KNOWN)
    def holds(wanted: list[int | None], known: dict[int, str | None]) -> None:
        with open_engine(name) as engine:
            count = pa.array(range(len(wanted)), pa.int64())
            frame = frame_of_columns(engine, count=count, key=pa.array(wanted, pa.int64()))
            texts = pa.array(list(known.values()), pa.string())
            other = frame_of_columns(engine, key=pa.array(list(known), pa.int64()), text=texts)
            other = other.with_columns(is_absent=nw.col("text").is_null())
            found = rows_of(engine, looked_up(frame, other, "key", in_order))
        expected = [
            {"count": n, "key": key, "text": known.get(key), "is_absent": known[key] is None if key in known else None}
            for n, key in enumerate(wanted)
        ]
        ordered = name == "pandas" or (name == FAST and in_order)
        assert expected == (found if ordered else sorted(found, key=lambda row: row["count"]))

    holds()


def test_each_row_meets_each_other(engine: Engine) -> None:
    """In the order of the rows, then of the others, on the engines that keep an order."""
    letters, numbers = ["b", "a", "c"], [2, 1]
    one, two = frame_of_columns(engine, letter=pa.array(letters)), frame_of_columns(engine, number=pa.array(numbers))
    found = [tuple(row.values()) for row in rows_of(engine, crossed(one, two))]
    expected = list(product(letters, numbers))
    assert expected == found or (
        type(engine).__name__ not in ("Pandas", "Polars") and sorted(expected) == sorted(found)
    )
    assert [] == rows_of(engine, crossed(one.head(0), two))


def test_a_number_is_named_or_null(engine: Engine) -> None:
    """Null below, above and where there is no number."""
    numbers = pa.array([1, None, -1, 0, 2, 1], pa.int64())
    frame = named(frame_of_columns(engine, number=numbers), "number", ["zero", "one"], "name")
    expected = {(1, "one"), (None, None), (-1, None), (0, "zero"), (2, None)}
    found = [tuple(row.values()) for row in rows_of(engine, frame)]
    assert (6, expected) == (len(found), set(found))


@pytest.mark.parametrize("places", [[0, 1, 2, 3], [2, 0, 3, 1], []])
def test_batches_come_in_the_order_of_a_place(engine: Engine, places: list[int]) -> None:
    """Whether the rows stand in it already or not, and where there are none."""
    frame = frame_of_columns(
        engine, key=pa.array([str(n) for n in places], pa.string()), **{PLACE: pa.array(places, pa.int64())}
    )
    found = [row["key"] for batch in engine.batches(frame, ["key"]) for row in batch.to_pylist()]
    assert sorted(str(n) for n in places) == found
