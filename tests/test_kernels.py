"""What engines do to frames in ways of their own: the rows that the expressions give, and those of a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from c360lib.engines.base import Engine, Frame
from c360lib.engines.kernels import (
    first_per,
    latest_per,
    named,
    null_of,
    rows_of,
    sessionize,
    with_cells_of,
    with_columns_of,
    with_most,
)
from c360lib.engines.open import open_engine
from tests.support import FAST

WORDS = st.sampled_from(["", "a", "b", "é", "Z", "\uffff", "😀"])
CHOICES = st.lists(st.tuples(st.integers(0, 1), st.integers(-1, 0), WORDS), min_size=1, max_size=12)
WANTED = st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=8)
KNOWN = st.dictionaries(st.integers(0, 6), st.one_of(st.none(), WORDS), max_size=5)
MAYBE = st.one_of(st.none(), st.sampled_from(["x", "a text of more than twelve bytes"]))
CELLS = st.tuples(MAYBE, MAYBE)
each_engine = pytest.mark.parametrize("name", [FAST, "duckdb"])


def frame_of_columns(engine: Engine, **columns: pa.Array) -> Frame:
    """A frame of those columns."""
    return engine.load_table(pa.table(columns))


def rows_in(engine: Engine, frame: Frame) -> list[dict[str, Any]]:
    """The rows of a frame that is computed as a layer's result is."""
    rows: list[dict[str, Any]] = engine.table(engine.materialise(frame)).to_pylist()
    return rows


KERNELS: dict[str, Callable[[Frame, Frame], Frame]] = {
    "with_columns_of": lambda rows, other: with_columns_of(rows, other.rename({"text": "found"}), "key"),
    "with_cells_of": lambda rows, other: with_cells_of(rows, other, "key"),
    "rows_of": lambda rows, other: rows_of(rows, other, "key"),
    "with_most": lambda rows, other: with_most(rows, "key", "by"),
    "sessionize": lambda rows, other: sessionize(rows, "by", "at", "row", 2, "session"),
    "first_per": lambda rows, other: first_per(rows, "key", "text", "row"),
    "latest_per": lambda rows, other: latest_per(rows, "key", "text", "row"),
    "named": lambda rows, other: named(rows, "key", ["zero", "one"], "name"),
    "null_of": lambda rows, other: rows.with_columns(nothing=null_of(nw.col("key"))),
}
FRAMES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.one_of(st.none(), st.integers(-1, 3)), WORDS))


@pytest.mark.parametrize("name", KERNELS)
def test_polars_gives_what_the_expressions_give(name: str) -> None:
    """DuckDB runs the expressions that define a kernel; with nulls, ties and no rows at all polars gives the same."""

    @settings(deadline=None, max_examples=40)
    @given(FRAMES, st.dictionaries(st.integers(-1, 3), st.one_of(st.none(), WORDS)))
    @example([], {})
    def holds(cells: list[tuple[int, int, int | None, str]], known: dict[int, str | None]) -> None:
        found = []
        for engine in engines:
            numbers = {n: pa.array([row[i] for row in cells], pa.int64()) for i, n in enumerate(("by", "at", "key"))}
            texts = pa.array([row[3] for row in cells], pa.string())
            rows = frame_of_columns(engine, row=pa.array(range(len(cells)), pa.int64()), **numbers, text=texts)
            keys, other_texts = pa.array(list(known), pa.int64()), pa.array(list(known.values()), pa.string())
            frame = KERNELS[name](rows, frame_of_columns(engine, key=keys, text=other_texts))
            table = engine.table(frame)
            found.append((table.schema.names, table.schema.types, sorted(table.to_pylist(), key=lambda r: r["row"])))
        assert found[0] == found[1]

    with open_engine("duckdb") as duckdb, open_engine("polars") as polars:
        engines = (duckdb, polars)
        holds()


