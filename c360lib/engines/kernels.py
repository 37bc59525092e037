"""What each engine does to a frame in a way of its own: the same rows, by another method.

Beside engine.py this is the only module that knows an engine. Frames hold whole numbers as keys (see numbering.py);
on pandas and polars a frame keeps the columns it has, where a join or a window would copy every one of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.engines.base import Frame, Ints, Parts, frame_of, import_engine, pieces
from c360lib.engines.pandas import arrow_backed

_ABSENT = np.iinfo(np.int64).min
Places = npt.NDArray[np.int32]
ToRead = Callable[[], Ints]


def with_columns_of(frame: Frame, other: Frame, on: str) -> Frame:
    """The frame with the columns of `other`, a left join by a number that is there once and never absent.

    pandas and polars would copy every column of the frame to join it; here it keeps those it has.
    """
    return columns_of(other, on)(frame)


def columns_of(other: Frame, on: str) -> Callable[[Frame], Frame]:
    """What `with_columns_of` does to a frame, made ready once for several of them."""
    if other.implementation.is_pandas():
        others, where = _looked_up(other, on)

        def on_pandas(frame: Frame) -> Frame:
            rows = arrow_backed(frame.collect().to_native())
            return frame_of(rows.assign(**_columns_at(others, where.stand(_integers(rows[on])))))

        return on_pandas
    if other.implementation.is_polars():
        polars = import_engine("polars", "engines")
        others, where = _looked_up(other, on)
        others = others.rechunk()  # of many pieces each cell would be looked for in all of them

        def on_polars(frame: Frame) -> Frame:
            rows = frame.collect().to_native()
            at = where.stand(_numbers(rows[on]))
            place = polars.Series(pa.array(at.view(np.uint32), mask=at < 0))  # an index of polars has this type
            return frame_of(rows.hstack(others.select(polars.all().gather(place))).lazy())

        return on_polars
    return lambda frame: frame.join(other, on=on, how="left")


def with_cells_of(frame: Frame, other: Frame, on: str) -> Frame:
    """The frame with the cells of `other`, all columns of the frame, in place of its own where `on` is equal.

    `on` is a number as in `with_columns_of`; few rows are expected in `other`; an absent cell there changes nothing.
    """
    names = [name for name in other.collect_schema().names() if name != on]
    if frame.implementation.is_pandas():
        rows, (others, where) = arrow_backed(frame.collect().to_native()), _looked_up(other, on)
        at = where.stand(_integers(rows[on]))
        return frame_of(rows.assign(**{n: _replaced(rows[n].array, others[n].array, at) for n in names}))
    if frame.implementation.is_polars():
        rows, (others, where) = _whole(frame), _looked_up(other, on)
        at = where.stand(_numbers(rows[on]))
        there = np.flatnonzero(at >= 0)
        cells = others[at[there]]
        changes = [
            rows[n].scatter(there[known], cells[n].drop_nulls())
            for n in names
            if (known := cells[n].is_not_null().to_numpy()).any()
        ]
        return frame_of(rows.with_columns(changes).lazy())
    changed = with_columns_of(frame, other.rename({n: f"{n}_of_other" for n in names}), on)
    changed = changed.with_columns(nw.coalesce(f"{n}_of_other", n).alias(n) for n in names)
    return changed.drop(*(f"{n}_of_other" for n in names))


def _replaced(cells: Any, others: Any, at: Places) -> Any:
    """Arrow-backed cells of pandas with others, each at its place, in place of their own."""
    there = np.flatnonzero(at >= 0)
    there = there[~others.take(at[there]).isna()]
    cells = cells.copy()
    cells[there] = others.take(at[there])
    return cells


def rows_of(frame: Frame, other: Frame, on: str) -> Frame:
    """The rows of the frame whose `on` some row of `other` has. pandas would make a semi join of a whole one."""
    if frame.implementation.is_pandas():
        rows, others = frame.collect().to_native(), other.collect().to_native()
        return frame_of(rows[rows[on].isin(others[on].dropna())])
    return frame.join(other.select(on).unique(on), on=on, how="semi")


def _looked_up(other: Frame, on: str) -> tuple[Any, _Where]:
    """The columns of a frame but `on`, as a table of pandas or polars, and where its numbers stand."""
    others = other.collect().to_native()
    if other.implementation.is_polars():
        return others.drop(on), _Where(_numbers(others[on]))
    others = arrow_backed(others)
    return others.drop(columns=on), _Where(_integers(others[on]))


class _Where:
    """Where numbers stand among others, which are distinct."""

    def __init__(self, others: Ints) -> None:
        self._others = others
        self._most = int(others.max(initial=-1)) if others.min(initial=0) >= 0 else 1 << 62
        self._row_of: Places | None = None
        self._index: Any = None

    def stand(self, numbers: Ints) -> Places:
        """The place of each among the others; -1 where it is none of them."""
        others = self._others
        if self._row_of is not None or self._most <= 4 * len(numbers) + 8 * len(others):
            return self._by_row(numbers)
        if self._index is not None or len(others) > len(numbers) // 8 or (numbers[1:] <= numbers[:-1]).any():
            return self._by_index(numbers)
        place = np.full(len(numbers), -1, np.int32)
        at = np.searchsorted(numbers, others).clip(max=len(numbers) - 1)  # a few among rows in order are found faster
        there = np.flatnonzero(numbers[at] == others)
        place[at[there]] = there
        return place

    def _by_row(self, numbers: Ints) -> Places:
        if self._row_of is None:
            self._row_of = np.full(self._most + 2, -1, np.int32)
            self._row_of[self._others] = np.arange(len(self._others), dtype=np.int32)
            self._others = self._others[:0]  # which tell no more
        place = np.empty(len(numbers), np.int32)
        for piece in pieces(len(numbers)):
            place[piece] = self._row_of[numbers[piece].clip(-1, self._most + 1)]
        return place

    def _by_index(self, numbers: Ints) -> Places:
        if self._index is None:
            from pandas import Index

            self._index = Index(self._others)
            self._index.get_indexer(numbers[:1])  # makes its hash table, which threads may then read side by side
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = pool.map(self._index.get_indexer, np.array_split(numbers, os.cpu_count() or 1))
            return np.concatenate(list(parts), dtype=np.int32)


def with_most(frame: Frame, value: str, by: str) -> Frame:
    """The frame with `_most`, the greatest `value` of each group; both are whole numbers."""
    if frame.implementation.is_pandas():
        table = frame.collect().to_native()
        group, groups = table[by].factorize()
        greatest = np.full(len(groups), _ABSENT)
        np.maximum.at(greatest, group, _integers(table[value]))
        most = greatest[group]
        return frame_of(table.assign(_most=_cells(pa.array(most, mask=most == _ABSENT))))
    if frame.implementation.is_polars():
        return frame.with_columns(_most=nw.col(value).max().over(by))
    groups = frame.filter(~nw.col(value).is_null()).group_by(by).agg(_most=nw.col(value).max())
    return frame.join(groups, on=by, how="left")  # a window would copy whole rows


def with_runs(frame: Frame, by: str, at: str, number: str, gap: int, name: str) -> Frame:
    """The frame with `name`, equal for rows of one `by` that follow each other in `at` with at most `gap` between, and
    without `by`.

    It is the `number` of the run's first row; rows of equal `at` go by `number`. In memory one sort of whole numbers
    tells it, where a window would sort for each step.
    """
    if frame.implementation.is_pandas():
        table = frame.collect().to_native()
        runs = _runs(gap, *(partial(_integers, table[n]) for n in (by, at, number)))
        return frame_of(table.assign(**{name: runs}).drop(columns=by))
    if frame.implementation.is_polars():
        plan = frame.to_native()
        rows = _whole(frame.drop(by))
        runs = _runs(gap, lambda: plan.select(by).collect()[by].to_numpy(), rows[at].to_numpy, rows[number].to_numpy)
        run = nw.new_series(name, runs, backend="polars")
        return frame_of(rows.with_columns(run.to_native()).lazy())
    step = nw.col(at) - nw.col(at).shift(1).over(by, order_by=[at, number])
    frame = frame.with_columns(_step=step)
    begins_here = nw.col("_step").is_null() | (nw.col("_step") > gap)
    frame = frame.with_columns(_first=nw.when(begins_here).then(nw.col(number)))
    run_of = nw.col("_first").fill_null(strategy="forward").over(by, order_by=[at, number])
    return frame.with_columns(run_of.alias(name)).drop("_step", "_first", by)


def _runs(gap: int, who_of: ToRead, at_of: ToRead, number_of: ToRead) -> Ints:
    """What `with_runs` adds. Columns are functions, so that each is in memory only while it is read."""
    from pandas import factorize

    code, distinct = factorize(who_of())
    at = at_of()
    span = int(at.max(initial=0) - at.min(initial=0) + 1) + gap  # so that from one to the next it is more than a gap
    begins = np.ones(len(code), bool)
    if len(distinct) * span < 1 << 62:
        code *= span
        code += at
        del at, distinct
        order = np.argsort(code)
        code = code[order]
        begins[1:] = code[1:] - code[:-1] > gap
        _order_ties(order, code, number_of())
    else:
        order = np.lexsort((number_of(), at, code))
        begins[1:] = (np.diff(code[order]) != 0) | (np.diff(at[order]) > gap)
        del at, distinct
    del code
    starts = np.flatnonzero(begins)
    run = np.empty(len(order), np.int64)
    run[order] = np.repeat(number_of()[order[starts]], np.diff(starts, append=len(order)))
    return run


def _order_ties(order: Ints, key: Ints, then: Ints) -> None:
    """Put rows of equal key in the order of a second number; `order` and `key` are in the order of the key."""
    tied = np.zeros(len(order), bool)
    tied[1:] = key[1:] == key[:-1]
    tied[:-1] |= tied[1:]
    rows = order[tied]
    order[tied] = rows[np.lexsort((then[rows], key[tied]))]


def one_each(frame: Frame, by: str, text: str) -> Frame:
    """One row for each value of `by`, the first by a column of text. Only rows that tie are sorted."""
    rows = frame.with_columns(_copies=nw.len().over(by))
    tied = rows.filter(nw.col("_copies") > 1).unique(by, keep="first", order_by=[text])
    return nw.concat([rows.filter(nw.col("_copies") == 1), tied]).drop("_copies")


def last_each(frame: Frame, by: str, number: str, text: str) -> Frame:
    """One row for each value of `by`, a whole number from 0: the last by (`number`, `text`).

    Texts are compared only where numbers tie, but where an engine sorts every group anyway.
    """
    if frame.implementation.is_pandas():
        table = frame.collect().to_native()
        group, value = _integers(table[by]), _integers(table[number])
        return frame_of(table[_are_last(group, value, lambda rows: pa.array(table[text].iloc[rows]))])
    if frame.implementation.is_polars():
        table = frame.to_native().collect()
        group, value = table[by].to_numpy(), table[number].to_numpy()
        return frame_of(table.filter(_are_last(group, value, lambda rows: table[text].gather(rows).to_arrow())).lazy())
    return frame.unique(by, keep="last", order_by=[number, text])


def _are_last(group: Ints, value: Ints, texts_of: Callable[[Ints], pa.Array]) -> npt.NDArray[np.bool_]:
    """True for the row of each group that `last_each` keeps; `texts_of` gives the texts of some rows."""
    most = np.full(group.max(initial=-1) + 1, _ABSENT)
    np.maximum.at(most, group, value)
    row = np.flatnonzero(value == most[group])
    last = np.full(len(most), -1, np.int32)
    del most
    last[group[row]] = row
    tied = row[np.isin(group[row], group[row[last[group[row]] != row]])]
    tied = tied[pc.sort_indices(texts_of(tied)).to_numpy()]
    last[group[tied]] = tied  # of several rows of one group the last stays
    is_last = np.zeros(len(group), bool)
    is_last[last[last >= 0]] = True
    return is_last


def in_order(frame: Frame, text: str, place: str) -> Frame:
    """The frame with `place`, from 0, in the order of a column of text; pandas and polars keep the rows so, too.

    polars sorts once, where a window and a sort would do it twice.
    """
    if frame.implementation.is_polars():
        rows = frame_of(frame.to_native().sort(text).with_row_index(place))
    else:
        rows = frame.with_row_index(place, order_by=[text]).sort(place)
    return rows.with_columns(nw.col(place).cast(nw.Int64()))


def parts(frame: Frame, rows: int) -> Parts:
    """The frame in parts of so many rows, on pandas and polars in the order it has; elsewhere it is one part."""
    if not (frame.implementation.is_pandas() or frame.implementation.is_polars()):
        yield frame
        return
    table = frame.collect()
    for start in range(0, max(1, len(table)), rows):
        yield table[start : start + rows].lazy()


def crossed(frame: Frame, other: Frame) -> Frame:
    """Each row of the frame with each of `other`; on pandas and polars in that order."""
    if frame.implementation.is_polars():
        others = _with_categories(other).to_native()
        return frame_of(frame.to_native().join(others, how="cross", maintain_order="left_right"))
    if not frame.implementation.is_pandas():
        return frame.join(other, how="cross")
    from pandas import DataFrame

    rows, others = (arrow_backed(part.collect().to_native()) for part in (frame, other))
    place, place_of_other = (np.arange(len(part), dtype=np.int32) for part in (rows, others))
    columns = _columns_at(rows, np.repeat(place, len(others)))
    return frame_of(DataFrame(columns | _columns_at(others, np.tile(place_of_other, len(rows)))))


def _with_categories(frame: Frame) -> Frame:
    """A few rows with their text as categories: one byte for each row that they will be crossed with."""
    rows = frame.collect()
    texts = [name for name, kind in rows.schema.items() if kind == nw.String]
    kinds = {name: nw.Enum(rows[name].drop_nulls().unique(maintain_order=True).to_list()) for name in texts}
    return rows.lazy().with_columns(nw.col(name).cast(kind) for name, kind in kinds.items())


def named(frame: Frame, number: str, names: Sequence[str], name: str) -> Frame:
    """The frame with `name`, the text of `names` that `number` counts from 0; any other number: null."""
    if frame.implementation.is_pandas():
        table = frame.collect().to_native()
        place = _integers(table[number])
        place = np.where((place >= 0) & (place < len(names)), place, -1)
        texts = pa.array(names, pa.string())
        return frame_of(table.assign(**{name: _cells(texts.take(pa.array(place, mask=place < 0)))}))
    text: Any = nw.col(number)
    if frame.implementation.is_polars():
        text = text.replace_strict(list(range(len(names))), names, default=None, return_dtype=nw.Enum(names))
        return frame.with_columns(text.alias(name))
    text = nw
    for count, words in enumerate(names):
        text = text.when(nw.col(number) == count).then(nw.lit(words))
    return frame.with_columns(text.alias(name))


def null_of(value: nw.Expr) -> nw.Expr:
    """A null of the type of `value`: a literal null has no type on pandas."""
    return nw.when(value.is_null() & ~value.is_null()).then(value)


def _columns_at(table: Any, at: Places) -> dict[str, Any]:
    """The columns of an Arrow-backed pandas table at those places, null at -1; several at a time."""
    place = pa.array(at, mask=at < 0)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        taken = pool.map(lambda name: _cells(pc.take(table[name].array.__arrow_array__(), place)), table)
        return dict(zip(table, taken, strict=True))


def _integers(column: Any) -> Ints:
    """A pandas column of whole numbers; absent is a number that no column holds."""
    numbers: Ints = column.to_numpy(np.int64, na_value=_ABSENT)
    return numbers


def _whole(frame: Frame) -> Any:
    """A frame of polars as a table, its columns in one piece where they are: to stream would cut them all into many."""
    return frame.to_native().collect(engine="in-memory")


def _numbers(column: Any) -> Ints:
    """As `_integers`, of polars."""
    numbers: Ints = column.fill_null(_ABSENT).to_numpy()
    return numbers


def _cells(array: pa.Array) -> Any:
    """An Arrow array as the cells of a pandas column."""
    from pandas.arrays import ArrowExtensionArray

    return ArrowExtensionArray(array)
