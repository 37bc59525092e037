"""Text cells to typed cells and back, in Arrow: one implementation, so every engine gets the same values.

Text that is not what its column says never raises: it becomes null, and the caller decides whether the row can do
without it. Functions take and give Arrow arrays (or chunked arrays) of equal length.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.rules import SECONDS_PER_DAY
from c360lib.schemas import Column

_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_TIMESTAMP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_SPACE_BEGINS = (0xC2, 0xE1, 0xE2, 0xE3)  # the first byte of each character beyond ASCII that is white space
_SPACES = re.compile(r"[\s\x00-\x1f]+")


def map_distinct(array: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """Apply a Python function once to each distinct text.

    >>> map_distinct(pa.array(["a", None, "a"]), str.upper).to_pylist()
    ['A', None, 'A']
    """
    coded = array.dictionary_encode()
    values = pa.array([function(text) for text in coded.dictionary.to_pylist()], pa.string())
    return values.take(coded.indices)


def trimmed(array: pa.Array) -> pa.Array:
    """Text without white space at its ends; nothing left means null.

    >>> trimmed(pa.array([" a ", "", "\u00a0", "b"])).to_pylist()
    ['a', None, None, 'b']
    """
    starts, data = text_buffers(array)
    if _may_have_edge_space(starts, data):
        array = pc.utf8_trim_whitespace(array)
        starts, data = text_buffers(array)
    filled = starts[1:] > starts[:-1]
    if filled.all():
        return array
    return text_of(starts, data, filled & np.asarray(pc.is_valid(array)))


def text_buffers(array: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Where each cell starts (and the last one ends) in the bytes of all cells; a null may have bytes, too."""
    starts = np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, array.offset * 4)
    return starts, np.frombuffer(array.buffers()[2] or b"", np.uint8)


def text_of(starts: npt.NDArray[np.integer], data: npt.NDArray[np.uint8], known: npt.NDArray[np.bool_]) -> pa.Array:
    """Text cells from what `text_buffers` gives; null where not `known`."""
    texts = pa.py_buffer(starts.astype(np.int32)), pa.py_buffer(data)
    return pa.StringArray.from_buffers(len(known), *texts, validity(known))


def validity(known: npt.NDArray[np.bool_]) -> pa.Buffer:
    """What tells Arrow which cells of an array are not null."""
    return pa.py_buffer(np.packbits(known, bitorder="little"))


def _may_have_edge_space(starts: npt.NDArray[np.int32], data: npt.NDArray[np.uint8]) -> bool:
    """Look at the first and last byte of each cell only; trimming every cell would cost more than all the rest."""
    if _is_visible_ascii(data[starts[0] : starts[-1]]):
        return False
    filled = starts[1:] > starts[:-1]
    first, last = (starts[:-1], starts[1:]) if filled.all() else (starts[:-1][filled], starts[1:][filled])
    if any((edge <= 0x20).any() for edge in (data[first], data[last - 1])):
        return True
    if np.isin(data[first], _SPACE_BEGINS).any():
        return True
    far = last[data[last - 1] >= 0x80]  # such a character is of two bytes or more, a space of two or three
    return bool(((data[far - 2] == 0xC2) | np.isin(data[np.maximum(far, 3) - 3], _SPACE_BEGINS[1:])).any())


def _is_visible_ascii(data: npt.NDArray[np.uint8]) -> bool:
    return bool(data.min(initial=0x7E) > 0x20 and data.max(initial=0) < 0x7F)


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """The only folding of case and space: compatibility form, case folded, inner space single.

    >>> fold(" Stra\\u00dfe\u00a0 9 "), fold("\\u0130pek") == fold("i\\u0307pek")
    ('strasse 9', True)
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _SPACES.sub(" ", folded).strip()


def folded(array: pa.Array) -> pa.Array:
    """`fold` on every cell; nothing left means null.

    >>> folded(pa.array(["  ANNA  Maria ", "\u0130pek", None])).to_pylist() == ["anna maria", "i\u0307pek", None]
    True
    """
    lower = pc.ascii_lower(array)
    _, data = text_buffers(array)
    blank = data == 0x20
    if data.min(initial=0x20) < 0x20 or (blank[1:] & blank[:-1]).any():
        lower = pc.replace_substring_regex(lower, r"[\s\x00-\x1f]+", " ")
    if data.max(initial=0) >= 0x80:
        other = pc.invert(pc.fill_null(pc.string_is_ascii(array), True))
        lower = pc.replace_with_mask(lower, other, map_distinct(array.filter(other), fold))
    return trimmed(lower)


def integers(array: pa.Array) -> pa.Array:
    """Whole numbers of at most 18 digits; anything else is null.

    >>> integers(pa.array(["007", "-5", "0x1f", "1.5", None])).to_pylist()
    [7, -5, None, None, None]
    """
    try:
        if not _has_letter_x(array) and (pc.max(pc.binary_length(array)).as_py() or 0) <= 18:
            return array.cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    return map_distinct(array, lambda text: text if _INTEGER.fullmatch(text) else None).cast(pa.int64())


def _has_letter_x(array: pa.Array) -> bool:
    """Arrow reads 0x1f as 31; the contract does not."""
    _, data = text_buffers(array)
    return bool(((data | 0x20) == ord("x")).any())


def seconds(array: pa.Array) -> pa.Array:
    """Timestamps as seconds since 1970; not exactly `YYYY-MM-DDTHH:MM:SSZ` and on the calendar: null.

    >>> seconds(pa.array(["1970-01-02T00:00:01Z", "2026-02-30T00:00:00Z", "2026-02-03 00:00:00Z"])).to_pylist()
    [86401, None, None]
    """
    try:
        parsed = _cast_seconds(array)
        first = pc.min(parsed).as_py()
        if _all_in_shape(array) and (first is None or first >= (1 - _EPOCH_DAY) * SECONDS_PER_DAY):
            return parsed
    except pa.ArrowInvalid:
        pass
    return _cast_seconds(map_distinct(array, lambda text: text if _is_timestamp(text) else None))


def _cast_seconds(array: pa.Array) -> pa.Array:
    return array.cast(pa.timestamp("s", tz="UTC")).cast(pa.int64())


def _all_in_shape(array: pa.Array) -> bool:
    """True where every cell has 20 bytes with T and Z in place; Arrow has checked the rest but for the year 0."""
    starts, data = text_buffers(array)
    length = len("2026-01-31T00:00:00Z")
    lengths = np.diff(starts)
    if not ((lengths == length) | (lengths == 0)).all():
        return False
    letters = data[starts[0] : starts[-1]].reshape(-1, length)
    return bool(((letters[:, 10] == ord("T")) & (letters[:, 19] == ord("Z"))).all())


def _is_timestamp(text: str) -> bool:
    found = _TIMESTAMP.fullmatch(text)
    return found is not None and _day(found[1]) is not None


def _day(text: str) -> str | None:
    """Days since 1970 of a calendar date, as text; None where there is no such day."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return str(datetime.date.fromisoformat(text).toordinal() - _EPOCH_DAY)
    except ValueError:
        return None


