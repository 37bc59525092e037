"""Raw rows to bronze rows: the same cells, with their lineage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.schemas import LINEAGE
from c360lib.sources.raw import Header, _repeated


def hashes_of(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """A 64-bit number for each text: SipHash-2-4, the same on every machine."""
    from pandas.util import hash_array

    return hash_array(np.asarray(texts.to_pylist(), dtype=object), categorize=False)


def with_lineage(rows: pa.Table, file: str, first_row_number: int, hashed: Sequence[str]) -> pa.Table:
    """Parsed rows with `_source_file`, `_row_number`, `_row_hash` (over the `hashed` columns) and `_raw_base64`.

    >>> rows = parse(b"1,a\\n", ["id", "name"])
    >>> with_lineage(rows, "x.csv", 1, ["id"]).column_names
    ['id', 'name', '_source_file', '_row_number', '_row_hash', '_raw_base64']
    """
    lineage = {
        "_source_file": _repeated(file, len(rows)),
        "_row_number": pa.array(np.arange(first_row_number, first_row_number + len(rows))),
        "_row_hash": row_hashes(rows.select([*hashed, "_raw_base64"])),
        "_raw_base64": rows.column("_raw_base64"),
    }
    rows = rows.drop_columns(["_raw_base64"])
    return pa.table({**dict(zip(rows.column_names, rows.columns, strict=True)), **lineage})


def row_hashes(rows: pa.Table) -> pa.Array:
    """A fingerprint of each row of text columns: SipHash-2-4 (as pandas.util.hash_array), 64 bits, hexadecimal."""
    parts = [pc.replace_substring(column, "\x1f", "\x1f\x1f") for column in rows.columns]
    joined = pc.binary_join_element_wise(*parts, " \x1f ")
    values = hashes_of(joined)
    text = values.astype(">u8").tobytes().hex().encode()
    offsets = np.arange(0, 16 * len(values) + 1, 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(text))


def bronze_columns(header: Header) -> list[str]:
    """Columns of the bronze table of a raw file: the file's own, then the lineage."""
    return [*header.columns, *(column.name for column in LINEAGE)]
