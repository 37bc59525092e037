"""Two results compared whole: tables, columns, plain values. Differences come back as sentences, none if they agree.

Row order never matters where a key is given; an index is looked at only where it holds the key; an integer equals a
float of the same value; absent is absent, however it is written.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

TOLERANCE = 1e-9
SHOWN = 3


def differences(expected: Any, got: Any, key: Sequence[str] = ()) -> list[str]:
    """What is different, the most telling first; [] where nothing is.

    >>> one, other = pd.DataFrame({"id": ["a", "b"], "n": [1, 2]}), pd.DataFrame({"id": ["b", "a"], "n": [2, 3]})
    >>> differences(one, other, ["id"])
    ['row id=a, column n: expected 1, got 3']
    >>> differences({"a": 1}, {"a": 1.0})
    []
    """
    if isinstance(expected, pd.DataFrame):
        return _tables(expected, got, list(key))
    if isinstance(expected, pd.Series):
        return _columns(expected, got)
    if isinstance(expected, dict):
        return _dicts(expected, got)
    if isinstance(expected, (set, frozenset)):
        return _sets(expected, got)
    if isinstance(expected, (list, tuple)):
        return _lists(expected, got)
    if _is_many(got):
        return [f"expected one value, got {_article(got)}"]
    return [] if _same(plain(expected), plain(got)) else [f"expected {said(expected)}, got {said(got)}"]


def plain(value: Any) -> Any:
    """A cell as plain Python: absent is None, times are UTC, numpy and pandas scalars are unwrapped.

    >>> plain(pd.NA), plain(pd.Timestamp("2026-01-01", tz="UTC")) == plain(pd.Timestamp("2026-01-01"))
    (None, True)
    """
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if hasattr(value, "item") and not isinstance(value, pd.Timestamp):
        return plain(value.item())
    if isinstance(value, datetime.datetime):
        moment = pd.Timestamp(value)
        return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    return value


def said(value: Any) -> str:
    """A value in words for a person.

    >>> said(None), said("a"), said(2.0), said(True)
    ('nothing (null)', "'a'", '2.0', 'True')
    """
    value = plain(value)
    if value is None:
        return "nothing (null)"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%S UTC")
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _same(expected: Any, got: Any) -> bool:
    if isinstance(expected, bool) or isinstance(got, bool):
        return type(expected) is type(got) and bool(expected == got)
    if isinstance(expected, (int, float)) and isinstance(got, (int, float)):
        return math.isclose(expected, got, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(expected, datetime.date) and not isinstance(expected, datetime.datetime):
        got = got.date() if isinstance(got, pd.Timestamp) and got == got.normalize() else got
    if isinstance(expected, (list, tuple)):
        return not differences(expected, got)
    return type(expected) is type(got) and bool(expected == got)


def _is_many(value: Any) -> bool:
    return isinstance(value, (pd.DataFrame, pd.Series, dict, list, tuple, set))


def _article(value: Any) -> str:
    """What a result is, in words."""
    words = {
        "DataFrame": "a table (DataFrame)",
        "Series": "a column (Series)",
        "NoneType": "nothing (is there a return?)",
    }
    name = type(value).__name__
    return words.get(name, f"a {name}")


# --- tables -----------------------------------------------------------------------------------------------------------
def _tables(expected: pd.DataFrame, got: Any, key: list[str]) -> list[str]:
    if not isinstance(got, pd.DataFrame):
        return [f"expected a table (DataFrame), got {_article(got)}"]
    held = [name for name in got.index.names if name is not None and name in expected.columns]
    got = got.reset_index(held) if held and not set(held) & set(got.columns) else got
    found = _names(expected, got)
    if found:
        return found
    got = got[list(expected.columns)]
    found = _kinds(expected, got)
    rows, others = _records(expected), _records(got)
    return found + (_by_key(rows, others, list(expected.columns), key) if key else _by_place(rows, others, expected))


def _names(expected: pd.DataFrame, got: pd.DataFrame) -> list[str]:
    """Missing, extra and repeated columns."""
    twice = sorted({str(name) for name, count in Counter(got.columns).items() if count > 1})
    missing = [str(name) for name in expected.columns if name not in got.columns]
    extra = [str(name) for name in got.columns if name not in expected.columns]
    found = [f"missing column {', '.join(missing)}"] if missing else []
    found += [f"column {', '.join(extra)} should not be there"] if extra else []
    return found + ([f"column {', '.join(twice)} stands twice"] if twice else [])


def _kind(column: pd.Series) -> str:
    """What a column holds, in words; '' where it holds nothing."""
    kinds = {kind_of(value) for value in map(plain, column.tolist()) if value is not None}
    return " and ".join(sorted(kinds))


def kind_of(value: Any) -> str:
    """What a plain value is, in words."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "numbers"
    if isinstance(value, (datetime.date, pd.Timestamp)):
        return "times"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return "text" if isinstance(value, str) else f"{type(value).__name__} objects"


