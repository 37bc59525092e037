"""Raw rows to bronze rows: the same cells, with their lineage."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.schemas import LINEAGE
from c360lib.sources.raw import Header

HASH_BYTES = 8


def with_lineage(rows: pa.Table, file: str, first_row_number: int, hashed: Sequence[str]) -> pa.Table:
    """Parsed rows with `_source_file`, `_row_number`, `_row_hash` (over the `hashed` columns) and `_raw_base64`.

    >>> rows = pa.table({"id": ["1"], "name": ["a"], "_raw_base64": [""]})
    >>> with_lineage(rows, "x.csv", 1, ["id"]).column_names
    ['id', 'name', '_source_file', '_row_number', '_row_hash', '_raw_base64']
    """
    lineage = {
        "_source_file": pa.repeat(pa.scalar(file, pa.string()), len(rows)),
        "_row_number": pa.array(np.arange(first_row_number, first_row_number + len(rows))),
        "_row_hash": row_hashes(rows.select([*hashed, "_raw_base64"])),
        "_raw_base64": rows.column("_raw_base64"),
    }
    rows = rows.drop_columns(["_raw_base64"])
    return pa.table({**dict(zip(rows.column_names, rows.columns, strict=True)), **lineage})


def row_hashes(rows: pa.Table) -> pa.Array:
    """A fingerprint of each row of text columns: BLAKE2b over its cells (RFC 7693), 8 bytes, hexadecimal.

    Cells are joined by the unit separator, which is doubled where it stands in a cell, so that no two rows join alike.

    >>> one, same, other = row_hashes(pa.table({"id": ["1", "1", "2"]})).to_pylist()
    >>> len(one), one == same, one == other
    (16, True, False)
    """
    parts = [pc.replace_substring(column, "\x1f", "\x1f\x1f") for column in rows.columns]
    joined = pc.binary_join_element_wise(*parts, " \x1f ").to_pylist()
    return pa.array([hashlib.blake2b(row.encode(), digest_size=HASH_BYTES).hexdigest() for row in joined], pa.string())


def bronze_columns(header: Header) -> list[str]:
    """Columns of the bronze table of a raw file: the file's own, then the lineage."""
    return [*header.columns, *(column.name for column in LINEAGE)]
