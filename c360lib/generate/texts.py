"""From integers to text cells, a whole column at a time. Every column is an Arrow string array without nulls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.generate.draws import Flags, Ints

Text: TypeAlias = Any  # a pa.StringArray; pyarrow ships no types
Part: TypeAlias = Any  # a Text, or one str for all rows

SECONDS_PER_DAY = 86_400


def choose(words: Sequence[str], indices: Ints) -> Text:
    """The word at each index.

    >>> choose(("red", "blue"), np.array([1, 0, 1])).to_pylist()
    ['blue', 'red', 'blue']
    """
    return pa.array(words, pa.string()).take(pa.array(indices))


def same(word: str, rows: int) -> Text:
    """One word for all rows."""
    return choose((word,), np.zeros(rows, dtype=np.int64))


def join(*parts: Part) -> Text:
    """The parts of each row, one after the other.

    >>> join("a", pa.array(["1", "2"])).to_pylist()
    ['a1', 'a2']
    """
    return pc.binary_join_element_wise(*parts, "")


def where(flags: Flags, yes: Part, no: Part) -> Text:
    """`yes` where the flag holds, else `no`."""
    return pc.if_else(pa.array(flags), yes, no)


def number(values: Ints) -> Text:
    """Decimal digits, without padding."""
    return pa.array(values).cast(pa.string())


def digits(values: Ints, width: int) -> Text:
    """Decimal digits, padded on the left with zeros.

    >>> digits(np.array([7, 1234]), 6).to_pylist()
    ['000007', '001234']
    """
    return pc.utf8_lpad(number(values), width, "0")


def date(days: Ints) -> Text:
    """Days since 1970 as `YYYY-MM-DD`."""
    return pa.array(days.astype(np.int32)).cast(pa.date32()).cast(pa.string())


def timestamp(seconds: Ints) -> Text:
    """Seconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ`.

    >>> timestamp(np.array([0, 1_782_863_999])).to_pylist()
    ['1970-01-01T00:00:00Z', '2026-06-30T23:59:59Z']
    """
    clock = pa.array((seconds % SECONDS_PER_DAY).astype(np.int32)).cast(pa.time32("s")).cast(pa.string())
    return join(date(seconds // SECONDS_PER_DAY), "T", clock, "Z")


def capitals(text: Text) -> Text:
    """All ASCII letters as capitals."""
    return pc.ascii_upper(text)


def capital(text: Text) -> Text:
    """The first letter as a capital, the other ASCII letters small."""
    return pc.ascii_capitalize(text)
