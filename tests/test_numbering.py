"""Numbers in place of long text ids, against the plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.engine import Engine, Frame, open_engine, rows_of, with_columns_of, with_most, with_runs
from c360lib.numbering import Numbers, repeated
from c360lib.schemas import RAW
from tests.support import FAST

TEXTS = [*"abA1", "\u00e4", "a:b", "01", "a1", "a01", "a:1", "b:1", "1" * 15, "1" * 16, "1" * 31, "\u0661", "-1"]
IDS = st.lists(st.sampled_from([*TEXTS, None]), max_size=12)
PIECES = st.lists(IDS, min_size=1, max_size=4)


def rows(source: str, **columns: Sequence[Sequence[str | None]]) -> pa.Table:
    """Text columns of a source, each given in pieces."""
    pieces = {name: pa.chunked_array([pa.array(p, pa.string()) for p in cells]) for name, cells in columns.items()}
    assert source in RAW
    return pa.table(pieces)


@settings(deadline=None)
@given(PIECES)
def test_numbers_are_equal_exactly_where_texts_are(pieces: list[list[str | None]]) -> None:
    """In one source, over all its pieces; a missing device has no number."""
    found = Numbers().numbered(
        rows("clickstream", event_id=pieces, record_id=pieces, anonymous_id=pieces), RAW["clickstream"]
    )
    texts = [text for piece in pieces for text in piece]
    for name in ("_entity", "_account", "_device"):
        numbers = found[name].to_pylist()
        assert len(set(texts)) == len(set(numbers)) == len(set(zip(texts, numbers, strict=True)))
    assert [text is None for text in texts] == [number is None for number in found["_device"].to_pylist()]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["1", "2", "12"])), max_size=12))
def test_a_key_of_two_columns_is_one_number(keys: list[tuple[str, str]]) -> None:
    """Two orders have one number exactly where both parts are equal."""
    table = RAW["orders"]
    systems, orders = [key[0] for key in keys], [key[1] for key in keys]
    text = rows("orders", source_system=[systems], order_id=[orders], record_id=[systems])
    found = Numbers().numbered(text, table)
    numbers = found["_entity"].to_pylist()
    assert len(set(keys)) == len(set(numbers)) == len(set(zip(keys, numbers, strict=True)))


@settings(deadline=None)
@given(st.tuples(IDS, IDS, IDS))
def test_an_account_has_one_number_in_every_source(sources: tuple[list[str | None], ...]) -> None:
    """Whichever source names it first; in customers the account is the entity."""
    numbers = Numbers()
    seen: dict[str | None, int | None] = {}
    for source, ids in zip(("campaign_events", "customers", "erasure_requests"), sources, strict=True):
        keys = {name: [ids] for name in RAW[source].entity if name.endswith("_id")}
        found = numbers.numbered(rows(source, record_id=[ids], **keys), RAW[source])
        for text, number in zip(ids, found["_account"].to_pylist(), strict=True):
            assert seen.setdefault(text, number) == number
        if source == "customers":
            assert [-1 if n is None else n for n in found["_account"].to_pylist()] == found["_entity"].to_pylist()
    assert len(seen) == len(set(seen.values()))
    assert seen.get(None) is None


@pytest.mark.parametrize("heads", [3, 64, 65, 500])
def test_ids_with_few_or_many_texts_before_their_digits_are_told_apart(heads: int) -> None:
    """Whatever stands before the digits, how many digits there are, and whichever source shows an id first."""
    ids = [f"{'x' * (n % 20)}{n % heads}s:{n * 7919 % 10**k}" for n in range(1_500) for k in (1, 6, 14)]
    later = ["new:1", "new:01", "x", "", *ids[::-7]]
    numbers, seen = Numbers(), {}
    for texts in (ids, later):
        keys = {"event_id": [texts], "record_id": [texts]}
        found = numbers.numbered(rows("campaign_events", **keys), RAW["campaign_events"])
        assert len(set(texts)) == len(set(found["_entity"].to_pylist()))
        for text, number in zip(texts, found["_account"].to_pylist(), strict=True):
            assert seen.setdefault(text, number) == number
    assert len(seen) == len(set(seen.values()))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-2, 3), st.integers(-2, 3)), max_size=12))
def test_rows_of_one_key_are_repeated(keys: list[tuple[int, int]]) -> None:
    """Each row of a pair, or of a number, that stands more than once."""
    one, two = (np.array([key[i] for key in keys], np.int64) for i in (0, 1))
    assert [keys.count(key) > 1 for key in keys] == repeated(one, two).tolist()
    assert [one.tolist().count(key) > 1 for key in one] == repeated(one).tolist()


def test_different_pairs_that_mix_to_one_number_are_not_repeated() -> None:
    """Key and lsn are mixed into one number to be sorted; what is equal there is looked at as it is."""
    factor = 6364136223846793005
    key, lsn = np.array([1, 2, 3]), np.array([factor, 0, 5])
    assert (key * factor + lsn)[0] == (key * factor + lsn)[1]
    assert repeated(key, lsn).tolist() == [False, False, False]


NUMBERS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 30), st.one_of(st.none(), st.integers(-2, 2))), max_size=14
)


@pytest.mark.parametrize("name", ["pandas", FAST, "duckdb"])
def test_engines_find_greatest_values_and_runs_as_a_loop_does(name: str) -> None:
    """The helpers that go another way on pandas give what their docstrings say."""

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
    frame = with_runs(frame, "by", "at", "row", 3, "run")
    found = sorted(engine.table(engine.materialise(frame)).to_pylist(), key=lambda row: row["row"])
    return [(row["_most"], row["run"]) for row in found]


def _expected(values: list[tuple[int, int, int | None]]) -> list[tuple[int | None, int]]:
    run: dict[int, int] = {}
    for by in {value[0] for value in values}:
        last, first = None, 0
        for at, row in sorted((value[1], row) for row, value in enumerate(values) if value[0] == by):
            first = row if last is None or at - last > 3 else first
            run[row], last = first, at
    most = {by: max((v for b, _, v in values if b == by and v is not None), default=None) for by, _, _ in values}
    return [(most[value[0]], run[row]) for row, value in enumerate(values)]


KEYS = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=9),
    st.sets(st.integers(-3, 24), min_size=24).map(sorted),  # as row numbers stand
)
NAMES = st.dictionaries(st.integers(-3, 3), st.one_of(st.none(), st.sampled_from("abc")), max_size=6)


@pytest.mark.parametrize("name", ["pandas", FAST, "duckdb"])
def test_engines_look_numbers_up_as_a_dictionary_does(name: str) -> None:
    """Columns of another table come to the rows that name one of its numbers, null to every other; no row is lost."""

    @settings(deadline=None, max_examples=50)
    @given(KEYS, NAMES)
    def holds(keys: list[int | None], named: dict[int, str | None]) -> None:
        with open_engine(name) as engine:
            rows = _loaded(engine, row=(pa.int64(), range(len(keys))), key=(pa.int64(), keys))
            other = _loaded(engine, key=(pa.int64(), named), text=(pa.string(), named.values()))
            twice = _loaded(engine, key=(pa.int64(), [*named, *named]))
            joined = engine.table(engine.materialise(with_columns_of(rows, other, "key"))).to_pylist()
            assert [(n, named.get(k)) for n, k in enumerate(keys)] == sorted((r["row"], r["text"]) for r in joined)
            left = engine.table(engine.materialise(rows_of(rows, twice, "key")))["row"].to_pylist()
            assert [n for n, key in enumerate(keys) if key in named] == sorted(left)

    holds()


def _loaded(engine: Engine, **columns: tuple[pa.DataType, Iterable[Any]]) -> Frame:
    return engine.load_table(pa.table({name: pa.array(list(cells), kind) for name, (kind, cells) in columns.items()}))
