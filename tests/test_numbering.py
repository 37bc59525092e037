"""Numbers in place of long text ids, against the plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.schemas import RAW
from c360lib.sources import ids as numbering
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
    """Whether an odd id stands in every piece, in some or in none; only text that is to be kept is there at the end."""
    text = rows("clickstream", event_id=pieces, record_id=pieces, anonymous_id=pieces)
    numbers = Numbers().of(RAW["clickstream"], keep)
    begun = [numbers.begun(batch) for batch in text.to_batches()]
    found = numbers.finished(pa.Table.from_batches(begun, numbers.schema(text.schema)))
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
@given(IDS, st.integers(1, 4))
def test_ids_are_numbered_piece_by_piece_as_at_once(ids: list[str | None], size: int) -> None:
    """Wherever one piece ends and the next begins, in rows that are cut out of others, too."""
    columns = {"event_id": [ids], "record_id": [ids], "anonymous_id": [ids]}
    text = rows("clickstream", **columns)
    at_once = Numbers().numbered(text, RAW["clickstream"])
    with patch.object(numbering, "_PIECE", size):
        assert Numbers().numbered(text, RAW["clickstream"]).equals(at_once)
        found = Numbers().of(RAW["clickstream"])
        block = text.to_batches()[0] if ids else pa.record_batch([pa.array([], pa.string())] * 3, text.column_names)
        whole, end = found.begun(block), found.begun(block.slice(len(ids) // 2))
    assert end.equals(whole.slice(len(ids) // 2))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.booleans())))
def test_a_null_that_has_bytes_has_no_number(cells: list[tuple[str, bool]]) -> None:
    """Its bytes are those of another text, or of none; the texts beside it keep their numbers."""
    ids = pa.array([text for text, _ in cells], pa.string())
    known = pa.array([is_known for _, is_known in cells], pa.bool_())
    partly = pa.StringArray.from_buffers(len(ids), *ids.buffers()[1:], known.buffers()[1])
    table = RAW["campaign_events"]
    numbers = Numbers().of(table)
    names = ["event_id", "record_id"]
    whole, part = (numbers.begun(pa.record_batch([column, column], names)) for column in (ids, partly))
    for one, other, (_, is_known) in zip(*(b["_account"].to_pylist() for b in (whole, part)), cells, strict=True):
        assert other == (one if is_known else None)


@pytest.mark.parametrize("head", ["", "a", "a:bcdef", "a:bcdefg", "a:bcdefgh", "a:b:c:d:e:f:g:h:"])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 14, 15])
def test_digits_tell_a_number_whatever_their_count_and_the_length_of_the_head(head: str, count: int) -> None:
    """Without a dictionary, so above NOBODY; one byte that is no digit, anywhere among them, and it is looked up."""
    digits = "123456789012345"[-count:]
    odd = [head + digits[:at] + byte + digits[at + 1 :] for at in range(count - 1) for byte in "/:\u00e4"]
    block = pa.record_batch([pa.array([head + "5", head + digits, *odd])] * 2, ["event_id", "record_id"])
    numbers = Numbers().of(RAW["campaign_events"])
    numbers.begun(block.slice(0, 2))
    found = numbers.begun(block)["_account"].to_pylist()
    assert min(found[:2]) > -1
    assert set(found[2:]) <= {-1}


@pytest.mark.parametrize("count", [0, 16, 17, 255, 256, 258, 271, 65_538])
def test_more_digits_than_a_number_holds_are_looked_up(count: int) -> None:
    """So is a head that no digit follows: none is taken for an id whose digits are the last of these."""
    block = pa.record_batch([pa.array(["a1", "a111", "a" + count * "1"])] * 2, ["event_id", "record_id"])
    numbers = Numbers().of(RAW["campaign_events"])
    numbers.begun(block.slice(0, 2))
    found = numbers.begun(block)["_account"].to_pylist()
    assert [number == -1 for number in found] == [False, False, True]


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


FACTOR = 6364136223846793005  # what key and lsn are mixed with
SMALL = st.integers(-2, 3)
MIXED = st.tuples(SMALL, SMALL).map(lambda pair: (pair[0], as_int64(pair[1] - pair[0] * FACTOR)))
ALIKE = st.tuples(SMALL.map(lambda small: as_int64(small * pow(FACTOR, -1, 2**64))), SMALL)


def as_int64(number: int) -> int:
    """What is left of a number in 64 bits."""
    return (number + 2**63) % 2**64 - 2**63


@settings(deadline=None)
@given(st.lists(st.tuples(SMALL, SMALL) | MIXED | ALIKE, max_size=20), st.integers(1, 21))
def test_rows_of_one_key_are_repeated(keys: list[tuple[int, int]], size: int) -> None:
    """Each row of a pair, or of a number, that stands more than once; rows that only mix alike are not."""
    one, two = (np.array([key[i] for key in keys], np.int64) for i in (0, 1))
    with patch.object(numbering, "_PIECE", size):
        found, found_alone = repeated(one, two), repeated(one)
    pairs, numbers = Counter(keys), Counter(one.tolist())
    assert [pairs[key] > 1 for key in keys] == found.tolist()
    assert [numbers[key] > 1 for key in one.tolist()] == found_alone.tolist()


@pytest.mark.parametrize("count", [0, 1, 2, 40_000])
def test_rows_without_a_key_are_all_repeated(count: int) -> None:
    """NOBODY is a key as any other, however often it stands; one row alone is not repeated."""
    key = np.full(count, -1)
    assert repeated(key).tolist() == repeated(key, key).tolist() == [count > 1] * count
    assert not repeated(key, np.arange(count)).any()


def test_different_pairs_that_mix_to_one_number_are_not_repeated() -> None:
    """Key and lsn are mixed into one number to be sorted; what is equal there is looked at as it is."""
    key, lsn = np.array([1, 2, 3]), np.array([FACTOR, 0, 5])
    assert (key * FACTOR + lsn)[0] == (key * FACTOR + lsn)[1]
    assert repeated(key, lsn).tolist() == [False, False, False]


def test_equal_pairs_are_found_among_others_that_mix_as_they_do() -> None:
    """However the rows that mix to one number stand among each other."""
    key = np.array([1, 2, 1, 3, 2, 4])
    assert repeated(key, -key * FACTOR).tolist() == [True, True, True, False, True, False]
