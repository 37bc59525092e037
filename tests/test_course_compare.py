"""The comparer of results: what it lets pass, and that no difference is too far down to be seen."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360lib.course.compare import differences

KEY = ["id"]


def people(count: int = 500) -> pd.DataFrame:
    """A table with a key, text, a number, a time and a truth value."""
    return pd.DataFrame(
        {
            "id": [f"p{n:04d}" for n in range(count)],
            "name": [f"name {n % 7}" for n in range(count)],
            "cents": pd.array([n * 13 for n in range(count)], dtype="Int64"),
            "seen": pd.to_datetime([1_760_000_000 + n for n in range(count)], unit="s", utc=True),
            "live": [n % 2 == 0 for n in range(count)],
        }
    )


@pytest.mark.parametrize("row", [0, 100, 499])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "somebody"),
        ("name", None),
        ("cents", -1),
        ("cents", None),
        ("seen", pd.Timestamp(0, tz="UTC")),
        ("live", None),
    ],
)
def test_one_changed_cell_is_found_in_the_first_the_101st_and_the_last_row(row: int, column: str, value: Any) -> None:
    """A difference is found wherever it stands, and named by key and column."""
    got = people().astype({"live": "boolean"})
    got.loc[row, column] = value

    for key in (KEY, []):
        found = differences(people(), got, key)

        assert 1 == len(found)
        assert f"column {column}" in found[0]
        assert (f"id=p{row:04d}" if key else f"row {row + 1}") in found[0]


@given(st.permutations(range(20)))
def test_row_order_is_nothing_where_there_is_a_key(order: list[int]) -> None:
    """Rows are matched by key."""
    assert [] == differences(people(20), people(20).iloc[list(order)], KEY)


def test_without_a_key_row_order_counts() -> None:
    """A result without a key is compared row by row."""
    assert ["row 1, column id: expected 'p0000', got 'p0001'"] == differences(people(2), people(2).iloc[::-1])


@pytest.mark.parametrize(
    "got",
    [
        people(9).astype({"cents": "float64"}),
        people(9).astype({"name": "object", "live": "object"}),
        people(9).set_index("id"),
        people(9).set_index(pd.Index(range(100, 109))),
        people(9)[["live", "seen", "cents", "name", "id"]],
        people(9).assign(seen=people(9)["seen"].dt.tz_localize(None)),
    ],
    ids=["floats", "objects", "key as index", "another index", "column order", "times without a zone"],
)
def test_other_ways_to_hold_the_same_values_pass(got: pd.DataFrame) -> None:
    """Integers may be floats, the key may be the index, absent and types may be written in any way pandas has."""
    assert [] == differences(people(9), got, KEY)


@pytest.mark.parametrize(
    ("got", "told"),
    [
        (people(3).drop(columns="cents"), "missing column cents"),
        (people(3).assign(extra=1), "column extra should not be there"),
        (pd.concat([people(3), people(1)]), "id=p0000 stands 2 times; one row was expected"),
        (people(2), "expected 3 rows, got 2"),
        (people(2), "missing: id=p0002"),
        (people(4), "not expected: id=p0003"),
        (people(3).astype({"cents": "str"}), "column cents: expected numbers, got text"),
        (people(3).assign(live=[1, 0, 1]), "column live: expected true or false, got numbers"),
        (people(3)["id"], "expected a table (DataFrame), got a column (Series)"),
        (None, "expected a table (DataFrame), got nothing (is there a return?)"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_words(got: Any, told: str) -> None:
    """Columns, counts, keys and types have sentences of their own."""
    assert told in differences(people(3), got, KEY)


def test_a_duplicated_expected_key_does_not_hide_a_missing_row() -> None:
    """A key that repeats in what is expected still has its rows counted."""
    twice = pd.concat([people(2), people(1)])

    assert ["expected 3 rows, got 2"] == differences(twice, people(2), KEY)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (3, 3.0),
        (0.1 + 0.2, 0.3),
        (True, np.bool_(True)),
        (3, np.int64(3)),
        (None, pd.NA),
        (None, float("nan")),
        ([1, "a"], (1.0, "a")),
        ({"a"}, frozenset({"a"})),
        ({"a": [1, 2]}, {"a": [1, 2]}),
        (datetime.date(2026, 1, 1), pd.Timestamp("2026-01-01")),
        (pd.Timestamp("2026-01-01T00:00:00Z"), pd.Timestamp("2026-01-01T01:00:00+01:00")),
        (pd.Series([1, 2], index=[5, 6]), pd.Series([2, 1], index=[6, 5])),
    ],
)
def test_values_that_mean_the_same_pass(expected: Any, got: Any) -> None:
    """A value is what it means, not how it is held."""
    assert [] == differences(expected, got)


@pytest.mark.parametrize(
    ("expected", "got", "told"),
    [
        (3, 4, "expected 3, got 4"),
        (1, True, "expected 1, got True"),
        (0, None, "expected 0, got nothing (null)"),
        ("3", 3, "expected '3', got 3"),
        (3, people(1), "expected one value, got a table (DataFrame)"),
        ([1, 2], [1, 3], "value 2: expected 2, got 3"),
        ([1, 2], [1], "expected 2 values, got 1"),
        ([1, 2], {1, 2}, "expected a list, got a set"),
        ({"a"}, {"b"}, "missing: value=a"),
        ({"a": 1}, {"b": 1}, "missing: key=a"),
        ({"a": 1}, {"a": 2}, "key a: expected 1, got 2"),
        (pd.Series([1, 2]), pd.Series([1, 3]), "row 1: expected 2, got 3"),
        (pd.Series([1, 2]), pd.Series([1]), "expected 2 rows, got 1"),
        (pd.Series([1, 2]), pd.Series(["1", "2"]), "expected numbers, got text"),
    ],
)
def test_values_that_differ_are_told_apart(expected: Any, got: Any, told: str) -> None:
    """What was expected and what was got stand in the sentence."""
    assert told in differences(expected, got)