@each_engine
def test_the_first_and_last_row_of_each_are_those_of_the_least_and_greatest_number_then_text(name: str) -> None:
    """As a loop finds it, text by code point."""

    @settings(deadline=None, max_examples=50)
    @given(CHOICES)
    def holds(rows: list[tuple[int, int, str]]) -> None:
        rows = list(dict.fromkeys(rows))
        whole = {n: pa.array([row[i] for row in rows], pa.int64()) for i, n in enumerate(("by", "number"))}
        with open_engine(name) as engine:
            frame = frame_of_columns(engine, **whole, text=pa.array([row[2] for row in rows], pa.string()))
            ends = [rows_in(engine, per(frame, "by", "number", "text")) for per in (first_per, latest_per)]
        groups = [[row for row in rows if row[0] == by] for by in sorted({row[0] for row in rows})]
        expected = [[pick(group) for group in groups] for pick in (min, max)]
        assert expected == [sorted(tuple(row.values()) for row in end) for end in ends]

    holds()


@each_engine
def test_a_number_is_looked_up_or_unknown(name: str) -> None:
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
            found = rows_in(engine, with_columns_of(frame, other, "key"))
        expected = [
            {"count": n, "key": key, "text": known.get(key), "is_absent": known[key] is None if key in known else None}
            for n, key in enumerate(wanted)
        ]
        assert expected == (sorted(found, key=lambda row: row["count"]) if name == "duckdb" else found)

    holds()


def test_a_number_is_named_or_null(engine: Engine) -> None:
    """Null below, above and where there is no number."""
    numbers = pa.array([1, None, -1, 0, 2, 1], pa.int64())
    frame = named(frame_of_columns(engine, number=numbers), "number", ["zero", "one"], "name")
    expected = {(1, "one"), (None, None), (-1, None), (0, "zero"), (2, None)}
    found = [tuple(row.values()) for row in rows_in(engine, frame)]
    assert (6, expected) == (len(found), set(found))


def test_a_number_brings_the_columns_of_its_row(engine: Engine) -> None:
    """Absent where the number is absent or not there; every row stays once, its own columns as they were."""
    rows = pa.table({"n": [7, None, 8, 7, 9], "name": ["a", "b", None, "d", "e"]})
    other = pa.table({"n": [9, 7], "found": ["nine", None], "count": [90, 70]})
    frame = with_columns_of(engine.load_table(rows), engine.load_table(other), on="n")
    found = rows_in(engine, frame)
    expected = [(7, "a", None, 70), (7, "d", None, 70), (8, None, None, None), (9, "e", "nine", 90)]
    told = [tuple(row[name] for name in ("n", "name", "found", "count")) for row in found]
    assert [*expected, (None, "b", None, None)] == sorted(told, key=lambda row: (row[0] or 10, str(row[1])))
    assert not len(engine.table(with_columns_of(engine.load_table(rows[:0]), engine.load_table(other[:0]), on="n")))


@each_engine
def test_cells_of_few_rows_go_in_place(name: str) -> None:
    """Where the other table has the row's number and a cell; all else, and the frame itself, stays as it was."""

    @settings(deadline=None, max_examples=50)
    @given(st.sets(st.integers(0, 30), max_size=20), st.dictionaries(st.integers(0, 30), CELLS, max_size=4))
    def holds(numbers: set[int], changes: dict[int, tuple[str | None, str | None]]) -> None:
        before = {n: (f"{n}" if n % 3 else None, "as it was, and that is long") for n in sorted(numbers)}
        with open_engine(name) as engine:
            frame, other = (
                frame_of_columns(
                    engine,
                    row=pa.array(list(rows), pa.int64()),
                    one=pa.array([cells[0] for cells in rows.values()], pa.string()),
                    two=pa.array([cells[1] for cells in rows.values()], pa.string()),
                )
                for rows in (before, changes)
            )
            found = rows_in(engine, with_cells_of(frame, other, "row"))
            same = rows_in(engine, frame)
        after = {
            n: [new or old for new, old in zip(changes.get(n, (None, None)), before[n], strict=True)] for n in before
        }
        assert [[n, *after[n]] for n in before] == sorted(list(row.values()) for row in found)
        assert [[n, *before[n]] for n in before] == sorted(list(row.values()) for row in same)

    holds()


