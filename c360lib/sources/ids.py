"""Long text ids as numbers, given once at the door: layers join and group integers, not text.

Two numbers are equal exactly where the texts are. Accounts are numbered across the sources of one run, because every
source names them; other ids within their source. A number means nothing in another run and never reaches a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.schemas import Table
from c360lib.sources.typed import REFERENCE

DEVICE = "anonymous_id"
NOBODY = -1
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Numbers:
    """The numbers of one run."""

    def __init__(self) -> None:
        self._accounts = pa.array([], pa.string())

    def numbered(self, rows: pa.Table, table: Table, keep: Sequence[str] | None = None) -> pa.Table:
        """Typed rows of a raw table with numbers for their record_id (`_account`), key without lsn (`_entity`) and
        device (`_device`), and `_is_repeated`: another row, usable or not, has its key.

        An absent text has no number, but an entity always is one: NOBODY where part of its key is absent. Of what is
        numbered only the columns to `keep` (None: all) and the record_id of an account itself stay as text.

        >>> from c360lib.schemas import RAW
        >>> rows = pa.table({"request_id": ["R2", "R1", "R2"], "record_id": pa.array(["a:x", None, "a:x"])})
        >>> found = Numbers().numbered(rows, RAW["erasure_requests"])
        >>> found["_account"].to_pylist(), found["_is_repeated"].to_pylist()
        ([0, None, 0], [True, False, True])
        """
        account = self._account(rows["record_id"])
        is_account = table.entity == REFERENCE
        entity = account if is_account else _within(_texts(rows, table.entity))
        entity = pc.fill_null(entity, NOBODY)
        lsn = rows["lsn"].fill_null(NOBODY).to_numpy() if table.is_cdc and "lsn" in rows.column_names else None
        numbers = {"_account": account, "_entity": entity}
        if DEVICE in table.column_names:
            numbers["_device"] = _within(rows[DEVICE])
        numbers["_is_repeated"] = pa.array(repeated(entity.to_numpy(), lsn))
        for name, column in numbers.items():
            rows = rows.append_column(name, column)
        read = {"record_id", DEVICE, *table.entity} - ({"record_id"} if is_account else set())
        unwanted = set() if keep is None else read - set(keep)
        return rows.drop_columns([name for name in rows.column_names if name in unwanted])

    def _account(self, texts: pa.ChunkedArray) -> pa.Array:
        """The number of each account; one that no source has named yet gets the next."""
        categories, distinct = _categories(texts)
        known = pc.index_in(distinct, value_set=self._accounts)
        new = pc.is_null(known)
        numbers = np.array(pc.fill_null(known, NOBODY), np.int64)
        numbers[np.asarray(new)] = np.arange(len(self._accounts), len(self._accounts) + new.true_count)
        self._accounts = pa.concat_arrays([self._accounts, distinct.filter(new)])
        return pa.array(numbers).take(categories)


def _within(texts: pa.ChunkedArray) -> pa.Array:
    """A number for each text of a column; null for none."""
    return _categories(texts)[0].cast(pa.int64())


def _categories(texts: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """The category of each text, its index among the distinct ones, and those."""
    coded = texts.dictionary_encode().chunks  # they share one dictionary
    if not coded:
        return pa.array([], pa.int32()), pa.array([], pa.string())
    return pa.concat_arrays([chunk.indices for chunk in coded]), coded[-1].dictionary


def _texts(rows: pa.Table, columns: tuple[str, ...]) -> Any:
    """One column of text; of several the texts joined: a system has no colon, so different keys stay different."""
    parts = [rows[name] for name in columns]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, ":")


def repeated(key: Ints, lsn: Ints | None = None) -> Flags:
    """True where another row has the same numbers.

    >>> repeated(np.array([7, 7, 8, 7]), np.array([1, 2, 1, 1])).tolist()
    [True, False, False, True]
    """
    order = np.argsort(key, kind="stable") if lsn is None else np.lexsort((lsn, key))
    one, next_one = order[:-1], order[1:]
    same = key[one] == key[next_one]
    if lsn is not None:
        same &= lsn[one] == lsn[next_one]
    found = np.zeros(len(key), bool)
    found[one[same]] = found[next_one[same]] = True
    return found
