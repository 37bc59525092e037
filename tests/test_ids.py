"""Numbers in place of long text ids, against the plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.schemas import RAW
from c360lib.sources.ids import Numbers, repeated

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
@given(PIECES, st.sampled_from([(), ("event_id",), ("event_id", "anonymous_id", "record_id")]))
def test_text_that_is_not_kept_changes_no_number(pieces: list[list[str | None]], keep: tuple[str, ...]) -> None:
    """Only text that is to be kept is there at the end."""
    text = rows("clickstream", event_id=pieces, record_id=pieces, anonymous_id=pieces)
    found = Numbers().numbered(text, RAW["clickstream"], keep)
    expected = Numbers().numbered(text, RAW["clickstream"])
    kept = [name for name in expected.column_names if name.startswith("_") or name in keep]
    assert found.to_pylist() == expected.select(kept).to_pylist()


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


SMALL = st.integers(-2, 3)


@settings(deadline=None)
@given(st.lists(st.tuples(SMALL, SMALL), max_size=20))
def test_rows_of_one_key_are_repeated(keys: list[tuple[int, int]]) -> None:
    """Each row of a pair, or of a number, that stands more than once."""
    one, two = (np.array([key[i] for key in keys], np.int64) for i in (0, 1))
    pairs, numbers = Counter(keys), Counter(one.tolist())
    assert [pairs[key] > 1 for key in keys] == repeated(one, two).tolist()
    assert [numbers[key] > 1 for key in one.tolist()] == repeated(one).tolist()


@pytest.mark.parametrize("count", [0, 1, 2, 40_000])
def test_rows_without_a_key_are_all_repeated(count: int) -> None:
    """NOBODY is a key as any other, however often it stands; one row alone is not repeated."""
    key = np.full(count, -1)
    assert repeated(key).tolist() == repeated(key, key).tolist() == [count > 1] * count
    assert not repeated(key, np.arange(count)).any()
