"""What each engine does to a frame in a way of its own, or what it takes several expressions to say: the same rows.

Frames hold whole numbers as keys (see sources/ids.py). The expressions of each kernel are its definition; where polars
goes another way, a test holds it to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pyarrow as pa

from c360lib.engines.base import Frame, Ints, frame_of, import_engine

_ABSENT = np.iinfo(np.int64).min


def with_columns_of(frame: Frame, other: Frame, on: str) -> Frame:
    """The frame with the columns of `other`: a left lookup by a number that is there once and never absent.

    >>> rows = nw.from_dict({"n": [7, 8]}, backend="polars").lazy()
    >>> other = nw.from_dict({"n": [8], "name": ["eight"]}, backend="polars").lazy()
    >>> with_columns_of(rows, other, "n").collect().rows()
    [(7, None), (8, 'eight')]
    """
    if frame.implementation.is_polars():
        return _with_columns_in_place(frame, other, on)
    return frame.join(other, on=on, how="left")


def _with_columns_in_place(frame: Frame, other: Frame, on: str) -> Frame:
    """On polars a left join would copy every column of the frame; this keeps those it has."""
    polars = import_engine("polars")
    rows, others = (part.to_native().collect() for part in (frame, other))
    at = _indices(rows[on].fill_null(_ABSENT).to_numpy(), others[on].to_numpy())
    index = polars.Series(pa.array(at, pa.uint32(), mask=at < 0))
    return frame_of(rows.hstack(others.drop(on).rechunk().select(polars.all().gather(index))))


def _indices(numbers: Ints, others: Ints) -> Ints:
    """The index of each number among others, which are distinct; -1 where it is none of them.

    >>> _indices(np.array([8, 7, 9]), np.array([9, 8])).tolist()
    [1, -1, 0]
    """
    if not len(others):
        return np.full(len(numbers), -1)
    order = np.argsort(others)
    index = np.searchsorted(others, numbers, sorter=order).clip(max=len(others) - 1)
    at: Ints = order[index]
    return np.where(others[at] == numbers, at, -1)


def with_cells_of(frame: Frame, other: Frame, on: str) -> Frame:
    """The frame with the cells of `other`, all columns of the frame, in place of its own where `on` is equal.

    `on` is a number as in `with_columns_of`; an absent cell there changes nothing.

    >>> rows = nw.from_dict({"n": [7, 8], "name": ["seven", "?"]}, backend="polars").lazy()
    >>> other = nw.from_dict({"n": [7, 8], "name": [None, "eight"]}, backend="polars").lazy()
    >>> with_cells_of(rows, other, "n").collect().rows()
    [(7, 'seven'), (8, 'eight')]
    """
    names = [name for name in other.collect_schema().names() if name != on]
    changed = with_columns_of(frame, other.rename({n: f"{n}_of_other" for n in names}), on)
    changed = changed.with_columns(nw.coalesce(f"{n}_of_other", n).alias(n) for n in names)
    return changed.drop(*(f"{n}_of_other" for n in names))


def rows_of(frame: Frame, other: Frame, on: str) -> Frame:
    """The rows of the frame whose `on` some row of `other` has: a semi join.

    >>> rows, other = (nw.from_dict({"n": n}, backend="polars").lazy() for n in ([7, 8, None], [8, 8, 9]))
    >>> rows_of(rows, other, "n").collect().rows()
    [(8,)]
    """
    return frame.join(other.select(on).unique(on), on=on, how="semi")


def with_most(frame: Frame, value: str, by: str) -> Frame:
    """The frame with `_most`, the greatest `value` of each group; both are whole numbers, `by` is never absent.

    >>> rows = nw.from_dict({"n": [1, 2, 2], "age": [None, 3, 5]}, backend="polars").lazy()
    >>> with_most(rows, "age", "n").collect().rows()
    [(1, None, None), (2, 3, 5), (2, 5, 5)]
    """
    groups = frame.filter(~nw.col(value).is_null()).group_by(by).agg(_most=nw.col(value).max())
    return with_columns_of(frame, groups, by)


def sessionize(frame: Frame, by: str, at: str, number: str, gap: int, name: str) -> Frame:
    """The frame with `name`, equal for rows of one `by` that follow each other in `at` with at most `gap` between, and
    without `by`.

    It is the `number` of the session's first row; rows of equal `at` go by `number`. None of the three is ever absent.

    >>> rows = nw.from_dict({"who": [1, 1, 1], "at": [0, 5, 20], "n": [10, 11, 12]}, backend="polars").lazy()
    >>> sessionize(rows, "who", "at", "n", 5, "session").select("n", "session").collect().rows()
    [(10, 10), (11, 10), (12, 12)]
    """
    if frame.implementation.is_polars():
        return _sessionize_by_one_sort(frame, by, at, number, gap, name)
    step = nw.col(at) - nw.col(at).shift(1).over(by, order_by=[at, number])
    frame = frame.with_columns(_step=step)
    begins_here = nw.col("_step").is_null() | (nw.col("_step") > gap)
    frame = frame.with_columns(_first=nw.when(begins_here).then(nw.col(number)))
    session = nw.col("_first").fill_null(strategy="forward").over(by, order_by=[at, number])
    return frame.with_columns(session.alias(name)).drop("_step", "_first", by)


def _sessionize_by_one_sort(frame: Frame, by: str, at: str, number: str, gap: int, name: str) -> Frame:
    """On polars one sort of whole numbers tells it, where a window would sort for each step."""
    rows = frame.to_native().collect()
    sessions = _sessions(rows[by].to_numpy(), rows[at].to_numpy(), rows[number].to_numpy(), gap)
    return frame_of(rows.with_columns(nw.new_series(name, sessions, backend="polars").to_native()).drop(by))


def _sessions(who: Ints, at: Ints, number: Ints, gap: int) -> Ints:
    """For each row the number of the first row of its session.

    >>> _sessions(np.array([1, 2, 1, 1]), np.array([0, 0, 5, 20]), np.array([10, 11, 12, 13]), gap=5).tolist()
    [10, 11, 10, 13]
    """
    order = np.lexsort((number, at, who))
    begins = np.ones(len(order), bool)
    begins[1:] = (np.diff(who[order]) != 0) | (np.diff(at[order]) > gap)
    starts = np.flatnonzero(begins)
    session = np.empty(len(order), np.int64)
    session[order] = np.repeat(number[order[starts]], np.diff(starts, append=len(order)))
    return session


def first_per(frame: Frame, by: str, *order: str) -> Frame:
    """One row for each value of `by`: the first in the order of those columns.

    >>> rows = nw.from_dict({"n": [1, 1], "name": ["b", "a"]}, backend="polars").lazy()
    >>> first_per(rows, "n", "name").collect().rows()
    [(1, 'a')]
    """
    if frame.implementation.is_polars():
        return _one_by_ties(frame, by, "first", order)
    return frame.unique(by, keep="first", order_by=list(order))


def latest_per(frame: Frame, by: str, at: str, *ties: str) -> Frame:
    """One row for each value of `by`: the last in `at`, which is never absent, then in the order of `ties`.

    >>> rows = nw.from_dict({"n": [1, 1], "at": [5, 5], "name": ["b", "a"]}, backend="polars").lazy()
    >>> latest_per(rows, "n", "at", "name").collect().rows()
    [(1, 5, 'b')]
    """
    if frame.implementation.is_polars():
        return _one_by_ties(frame.filter(nw.col(at) == nw.col(at).max().over(by)), by, "last", ties)
    return frame.unique(by, keep="last", order_by=[at, *ties])


def _one_by_ties(frame: Frame, by: str, keep: Literal["first", "last"], order: Sequence[str]) -> Frame:
    """On polars only rows that share their `by` are sorted: they are few, and to sort all of them takes far longer."""
    rows = frame.with_columns(_count=nw.len().over(by))
    shared = rows.filter(nw.col("_count") > 1).unique(by, keep=keep, order_by=list(order))
    return nw.concat([rows.filter(nw.col("_count") == 1), shared]).drop("_count")


def named(frame: Frame, number: str, names: Sequence[str], name: str) -> Frame:
    """The frame with `name`, the text of `names` that `number` counts from 0; any other number: null.

    >>> rows = nw.from_dict({"n": [0, 1, 2]}, backend="polars").lazy()
    >>> named(rows, "n", ["zero", "one"], "name").collect().rows()
    [(0, 'zero'), (1, 'one'), (2, None)]
    """
    text: Any = nw
    for count, words in enumerate(names):
        text = text.when(nw.col(number) == count).then(nw.lit(words))
    return frame.with_columns(text.alias(name))


def null_of(value: nw.Expr) -> nw.Expr:
    """A null of the type of `value`: a literal null has no type.

    >>> rows = nw.from_dict({"n": [7, None]}, backend="polars").lazy()
    >>> rows.select(null_of(nw.col("n"))).collect()["n"].to_list(), rows.collect_schema()["n"]
    ([None, None], Int64)
    """
    return nw.when(value.is_null() & ~value.is_null()).then(value)
