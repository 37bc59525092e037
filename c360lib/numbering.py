"""Long text ids as numbers, given once at the door: layers join and group integers, not text.

Two numbers are equal exactly where the texts are. Accounts are numbered across the sources of one run, because every
source names them; other ids within their source. A number means nothing in another run and never reaches a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.contract import REFERENCE
from c360lib.schemas import Table

DEVICE = "anonymous_id"
Coded = tuple[pa.Array, pa.Array]


class Numbers:
    """The numbers of one run."""

    def __init__(self) -> None:
        self._accounts = pa.array([], pa.string())

    def numbered(self, rows: pa.Table, table: Table) -> pa.Table:
        """Typed rows of a raw table with `_account` (its record_id), `_entity` (its key without lsn) and `_device`.

        >>> from c360lib.schemas import RAW
        >>> rows = pa.table({"request_id": ["R2", "R1", "R2"], "record_id": pa.array(["a:1", None, "a:1"])})
        >>> found = Numbers().numbered(rows, RAW["erasure_requests"])
        >>> found["_entity"].to_pylist(), found["_account"].to_pylist()
        ([1, 2, 1], [0, None, 0])
        """
        names = ["record_id", *(() if table.entity == REFERENCE else table.entity)]
        names += [DEVICE] if DEVICE in table.column_names else []
        with ThreadPoolExecutor() as pool:
            coded = dict(zip(names, pool.map(_encoded, (rows[name] for name in names)), strict=True))
        account = self._account(*coded["record_id"])
        entity = pc.fill_null(account, -1) if table.entity == REFERENCE else _together(coded[n] for n in table.entity)
        rows = rows.append_column("_account", account).append_column("_entity", entity)
        return rows.append_column("_device", coded[DEVICE][1].cast(pa.int64())) if DEVICE in coded else rows

    def _account(self, distinct: pa.Array, places: pa.Array) -> pa.Array:
        """The number of each account, null where none is named; an account not seen before gets the next one."""
        place = pc.index_in(distinct, value_set=self._accounts)
        new = np.asarray(pc.is_null(place))
        number = np.array(pc.fill_null(place, -1), np.int64)
        number[new] = np.arange(len(self._accounts), len(self._accounts) + new.sum())
        if new.any():
            self._accounts = pa.concat_arrays([self._accounts, distinct.filter(pa.array(new))])
        return pa.array(number).take(places)


def _encoded(texts: pa.ChunkedArray) -> Coded:
    """Distinct texts and, for each cell, the place of its own; Arrow gives all pieces of a column one dictionary."""
    pieces = texts.dictionary_encode().chunks
    if not pieces:
        return pa.array([], pa.string()), pa.array([], pa.int32())
    return pieces[-1].dictionary, pa.concat_arrays([piece.indices for piece in pieces])


def _together(coded: Iterable[Coded]) -> pa.Array:
    """One number for the texts of several columns."""
    number: Any = 0
    for distinct, places in coded:
        number = number * (len(distinct) + 1) + pc.fill_null(places, -1).to_numpy().astype(np.int64) + 1
    return pa.array(number)
