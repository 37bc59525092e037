"""Long text ids as numbers, given once at the door: layers join and group integers, not text.

Two numbers are equal exactly where the texts are. Accounts are numbered across the sources of one run, because every
source names them; other ids within their source. A number means nothing in another run and never reaches a file.

Most ids end in digits (`shop:3595786894`, `E750226630017`) and few texts stand before them. Such an id is those digits,
how many they are, and the place of what stands before them among all that was seen there; nothing is looked up. Every
other id gets its number from a dictionary, which for millions of ids costs far more than to read the file.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.cells import text_buffers
from c360lib.contract import REFERENCE
from c360lib.schemas import Table

DEVICE = "anonymous_id"
NOBODY = -1
_MOST_DIGITS, _MOST_HEADS, _SAMPLE = 15, 64, 1_000
_WORD = 16
_ZERO = ord("0")
_FACTOR, _BUCKETS = 6364136223846793005, 1 << 22
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


class Numbers:
    """The numbers of one run."""

    def __init__(self) -> None:
        self._accounts = _Space()

    def numbered(self, rows: pa.Table, table: Table) -> pa.Table:
        """Typed rows of a raw table with `_account` (its record_id), `_entity` (its key without lsn), `_device`, and
        `_is_repeated`: another row, usable or not, has its key.

        >>> from c360lib.schemas import RAW
        >>> rows = pa.table({"request_id": ["R2", "R1", "R2"], "record_id": pa.array(["a:x", None, "a:x"])})
        >>> found = Numbers().numbered(rows, RAW["erasure_requests"])
        >>> found["_account"].to_pylist(), found["_is_repeated"].to_pylist()
        ([-2, None, -2], [True, False, True])
        """
        account = self._accounts.numbers(rows["record_id"])
        entity = account if table.entity == REFERENCE else _together([rows[name] for name in table.entity])
        key = entity.fill_null(NOBODY).to_numpy()
        lsn = rows["lsn"].fill_null(NOBODY).to_numpy() if table.is_cdc and "lsn" in rows.column_names else None
        found = {"_account": account, "_entity": pa.array(key), "_is_repeated": pa.array(repeated(key, lsn))}
        if DEVICE in table.column_names:
            found["_device"] = _Space().numbers(rows[DEVICE])
        for name, numbers in found.items():
            rows = rows.append_column(name, numbers)
        return rows


class _Space:
    """Texts that are told apart from each other: one number for each, null for none.

    What may stand before the digits is settled by the first texts, so that one text goes one way for good.
    """

    def __init__(self) -> None:
        self._heads: list[bytes] | None = None
        self._others = pa.array([], pa.string())

    def numbers(self, texts: pa.ChunkedArray) -> pa.Array:
        """The number of each text: below NOBODY from the dictionary, else made of the text itself."""
        if self._heads is None and len(texts):
            self._heads = _frequent_heads(texts)
        with ThreadPoolExecutor() as pool:
            made = pool.map(lambda piece: _from_digits(piece, self._heads or []), texts.chunks)
            found = [self._completed(piece, number) for piece, number in zip(texts.chunks, made, strict=True)]
        return pa.concat_arrays(found) if found else pa.array([], pa.int64())

    def _completed(self, texts: pa.Array, number: Ints) -> pa.Array:
        named = np.asarray(pc.is_valid(texts))
        left = named & (number == NOBODY)
        if left.any():
            number[left] = self._looked_up(texts.filter(pa.array(left)))
        return pa.array(number, mask=None if named.all() else ~named)

    def _looked_up(self, texts: pa.Array) -> Ints:
        """Numbers from the dictionary; a text not seen before gets the next one down."""
        coded = texts.dictionary_encode()
        place = pc.index_in(coded.dictionary, value_set=self._others)
        new = np.asarray(pc.is_null(place))
        at = np.array(pc.fill_null(place, NOBODY), np.int64)
        at[new] = np.arange(len(self._others), len(self._others) + new.sum())
        if new.any():
            self._others = pa.concat_arrays([self._others, coded.dictionary.filter(pa.array(new))])
        numbers: Ints = NOBODY - 1 - at[coded.indices.to_numpy()]
        return numbers


def _frequent_heads(texts: pa.ChunkedArray) -> list[bytes]:
    """What stands before the digits in a sample of the texts; nothing where that is nearly always another text."""
    step = max(1, len(texts) // _SAMPLE)
    pieces = [piece.take(pa.array(np.arange(0, len(piece), step))).to_pylist() for piece in texts.chunks]
    sample = (text.encode() for piece in pieces for text in piece if text is not None)
    ends = (text[:-_MOST_DIGITS] + text[-_MOST_DIGITS:].rstrip(b"0123456789") for text in sample)
    heads = sorted({head for head in ends if len(head) <= _WORD})
    return heads if len(heads) <= _MOST_HEADS else []


def _from_digits(texts: pa.Array, heads: list[bytes]) -> Ints:
    """The number of each text that is one of the heads and digits; NOBODY for any other."""
    number = np.full(len(texts), NOBODY, np.int64)
    starts, data = text_buffers(texts)
    lengths = np.diff(starts)
    data = np.concatenate([np.zeros(_WORD, np.uint8), data, np.zeros(_WORD, np.uint8)])
    words = np.ndarray(len(data) - _WORD + 1, f"V{_WORD}", data, strides=(1,))  # each begins one byte later
    for length in np.flatnonzero(np.bincount(lengths)).tolist() if heads and len(texts) else ():
        rows = np.flatnonzero(lengths == length)
        first, last = (words[at].view("<u8").reshape(-1, 2) for at in (starts[rows] + _WORD, starts[rows] + length))
        for code, head in enumerate(heads):
            digits = length - len(head)
            if 0 < digits <= _MOST_DIGITS:
                value, is_number = _value(last, digits)
                whole = (value * (_MOST_DIGITS + 1) + digits) * _MOST_HEADS + code
                number[rows] = np.where(is_number & _begins_with(first, head), whole, number[rows])
    return number


def _words(text: bytes) -> Words:
    return np.frombuffer(text, "<u8")


def _begins_with(first: Words, head: bytes) -> Flags:
    """Whether the first bytes of a text, as two words, are the head's."""
    mask, wanted = _words((b"\xff" * len(head)).ljust(_WORD, b"\0")), _words(head.ljust(_WORD, b"\0"))
    same: Flags = ((first[:, 0] & mask[0]) == wanted[0]) & ((first[:, 1] & mask[1]) == wanted[1])
    return same