def _kinds(expected: pd.DataFrame, got: pd.DataFrame) -> list[str]:
    pairs = {name: (_kind(expected[name]), _kind(got[name])) for name in expected.columns}
    return [
        f"column {name}: expected {wanted}, got {found}"
        for name, (wanted, found) in pairs.items()
        if wanted and found and wanted != found
    ]


def _records(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    if not len(table.columns):
        return [()] * len(table)
    return list(zip(*([plain(value) for value in table[name].tolist()] for name in table.columns), strict=True))


def _count(expected: int, got: int) -> list[str]:
    return [] if expected == got else [f"expected {expected} rows, got {got}"]


def _by_place(expected: list[tuple[Any, ...]], got: list[tuple[Any, ...]], table: pd.DataFrame) -> list[str]:
    found = _count(len(expected), len(got))
    for place, (row, other) in enumerate(zip(expected, got, strict=False), 1):
        bad = [i for i, (a, b) in enumerate(zip(row, other, strict=True)) if not _same(a, b)]
        if bad:
            name = table.columns[bad[0]]
            return [*found, f"row {place}, column {name}: expected {said(row[bad[0]])}, got {said(other[bad[0]])}"]
    return found


def _by_key(
    expected: list[tuple[Any, ...]], got: list[tuple[Any, ...]], columns: list[str], key: list[str]
) -> list[str]:
    """Rows matched by their key: counts, repeated, missing and unexpected keys, then the first cell that differs."""
    at = [columns.index(name) for name in key]
    wanted = {tuple(row[i] for i in at): row for row in expected}
    counts = Counter(tuple(row[i] for i in at) for row in got)
    found = _count(len(expected), len(got))
    twice = [k for k, count in counts.items() if count > 1]
    if twice and len(wanted) == len(expected):
        found.append(f"{_named(key, twice[0])} stands {counts[twice[0]]} times; one row was expected")
    found += _listed("missing", key, [k for k in wanted if k not in counts])
    found += _listed("not expected", key, [k for k in counts if k not in wanted])
    actual = {tuple(row[i] for i in at): row for row in got}
    for name, row in wanted.items():
        for column, value, other in zip(columns, row, actual.get(name, row), strict=True):
            if not _same(value, other):
                return [*found, f"row {_named(key, name)}, column {column}: expected {said(value)}, got {said(other)}"]
    return found


def _named(key: Sequence[str], values: Sequence[Any]) -> str:
    return ", ".join(f"{name}={'null' if value is None else value}" for name, value in zip(key, values, strict=True))


def _listed(what: str, key: Sequence[str], keys: Sequence[Sequence[Any]]) -> list[str]:
    shown = "; ".join(_named(key, values) for values in keys[:SHOWN])
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return [f"{what}: {shown}{more}"] if keys else []


# --- columns and plain values -----------------------------------------------------------------------------------------
def _columns(expected: pd.Series, got: Any) -> list[str]:
    if not isinstance(got, pd.Series):
        return [f"expected a column (Series), got {_article(got)}"]
    if len(expected) != len(got):
        return _count(len(expected), len(got))
    if expected.index.is_unique and got.index.is_unique and set(expected.index) == set(got.index):
        got = got.loc[expected.index]
    wanted, found = _kind(expected), _kind(got)
    if wanted and found and wanted != found:
        return [f"expected {wanted}, got {found}"]
    for label, value, other in zip(expected.index, expected.tolist(), got.tolist(), strict=True):
        if not _same(plain(value), plain(other)):
            return [f"row {label}: expected {said(value)}, got {said(other)}"]
    return []


def _dicts(expected: dict[Any, Any], got: Any) -> list[str]:
    if not isinstance(got, dict):
        return [f"expected a dict, got {_article(got)}"]
    found = _listed("missing", ["key"], [[k] for k in expected if k not in got])
    found += _listed("not expected", ["key"], [[k] for k in got if k not in expected])
    for name, value in expected.items():
        inner = differences(value, got[name]) if name in got else []
        if inner:
            return [*found, f"key {name}: {inner[0]}"]
    return found


def _sets(expected: Iterable[Any], got: Any) -> list[str]:
    if not isinstance(got, (set, frozenset)):
        return [f"expected a set, got {_article(got)}"]
    wanted, found = {plain(value) for value in expected}, {plain(value) for value in got}
    missing, extra = (sorted(values, key=str) for values in (wanted - found, found - wanted))
    return _listed("missing", ["value"], [[v] for v in missing]) + _listed(
        "not expected", ["value"], [[v] for v in extra]
    )


def _lists(expected: Sequence[Any], got: Any) -> list[str]:
    if not isinstance(got, (list, tuple)):
        return [f"expected a list, got {_article(got)}"]
    if len(expected) != len(got):
        return [f"expected {len(expected)} values, got {len(got)}"]
    for place, (value, other) in enumerate(zip(expected, got, strict=True), 1):
        inner = differences(value, other)
        if inner:
            return [f"value {place}: {inner[0]}"]
    return []