NUMBERS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 30), st.one_of(st.none(), st.integers(-2, 2))), max_size=14
)


@pytest.mark.parametrize("name", [FAST, "duckdb"])
def test_engines_find_greatest_values_and_sessions_as_a_loop_does(name: str) -> None:
    """The helpers that go another way on polars give what their docstrings say."""

    @settings(deadline=None, max_examples=25)
    @given(NUMBERS)
    def holds(values: list[tuple[int, int, int | None]]) -> None:
        with open_engine(name) as engine:
            assert _expected(values) == _found(engine, values)

    holds()


def _found(engine: Engine, values: list[tuple[int, int, int | None]]) -> list[tuple[int | None, int]]:
    columns = {"row": range(len(values)), **{n: [v[i] for v in values] for i, n in enumerate(("by", "at", "value"))}}
    table = pa.table({n: pa.array(list(cells), pa.int64()) for n, cells in columns.items()})
    frame = with_most(engine.load(table.schema, table.to_batches()), "value", "by")
    frame = sessionize(frame, "by", "at", "row", 3, "session")
    found = sorted(rows_in(engine, frame), key=lambda row: row["row"])
    return [(row["_most"], row["session"]) for row in found]


def _expected(values: list[tuple[int, int, int | None]]) -> list[tuple[int | None, int]]:
    session: dict[int, int] = {}
    for by in {value[0] for value in values}:
        last, first = None, 0
        for at, row in sorted((value[1], row) for row, value in enumerate(values) if value[0] == by):
            first = row if last is None or at - last > 3 else first
            session[row], last = first, at
    most = {by: max((v for b, _, v in values if b == by and v is not None), default=None) for by, _, _ in values}
    return [(most[value[0]], session[row]) for row, value in enumerate(values)]


KEYS = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=9),
    st.sets(st.integers(-3, 24), min_size=24).map(sorted),  # as row numbers stand
)
NAMES = st.dictionaries(st.integers(-3, 3), st.one_of(st.none(), st.sampled_from("abc")), max_size=6)


@pytest.mark.parametrize("name", [FAST, "duckdb"])
def test_engines_look_numbers_up_as_a_dictionary_does(name: str) -> None:
    """Columns or cells of another table come to the rows that name one of its numbers, and no row is lost."""

    @settings(deadline=None, max_examples=50)
    @given(KEYS, NAMES)
    def holds(keys: list[int | None], known: dict[int, str | None]) -> None:
        with open_engine(name) as engine:
            row, key = pa.array(range(len(keys)), pa.int64()), pa.array(keys, pa.int64())
            rows = frame_of_columns(engine, row=row, key=key)
            numbers, texts = pa.array(list(known), pa.int64()), pa.array(list(known.values()), pa.string())
            other = frame_of_columns(engine, key=numbers, text=texts)
            twice = frame_of_columns(engine, key=pa.concat_arrays([numbers, numbers]))
            joined = rows_in(engine, with_columns_of(rows, other, "key"))
            assert [(n, known.get(k)) for n, k in enumerate(keys)] == sorted((r["row"], r["text"]) for r in joined)
            own = with_cells_of(rows.with_columns(text=nw.lit("own")), other, "key")
            cells = sorted((r["row"], r["text"]) for r in rows_in(engine, own))
            assert [(n, known.get(k) or "own") for n, k in enumerate(keys)] == cells
            left = [r["row"] for r in rows_in(engine, rows_of(rows, twice, "key"))]
            assert [n for n, key in enumerate(keys) if key in known] == sorted(left)

    holds()