def _value(last: Words, digits: int) -> tuple[Ints, Flags]:
    """What the last bytes of a text, as two words, say as so many digits, and whether they are digits."""
    ones = last.view(np.uint8) - _ZERO  # below "0" wraps around
    ones[:, : _WORD - digits] = 0
    beyond = (ones > 9).view(np.uint64)
    twos = ones[:, 0::2] * np.uint8(10) + ones[:, 1::2]
    fours = twos[:, 0::2] * np.uint16(100) + twos[:, 1::2]
    eights = fours[:, 0::2] * np.uint32(10_000) + fours[:, 1::2]
    return eights[:, 0] * np.int64(100_000_000) + eights[:, 1], (beyond[:, 0] | beyond[:, 1]) == 0


def _together(columns: list[pa.ChunkedArray]) -> pa.Array:
    """One number for the texts of several columns."""
    number = _Space().numbers(columns[-1])
    for column in columns[:-1]:
        coded = column.combine_chunks().dictionary_encode()
        count = len(coded.dictionary) + 1
        if (pc.max(number).as_py() or 0) > (1 << 62) // count:
            number = number.dictionary_encode().indices.cast(pa.int64())
        place = pc.fill_null(coded.indices, NOBODY).cast(pa.int64())
        number = pc.add(pc.multiply(number, count), pc.add(place, 1))
    return number


def repeated(key: Ints, lsn: Ints | None = None) -> npt.NDArray[np.bool_]:
    """True where another row has the same numbers.

    >>> repeated(np.array([7, 7, 8, 7]), np.array([1, 2, 1, 1])).tolist()
    [True, False, False, True]
    """
    mixed = key if lsn is None else key * _FACTOR + lsn
    ordered = np.sort(mixed)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    found = np.zeros(len(key), bool)
    if not len(twice):
        return found
    # A first, coarse look spares nearly all rows the search.
    seen = np.zeros(_BUCKETS, bool)
    seen[_bucket(twice)] = True
    at = np.flatnonzero(seen[_bucket(mixed)])
    found[at] = twice[np.minimum(np.searchsorted(twice, mixed[at]), len(twice) - 1)] == mixed[at]
    if lsn is not None:  # different pairs may mix to one number
        at = np.flatnonzero(found)
        _, same, counts = np.unique(np.stack([key[at], lsn[at]]), axis=1, return_inverse=True, return_counts=True)
        found[at] = counts[same] > 1
    return found


def _bucket(numbers: Ints) -> Ints:
    return (numbers * _FACTOR >> 40) & (_BUCKETS - 1)
