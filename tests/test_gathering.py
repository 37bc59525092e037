"""Gathering: the table that the batches make, whatever was expected of them."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.sources.gather import gathered

WORDS = pa.dictionary(pa.uint8(), pa.string())
KNOWN = {"word": pa.array(["a", "b"])}
SCHEMA = pa.schema([("n", pa.int64()), ("word", WORDS), ("text", pa.string()), ("flag", pa.bool_())])


def batch(numbers: list[int | None]) -> pa.RecordBatch:
    """A batch of all kinds of columns, with gaps where the numbers have them."""
    words = pa.array([None if n is None else abs(n) % 2 for n in numbers], pa.uint8())
    columns = [
        pa.array(numbers, pa.int64()),
        pa.DictionaryArray.from_arrays(words, KNOWN["word"]),
        pa.array([None if n is None else str(n) for n in numbers], pa.string()),
        pa.array([None if n is None else n > 0 for n in numbers], pa.bool_()),
    ]
    return pa.record_batch(columns, schema=SCHEMA)


NUMBERS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=20)


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, st.integers(0, 5)), max_size=6), st.integers(0, 60))
def test_the_table_is_what_arrow_makes_of_the_batches(parts: list[tuple[list[int | None], int]], rows: int) -> None:
    """Any batches, parts of others too, empty ones, none; more rows than were expected or fewer."""
    batches = [batch(numbers).slice(start) for numbers, start in parts]
    table = gathered(batches, SCHEMA, rows, KNOWN)
    table.validate(full=True)
    assert table.schema == SCHEMA
    assert table["word"].chunk(0).dictionary == KNOWN["word"]  # although there may be no row
    assert table.to_pylist() == pa.Table.from_batches(batches, SCHEMA).to_pylist()


@pytest.mark.parametrize("expected", [0, 3, 1_000])
def test_numbers_and_words_stand_in_one_piece(expected: int) -> None:
    """Text stays in the pieces that it came in."""
    table = gathered([batch([1, None]), batch([3])], SCHEMA, expected, KNOWN)
    assert [table[name].num_chunks for name in SCHEMA.names] == [1, 1, 2, 2]
