"""Long text ids as numbers, given once at the door: layers join and group integers, not text.

Two numbers are equal exactly where the texts are. Accounts are numbered across the sources of one run, because every
source names them; other ids within their source. A number means nothing in another run and never reaches a file.

Most ids end in digits (`shop:3595786894`, `E750226630017`) and few texts stand before them. Such an id is those digits,
how many they are, and the place of what stands before them among all that was seen there; nothing is looked up, so
blocks of a file are numbered side by side. Every other id gets its number from a dictionary, once all are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.engines.base import pieces
from c360lib.schemas import Table
from c360lib.sources.cells import text_buffers
from c360lib.sources.typed import REFERENCE

DEVICE = "anonymous_id"
NOBODY = -1
_MOST_DIGITS, _MOST_HEADS, _SAMPLE = 15, 64, 1_000
_WORD = 16
_PADDING = np.zeros(_WORD, np.uint8)
_ZEROS, _SIXES, _HIGH = (np.uint64(int(byte * 8, 16)) for byte in ("30", "06", "f0"))
_STEPS = (
    (10 << 8 | 1, 8, 0x00FF00FF00FF00FF),
    (100 << 16 | 1, 16, 0x0000FFFF0000FFFF),
    (10_000 << 32 | 1, 32, 0x00000000FFFFFFFF),
)
_FACTOR = 6364136223846793005
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


class Numbers:
    """The numbers of one run."""

    def __init__(self) -> None:
        self._accounts = _Space()

    def of(self, table: Table, keep: Sequence[str] | None = None) -> SourceNumbers:
        """The numbers of a raw table's rows, to be given block by block; see `SourceNumbers`."""
        return SourceNumbers(table, self._accounts, keep)

    def numbered(self, rows: pa.Table, table: Table) -> pa.Table:
        """Typed rows of a raw table with their numbers; see `SourceNumbers`.

        >>> from c360lib.schemas import RAW
        >>> rows = pa.table({"request_id": ["R2", "R1", "R2"], "record_id": pa.array(["a:x", None, "a:x"])})
        >>> found = Numbers().numbered(rows, RAW["erasure_requests"])
        >>> found["_account"].to_pylist(), found["_is_repeated"].to_pylist()
        ([-2, None, -2], [True, False, True])
        """
        numbers = self.of(table)
        pieces = [numbers.begun(batch) for batch in rows.to_batches()]
        return numbers.finished(pa.Table.from_batches(pieces, numbers.schema(rows.schema)))


