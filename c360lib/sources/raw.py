"""Raw bytes to rows of text: every row of a file, every column as it stands.

A block of whole lines goes through Arrow's CSV parser. A block that does not parse or decode is read again line by
line, so that only the bad lines are set apart, with their bytes in `_raw_base64`. Nothing is ever dropped.
"""

from __future__ import annotations

import base64
import csv
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from c360lib.errors import ContractError
from c360lib.schemas import Table

BLOCK_BYTES = 4 << 20
_T = TypeVar("_T")
_BOM = b"\xef\xbb\xbf"
_QUOTE, _NEWLINE, _RETURN, _COMMA = 34, 10, 13, 44


@dataclass(frozen=True)
class Header:
    """The columns of one raw file: as found, those outside the contract, and optional ones that are not there."""

    columns: tuple[str, ...]
    extra: tuple[str, ...]
    absent: tuple[str, ...]


def read_header(line: bytes, table: Table, file: str) -> Header:
    """The header of a raw file; ContractError where a required column is missing or the line is no header.

    >>> from c360lib.schemas import RAW
    >>> read_header(b"event_ts,ingest_ts,request_id,source_system,customer_id,note", RAW["erasure_requests"], "f").extra
    ('note',)
    """
    try:
        text = line.removeprefix(_BOM).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ContractError(f"{file}: the header is not UTF-8 text; save the file as UTF-8 with commas") from None
    found = next(csv.reader([text]), [])
    required = [column.name for column in table.columns if column.needed]
    missing = [name for name in required if name not in found]
    if missing:
        raise ContractError(
            f"{file}: missing required column {', '.join(missing)}; expected at least {', '.join(required)}; "
            f"found {', '.join(found) or 'nothing'}; add the column or correct its name (separator: comma)"
        )
    twice = sorted({name for name in found if found.count(name) > 1 or name.startswith("_")})
    if twice:
        raise ContractError(
            f"{file}: column {', '.join(twice)} stands twice or begins with _ (kept for lineage); rename it"
        )
    known = table.column_names
    return Header(tuple(found), tuple(n for n in found if n not in known), tuple(n for n in known if n not in found))