def days(array: pa.Array) -> pa.Array:
    """Calendar dates as days since 1970; an impossible date is null.

    >>> days(pa.array(["1970-01-02", "1987-02-29", "2.1.1970"])).to_pylist()
    [1, None, None]
    """
    try:
        if set(np.unique(np.diff(text_buffers(array)[0])).tolist()) <= {0, len("2026-01-31")}:
            parsed = array.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
            if pc.min(parsed).as_py() is None or pc.min(parsed).as_py() > 1 - _EPOCH_DAY:
                return parsed
    except pa.ArrowInvalid:
        pass
    return map_distinct(array, _day).cast(pa.int64())


def matching(array: pa.Array, pattern: str) -> pa.Array:
    """Keep text that the pattern finds; other text becomes null.

    >>> matching(pa.array(["a@b.c", "nobody"]), "@").to_pylist()
    ['a@b.c', None]
    """
    first = array.slice(0, 1_000)
    is_varied = len(first.unique()) > len(first) // 2
    coded = None if is_varied else array.dictionary_encode()  # few texts are looked at once each
    texts = array if coded is None else coded.dictionary
    found = pc.match_substring_regex(texts, pattern)
    if pc.all(found).as_py():
        return array
    kept = pc.if_else(found, texts, pa.scalar(None, pa.string()))
    return kept if coded is None else kept.take(coded.indices)


def among(array: pa.Array, allowed: Sequence[str]) -> pa.Array:
    """Keep text that is one of those allowed; other text becomes null.

    >>> among(pa.array(["c", "x", None]), ["c", "u"]).to_pylist()
    ['c', None, None]
    """
    known = pc.is_in(array, pa.array(allowed))
    if known.true_count + array.null_count == len(array):
        return array
    return pc.if_else(known, array, pa.scalar(None, pa.string()))


def typed(text: pa.Array, column: Column) -> pa.Array:
    """Trimmed text as its column's kind (see schemas): null where a cell is absent or is not what the column says.

    >>> from c360lib.schemas import RAW
    >>> typed(pa.array(["-5", "5"]), RAW["orders"].column("net_amount_cents")).to_pylist()
    [None, 5]
    """
    if column.allowed:
        text = among(text, column.allowed)
    if column.pattern:
        text = matching(text, column.pattern)
    match column.kind:
        case "int":
            return integers(text)
        case "cents":
            numbers = integers(text)
            return pc.if_else(pc.greater_equal(numbers, 0), numbers, pa.scalar(None, pa.int64()))
        case "ts":
            return seconds(text)
        case "date":
            return days(text)
        case "bool":
            return pc.if_else(
                pc.is_in(text, pa.array(["true", "false"])), pc.equal(text, "true"), pa.scalar(None, pa.bool_())
            )
        case "ratio":
            return text.cast(pa.float64())
        case _:
            return text


def restored(text: pa.ChunkedArray, column: Column) -> pa.Array:
    """A column of a file of ours, all text, as its kind again; what stands empty is null.

    >>> from c360lib.schemas import RAW
    >>> restored(pa.chunked_array([["7", ""]]), RAW["orders"].column("lsn")).to_pylist()
    [7, None]
    """
    return typed(trimmed(text.combine_chunks()), column)


def rendered(array: pa.Array, column: Column) -> pa.Array:
    """A typed column as it stands at rest: timestamps and dates as text, the rest unchanged.

    >>> from c360lib.schemas import RAW
    >>> rendered(pa.array([86401, None]), RAW["orders"].column("event_ts")).to_pylist()
    ['1970-01-02T00:00:01Z', None]
    """
    if column.kind == "ts":
        text = array.cast(pa.int64()).cast(pa.timestamp("s")).cast(pa.string())
        return pc.binary_join_element_wise(pc.utf8_replace_slice(text, 10, 11, "T"), "Z", "")
    if column.kind == "date":
        return array.cast(pa.int32()).cast(pa.date32()).cast(pa.string())
    kinds = {"int": pa.int64(), "cents": pa.int64(), "bool": pa.bool_(), "ratio": pa.float64(), "text": pa.string()}
    return array.cast(kinds[column.kind])