class SourceNumbers:
    """The numbers of the rows of one raw table: `_account` (its record_id), `_entity` (its key without lsn), `_device`.

    Blocks may be begun side by side after the first of them; a number that no digits tell is NOBODY until the end.
    Of what is numbered only the columns to `keep` (None: all) and the record_id of an account itself stay as text.
    """

    def __init__(self, table: Table, accounts: _Space, keep: Sequence[str] | None = None) -> None:
        self._table = table
        self._spaces: dict[str, tuple[tuple[str, ...], _Space]] = {"_account": (("record_id",), accounts)}
        if table.entity != REFERENCE:
            self._spaces["_entity"] = (table.entity, _Space())
        if DEVICE in table.column_names:
            self._spaces["_device"] = ((DEVICE,), _Space())
        self._unfinished: set[str] = set()
        read = {name for columns, _ in self._spaces.values() for name in columns}
        own = {"record_id"} if table.entity == REFERENCE else set()
        self._unwanted = set() if keep is None else read - own - set(keep)

    def schema(self, typed: pa.Schema) -> pa.Schema:
        """The schema of blocks that are begun, from that of typed rows."""
        for name in self._spaces:
            typed = typed.append(pa.field(name, pa.int64()))
        return typed

    def begun(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """A block with the numbers that its texts tell; an absent text has none."""
        numbers, left = [], self._unwanted
        for name, (columns, space) in self._spaces.items():
            numbers.append(space.numbers(_texts(rows, columns)))
            if pc.any(pc.equal(numbers[-1], NOBODY)).as_py():
                self._unfinished.add(name)
                left = left - set(columns)
        nothing = pa.nulls(len(rows), pa.string())
        kept = [nothing if name in left else rows[name] for name in rows.schema.names]
        return pa.record_batch([*kept, *numbers], schema=self.schema(rows.schema))

    def finished(self, rows: pa.Table) -> pa.Table:
        """All blocks with every number, and `_is_repeated`: another row, usable or not, has its key.

        An entity is always a number, NOBODY where part of its key is absent.
        """
        for name in sorted(self._unfinished):
            columns, space = self._spaces[name]
            left = pc.fill_null(pc.equal(rows[name], NOBODY), False).combine_chunks()
            found = space.looked_up(_texts(rows.filter(left), columns))
            rows = _with(rows, name, pc.replace_with_mask(rows[name].combine_chunks(), left, found))
        entity = rows["_entity"] if "_entity" in self._spaces else rows["_account"]
        entity = pc.fill_null(entity, NOBODY)
        is_ordered = self._table.is_cdc and "lsn" in rows.column_names
        lsn = rows["lsn"].fill_null(NOBODY).to_numpy() if is_ordered else None
        is_repeated = pa.array(repeated(entity.to_numpy(), lsn))
        rows = _with(_with(rows, "_entity", entity), "_is_repeated", is_repeated)
        return rows.drop_columns([name for name in rows.column_names if name in self._unwanted])


def _with(rows: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The table with a column of that name, new or in place of the one it has."""
    at = rows.column_names.index(name) if name in rows.column_names else rows.num_columns
    return rows.set_column(at, name, column) if at < rows.num_columns else rows.append_column(name, column)


def _texts(rows: pa.RecordBatch | pa.Table, columns: tuple[str, ...]) -> Any:
    """One column of text; of several the texts joined: a system has no colon, so different keys stay different."""
    parts = [rows[name] for name in columns]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, ":")


class _Space:
    """Texts that are told apart from each other: one number for each, null for none.

    What may stand before the digits is settled by the first block, so that one text goes one way for good.
    """

    def __init__(self) -> None:
        self._heads: list[bytes] | None = None
        self._others = pa.array([], pa.string())

    def numbers(self, texts: pa.Array) -> pa.Array:
        """The number that the text itself tells; NOBODY where it is to be looked up."""
        if self._heads is None and len(texts):
            self._heads = _frequent_heads(texts)
        number = pa.array(_from_digits(texts, self._heads or []))
        return pc.if_else(pc.is_valid(texts), number, None) if texts.null_count else number

    def looked_up(self, texts: pa.ChunkedArray) -> pa.Array:
        """Numbers from the dictionary, below NOBODY; a text not seen before gets the next one down."""
        coded = texts.dictionary_encode().chunks
        distinct = coded[0].dictionary  # of all chunks
        place = pc.index_in(distinct, value_set=self._others)
        new = pc.is_null(place)
        at = np.array(pc.fill_null(place, NOBODY), np.int64)
        at[np.asarray(new)] = np.arange(len(self._others), len(self._others) + new.true_count)
        self._others = pa.concat_arrays([self._others, distinct.filter(new)])
        return pa.array(NOBODY - 1 - at[np.concatenate([chunk.indices.to_numpy() for chunk in coded])])


def _frequent_heads(texts: pa.Array) -> list[bytes]:
    """What stands before the digits in a sample of the texts; nothing where that is nearly always another text."""
    sample = texts.take(pa.array(np.arange(0, len(texts), max(1, len(texts) // _SAMPLE)))).drop_null().to_pylist()
    coded = (text.encode() for text in sample)
    ends = (text[:-_MOST_DIGITS] + text[-_MOST_DIGITS:].rstrip(b"0123456789") for text in coded)
    heads = sorted({head for head in ends if len(head) <= _WORD})
    return heads if len(heads) <= _MOST_HEADS else []


def _from_digits(texts: pa.Array, heads: list[bytes]) -> Ints:
    """The number of each text that is one of the heads and digits; NOBODY for any other."""
    if not heads:
        return np.full(len(texts), NOBODY)
    starts, data = text_buffers(texts)
    numbers = np.empty(len(texts), np.int64)
    for piece in pieces(len(texts)):
        _number_piece(starts[piece.start : piece.stop + 1], data, heads, numbers[piece])
    return numbers


def _number_piece(starts: npt.NDArray[np.int32], data: Bytes, heads: list[bytes], numbers: Ints) -> None:
    """Set the numbers of the texts of one piece; as much stands before and after them as is read of a short one."""
    data = np.concatenate([_PADDING, data[starts[0] : starts[-1]], _PADDING])
    at = starts.astype(np.intp) - starts[0]
    first = _words_at(data[_WORD:], at[:-1], 2 if max(map(len, heads)) > 8 else 1)
    place, digits = _heads_and_digits(first, np.diff(starts), heads)
    value, is_number = _value(_words_at(data, at[1:], 2), digits)
    np.multiply(value, (_MOST_DIGITS + 1) * _MOST_HEADS, out=numbers)
    numbers += np.multiply(digits, _MOST_HEADS, dtype=np.int32) + place - 1
    np.copyto(numbers, NOBODY, where=~is_number | (place == 0))


def _words_at(data: Bytes, at: npt.NDArray[np.intp], count: int) -> Words:
    """So many words of the data from each of those places on."""
    words = np.ndarray(len(data) - 8 * count + 1, f"V{8 * count}", data, strides=(1,))  # each begins one byte later
    return words[at].view("<u8").reshape(-1, count)


def _heads_and_digits(first: Words, lengths: npt.NDArray[np.int32], heads: list[bytes]) -> tuple[Bytes, Bytes]:
    """The place of each text's head, counted from 1, and how many bytes follow it; 0 and any count where no head fits.

    Of several that fit it is the longest, which comes last among heads in order.
    """
    length = np.minimum(lengths, 255).astype(np.uint8)
    place = np.zeros(len(length), np.uint8)
    for number, head in enumerate(heads, 1):
        fits = _begins_with(first, head) & (length - (len(head) + 1) < _MOST_DIGITS)  # bytes wrap below 0
        np.maximum(place, fits * np.uint8(number), out=place)
    return place, length - np.take(np.array([0, *map(len, heads)], np.uint8), place)


def _words(text: bytes) -> Words:
    return np.frombuffer(text, "<u8")


def _begins_with(first: Words, head: bytes) -> Flags:
    """Whether the first bytes of a text, as words, are the head's."""
    same = np.ones(len(first), bool)
    for at in range(0, len(head), 8):
        part = head[at : at + 8]
        mask, wanted = _words((b"\xff" * len(part)).ljust(8, b"\0")), _words(part.ljust(8, b"\0"))
        same &= (first[:, at // 8] & mask) == wanted
    return same


_LAST = np.stack([_words((b"\xff" * count).rjust(_WORD, b"\0")) for count in range(_WORD + 1)])


def _value(last: Words, digits: Bytes) -> tuple[Ints, Flags]:
    """What so many last bytes of a text, as two words, say as a number, and whether they are digits; `last` is used up.

    Eight digits at once: pairs of neighbours are summed to tens, hundreds, ten thousands, each in its part of the word.
    """
    last ^= _ZEROS
    last &= np.take(_LAST, digits, axis=0, mode="clip")
    beyond = ((last + _SIXES) | last) & _HIGH
    for weight, bits, kept in _STEPS:
        last *= weight
        last >>= bits
        last &= kept
    eights = last.view(np.int64)
    return eights[:, 0] * 100_000_000 + eights[:, 1], (beyond[:, 0] | beyond[:, 1]) == 0


def repeated(key: Ints, lsn: Ints | None = None) -> Flags:
    """True where another row has the same numbers.

    >>> repeated(np.array([7, 7, 8, 7]), np.array([1, 2, 1, 1])).tolist()
    [True, False, False, True]
    """
    at = np.flatnonzero(_mix_as_another(key, lsn))
    at = at[np.lexsort([key[at]] if lsn is None else [lsn[at], key[at]])]
    one, next_one = at[:-1], at[1:]
    same = key[one] == key[next_one]
    if lsn is not None:
        same &= lsn[one] == lsn[next_one]
    found = np.zeros(len(key), bool)
    found[one[same]] = found[next_one[same]] = True
    return found


def _mix_as_another(key: Ints, lsn: Ints | None) -> Flags:
    """True where a row's numbers, mixed, begin with the bits of another row's: wherever they are equal, seldom else.

    The bits below tell the row, so sorting has nothing to carry along.
    """
    row_bits = np.uint64((1 << len(key).bit_length()) - 1)
    mixed = np.empty(len(key), np.uint64)
    for piece in pieces(len(key)):
        numbers = key[piece] * _FACTOR
        if lsn is not None:
            numbers = (numbers + lsn[piece]) * _FACTOR
        rows = np.arange(piece.start, piece.stop, dtype=np.uint64)
        mixed[piece] = numbers.view(np.uint64) & ~row_bits | rows
    mixed.sort()
    found = np.zeros(len(key), bool)
    for piece in pieces(len(key)):
        ordered = mixed[piece.start : piece.stop + 1]
        at = np.flatnonzero((ordered[1:] ^ ordered[:-1]) <= row_bits)
        for one in (ordered[at], ordered[at + 1]):
            found[(one & row_bits).view(np.int64)] = True
    return found