def blocks(stream: BinaryIO, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The rest of a file in pieces of `size` bytes or somewhat more, cut after a line end that is not inside quotes.

    Once a quote stands where none may stand, nobody can say what is inside quotes: the rest is then one piece. Where a
    line ends is looked up first, so that a piece is read at once and need not be put together.

    >>> list(blocks(io.BytesIO(b'a,"x\\ny"\\nb,c\\nd,e\\n'), 2))
    [b'a,"x\\ny"\\nb,c\\n', b'd,e\\n']
    """
    at, wanted = stream.tell(), size
    while True:
        stream.seek(at + wanted)
        line = stream.readline()
        stream.seek(at)
        block = stream.read(wanted + len(line))
        cut = _last_record_end(block)
        if cut and not _has_sound_quotes(block[:cut]):
            yield block + stream.read()
            return
        if cut:
            yield block[:cut]
        if not line:
            if rest := block[cut:]:
                yield rest
            return
        at, wanted = (at + cut, size) if cut else (at, 2 * wanted)


def _last_record_end(block: bytes) -> int:
    """Just after the last line end that an even number of quotes precedes; 0 where there is none."""
    if b'"' not in block:
        return block.rfind(b"\n") + 1
    data = np.frombuffer(block, np.uint8)
    ends, quotes = np.flatnonzero(data == _NEWLINE), np.flatnonzero(data == _QUOTE)
    outside = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return int(outside[-1]) + 1 if len(outside) else 0


def _has_sound_quotes(block: bytes) -> bool:
    """True where quotes open at the start of a cell, close at its end, and are doubled in between.

    >>> [_has_sound_quotes(cell) for cell in (b'a,"b, ""c"" d"', b'5" tv', b'"a"b', b'"a')]
    [True, False, False, False]
    """
    if b'"' not in block:
        return True
    data = np.frombuffer(b"\n" + block + b"\n", np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) != len(closing):
        return False
    opens = np.isin(data[opening - 1], (_COMMA, _NEWLINE, _QUOTE))
    closes = np.isin(data[closing + 1], (_COMMA, _NEWLINE, _RETURN, _QUOTE))
    return bool(opens.all() and closes.all())


def parse(block: bytes, columns: Sequence[str], keep: Sequence[str] | None = None) -> pa.Table:
    """Rows of a block: the `keep` columns (default: all) as text, and `_raw_base64`, empty for a readable line.

    >>> parse(b"1,a\\n2\\n", ["id", "name"]).to_pylist()
    [{'id': '1', 'name': 'a', '_raw_base64': ''}, {'id': '', 'name': '', '_raw_base64': 'Mg=='}]
    """
    table = _parse_whole(block, columns) if _is_plain(block) else None
    if table is None:
        table = _parse_by_line(block, columns)
    return table.select([*(keep or columns), "_raw_base64"])


def _is_plain(block: bytes) -> bool:
    """True where every parser reads the block alike: sound quotes, no lone CR, no byte order mark."""
    whole_line_ends = b"\r" not in block or block.count(b"\r") == block.count(b"\r\n")
    return whole_line_ends and not block.startswith(_BOM) and _has_sound_quotes(block)


def _parse_whole(block: bytes, columns: Sequence[str]) -> pa.Table | None:
    """As `parse`, for a plain block, by Arrow; None where a cell is not UTF-8 or a line has not as many cells as there
    are columns.
    """
    quoted = _QUOTE in block
    try:
        table = pacsv.read_csv(
            pa.BufferReader(block),
            pacsv.ReadOptions(column_names=list(columns), use_threads=False, block_size=len(block) + 1),
            pacsv.ParseOptions(quote_char='"' if quoted else False, newlines_in_values=quoted),
            pacsv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    return table.append_column("_raw_base64", pa.repeat("", len(table)))


def _parse_by_line(block: bytes, columns: Sequence[str]) -> pa.Table:
    """As `parse`, one record at a time; a bad record costs its first line only, so that the next lines are read."""
    csv.field_size_limit(max(csv.field_size_limit(), len(block)))
    lines = block.splitlines(keepends=True)
    rows: list[list[str]] = []
    at = 0
    while at < len(lines):
        cells, used = _record(lines, at, len(columns))
        if cells is not None:
            rows.append([*cells, ""])
        elif bare := lines[at].rstrip(b"\r\n"):
            rows.append([*[""] * len(columns), base64.b64encode(bare).decode()])
        at += used
    names = [*columns, "_raw_base64"]
    return pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})


def _record(lines: Sequence[bytes], at: int, width: int) -> tuple[list[str] | None, int]:
    """The cells of the record that begins at a line and how many lines it takes; (None, 1) where it is bad."""
    for last in range(at, len(lines)):
        if last > at and b'"' not in lines[last]:
            continue  # no cell can end here
        try:
            text = b"".join(lines[at : last + 1]).decode()
            records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except UnicodeDecodeError:
            return None, 1
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                continue
            return None, 1
        fits = len(records) == 1 and len(records[0]) == width
        return (records[0], last + 1 - at) if fits else (None, 1)
    return None, 1


def numbered(rows: pa.Table, first: int = 1) -> pa.Table:
    """Rows with their `_row_number`.

    >>> numbered(pa.table({"id": ["a", "b"]}))["_row_number"].to_pylist()
    [1, 2]
    """
    return rows.append_column("_row_number", pa.array(np.arange(first, first + len(rows))))


def open_raw(path: Path, table: Table) -> tuple[Header, Iterator[bytes]]:
    """The header of a raw file and its blocks of whole lines; ContractError where it has no rows to give."""
    stream = path.open("rb")
    try:
        line = stream.readline()
        if not line.strip():
            raise ContractError(
                f"{path}: the file is empty; expected a header line with {', '.join(table.column_names)}"
            )
        return read_header(line, table, str(path)), _blocks_then_close(stream)
    except ContractError:
        stream.close()
        raise


def _blocks_then_close(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        yield from blocks(stream)


def in_order(work: Callable[[bytes], _T], blocks: Iterable[bytes], threads: int | None = None) -> Iterator[_T]:
    """`work` on each block, on all cores, results in order and only a few of them at a time."""
    count = threads or os.cpu_count() or 1
    pending: deque[Future[_T]] = deque()
    with ThreadPoolExecutor(count) as pool:
        for block in blocks:
            pending.append(pool.submit(work, block))
            if len(pending) > 2 * count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
