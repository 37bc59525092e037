"""Faults to put into raw files, so that a lesson or a test can see each of them found.

Each fault names what must detect it. `inject` edits the files of a raw directory, the same way for the same seed, and
leaves every byte alone that it does not speak of.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from c360lib.errors import UsageError
from c360lib.generate.draws import Bits, Draws
from c360lib.generate.names import SURNAMES
from c360lib.rules import CLOCK_SKEW_SECONDS, DEFAULT_SEED
from c360lib.schemas import RAW

SHARED_BY = 300
_BOM = b"\xef\xbb\xbf"
Row = dict[str, str]


@dataclass
class RawFile:
    """One raw file as its header and its records, in bytes with their line ends; a record may hold line ends."""

    source: str
    columns: list[str]
    header: bytes
    records: list[bytes]
    changed: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> RawFile:
        """The file at `path`, which must have a header."""
        header, *records = _records(path.read_bytes()) or [b""]
        names = next(csv.reader([header.removeprefix(_BOM).decode()]), [])
        return cls(path.stem, names, header, records)

    def to_bytes(self) -> bytes:
        """The file as it stands now."""
        return b"".join((self.header, *self.records))

    def row(self, at: int) -> Row:
        """The cells of a record by column; bytes that are not UTF-8 and cells that are not there do not stop it."""
        text = self.records[at].decode(errors="replace").rstrip("\r\n")
        cells = next(csv.reader(io.StringIO(text, newline="")), [])
        return dict(zip(self.columns, cells, strict=False))

    def set(self, at: int, column: str, cell: str | bytes) -> None:
        """Put `cell` into one column of one record. Bytes go in as they are; text is quoted if it must be."""
        fields = _fields(self.records[at])
        fields[self.columns.index(column)] = cell if isinstance(cell, bytes) else _quoted(cell)
        self.records[at] = b",".join(fields) + _line_end(self.records[at])
        self.changed.add(at)

    def add(self, row: Row) -> int:
        """Add a record at the end; gives its index."""
        self.records.append(b",".join(_quoted(row.get(name, "")) for name in self.columns) + b"\n")
        self.changed.add(len(self.records) - 1)
        return len(self.records) - 1


def _records(data: bytes) -> list[bytes]:
    """Records with their line ends: a line end inside quotes does not end a record.

    >>> _records(b'a,b\\n1,"x\\ny"\\n2,z')
    [b'a,b\\n', b'1,"x\\ny"\\n', b'2,z']
    """
    records, open_lines = [], b""
    for line in io.BytesIO(data):
        open_lines += line
        if open_lines.count(b'"') % 2 == 0:
            records.append(open_lines)
            open_lines = b""
    return [*records, open_lines] if open_lines else records


def _fields(record: bytes) -> list[bytes]:
    """The cells of a record as they are written, quotes and all, without the line end.

    >>> _fields(b'1,"x, y",\\r\\n')
    [b'1', b'"x, y"', b'']
    """
    fields, open_field = [], b""
    for part in record.removesuffix(_line_end(record)).split(b","):
        open_field = open_field + b"," + part if open_field.count(b'"') % 2 else part
        if open_field.count(b'"') % 2 == 0:
            fields.append(open_field)
    return fields


def _line_end(record: bytes) -> bytes:
    return b"\r\n" if record.endswith(b"\r\n") else b"\n" if record.endswith(b"\n") else b""


def _quoted(cell: str) -> bytes:
    needs = any(letter in cell for letter in ',"\r\n')
    return ('"' + cell.replace('"', '""') + '"' if needs else cell).encode()


# --- edits: each changes a file and gives the indices of the records it changed; none means the file as a whole -------
# The second argument is one random number for each record.
Edit = Callable[[RawFile, Bits], list[int]]
Condition = Callable[[Row], bool]


def _some(file: RawFile, chance: Bits, count: int, fits: Condition) -> list[int]:
    """Places of `count` records that fit, in file order; never a row delivered twice, or changed by another fault.

    Without a record that fits, any record will do, so that a fault also finds its place in a very small file.
    """
    key = RAW[file.source].key
    rows = [file.row(at) for at in range(len(file.records))]
    keys = [tuple(row.get(name, "") for name in key) for row in rows]
    once = {each for each, times in _counts(keys).items() if times == 1}
    fitting = [at for at, row in enumerate(rows) if keys[at] in once and at not in file.changed and fits(row)]
    fitting = fitting or list(range(len(rows)))
    return sorted(sorted(fitting, key=lambda at: int(chance[at]))[:count])


def _counts(keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    counts: dict[tuple[str, ...], int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return counts


def _is_value(row: Row) -> bool:
    return row.get("op") != "d"


def _is_update(row: Row) -> bool:
    """Rows that no other row leans on: their account is there without them."""
    return row.get("op") == "u"


def _cells(column: str, cell: str | bytes, count: int = 3, fits: Condition = _is_value) -> Edit:
    """Puts one cell into some records."""

    def edit(file: RawFile, chance: Bits) -> list[int]:
        indices = _some(file, chance, count, fits)
        for at in indices:
            file.set(at, column, cell)
        return indices

    return edit


def _around(column: str, before: str, after: str, fits: Condition = _is_value) -> Edit:
    """Puts text before and after one cell of some records."""

    def edit(file: RawFile, chance: Bits) -> list[int]:
        indices = _some(file, chance, 3, fits)
        for at in indices:
            file.set(at, column, before + file.row(at)[column] + after)
        return indices

    return edit


def _skew_clock(file: RawFile, chance: Bits) -> list[int]:
    indices = _some(file, chance, 3, _is_value)
    for at in indices:
        ingest = np.datetime64(file.row(at)["ingest_ts"].removesuffix("Z"), "s")
        file.set(at, "event_ts", f"{ingest + np.timedelta64(CLOCK_SKEW_SECONDS + 60, 's')}Z")
    return indices


def _repeat_key(file: RawFile, chance: Bits) -> list[int]:
    at = _some(file, chance, 1, _is_value)[0]
    row = file.row(at)
    other = str(int(row["net_amount_cents"] or "0") + 1)
    return [at, file.add({**row, "net_amount_cents": other})]


def _add_accounts(file: RawFile, _: Bits) -> list[int]:
    """New accounts of different people, all with one e-mail, first name and birth date."""
    latest = max(file.row(at)["ingest_ts"] for at in range(len(file.records)))
    shared = {
        "event_ts": latest, "ingest_ts": latest, "source_system": "crm", "op": "c", "tx_id": "tx-import",
        "first_name": "Info", "email": "info@example.com", "date_of_birth": "1970-01-01", "country": "DE",
    }  # fmt: skip
    return [
        file.add({**shared, "customer_id": f"shared-{n:04d}", "lsn": str(n + 1), "last_name": SURNAMES[n]})
        for n in range(SHARED_BY)
    ]


def _share_device(file: RawFile, chance: Bits) -> list[int]:
    """One device for the events of hundreds of accounts: a till in a shop, say."""
    indices: list[int] = []
    seen: set[tuple[str, str]] = set()
    for at in _some(file, chance, len(file.records), lambda row: row.get("customer_id", "") != ""):
        row = file.row(at)
        account = (row["source_system"], row["customer_id"])
        if account not in seen and len(seen) < SHARED_BY:
            seen.add(account)
            indices.append(at)
            file.set(at, "anonymous_id", "D-shared-till")
    return indices


def _mix_line_ends(file: RawFile, _: Bits) -> list[int]:
    indices = list(range(0, len(file.records), 3))
    for at in indices:
        file.records[at] = file.records[at].removesuffix(_line_end(file.records[at])) + b"\r\n"
    return indices


def _quote_all(file: RawFile, _: Bits) -> list[int]:
    for at, record in enumerate(file.records):
        fields = [each if each.startswith(b'"') else b'"' + each + b'"' for each in _fields(record)]
        file.records[at] = b",".join(fields) + _line_end(record)
    return []


def _add_column(file: RawFile, _: Bits) -> list[int]:
    file.header = file.header.rstrip(b"\r\n") + b",favourite_colour" + _line_end(file.header)
    file.records = [each.removesuffix(_line_end(each)) + b",blue" + _line_end(each) for each in file.records]
    file.columns.append("favourite_colour")
    return []


def _drop_column(name: str) -> Edit:
    def edit(file: RawFile, _: Bits) -> list[int]:
        at = file.columns.index(name)
        file.header, *file.records = (_without(each, at) for each in (file.header, *file.records))
        del file.columns[at]
        return []

    return edit


def _without(record: bytes, at: int) -> bytes:
    fields = _fields(record)
    return b",".join(fields[:at] + fields[at + 1 :]) + _line_end(record)


def _mark_utf8(file: RawFile, _: Bits) -> list[int]:
    file.header = _BOM + file.header.removeprefix(_BOM)
    return []


def _open_quote(file: RawFile, _: Bits) -> list[int]:
    """A quote that is never closed, five records before the end, so that it swallows what follows."""
    at = max(0, len(file.records) - 5)
    fields = _fields(file.records[at])
    fields[-1] = b'"' + fields[-1].replace(b'"', b"")
    file.records[at] = b",".join(fields) + _line_end(file.records[at])
    return list(range(at, len(file.records)))


def _cut_off(file: RawFile, _: Bits) -> list[int]:
    last = len(file.records) - 1
    file.records[last] = b",".join(_fields(file.records[last])[: len(file.columns) // 2])
    return [last]


def _empty_records(file: RawFile, _: Bits) -> list[int]:
    file.records = []
    return []


def _empty_file(file: RawFile, _: Bits) -> list[int]:
    file.header, file.records = b"", []
    return []


# --- faults -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Fault:
    """One fault: the source it is put into, what it does there, and what must detect it.

    `detected_by` is `quarantine:<rule>`, `field_issues:<rule>`, `report:<measure>`, `gate:<measure>`, `stop:<error>`,
    `blocked_keys`, or `unchanged`: nothing is wrong with such a file, and gold is the same as without it.
    """

    name: str
    source: str
    does: str
    detected_by: str
    stops_run: bool
    edit: Edit = field(repr=False, compare=False)


# Faults are put in from the top down: first cells, then records, then what breaks the file as a whole.
FAULTS: tuple[Fault, ...] = (
    Fault("malformed_timestamp", "orders", "writes event_ts as 30/06/2026 12:00",
          "quarantine:readable_event_ts", False, _cells("event_ts", "30/06/2026 12:00")),
    Fault("impossible_timestamp", "clickstream", "writes event_ts on 30 February",
          "quarantine:readable_event_ts", False, _cells("event_ts", "2026-02-30T10:00:00Z")),
    Fault("missing_arrival", "support_tickets", "leaves ingest_ts empty",
          "quarantine:readable_ingest_ts", False, _cells("ingest_ts", "")),
    Fault("clock_skew", "campaign_events", "writes event_ts six minutes after ingest_ts",
          "quarantine:event_before_arrival", False, _skew_clock),
    Fault("impossible_date", "customers", "writes date_of_birth as 2026-02-30",
          "field_issues:valid_date_of_birth", False, _cells("date_of_birth", "2026-02-30", fits=_is_update)),
    Fault("unreadable_email", "customers", "writes an e-mail without an at sign",
          "field_issues:valid_email", False, _cells("email", "none of your business", fits=_is_update)),
    Fault("impossible_score", "support_tickets", "writes csat as 9",
          "field_issues:valid_csat", False, _cells("csat", "9")),
    Fault("bad_lsn", "customers", "writes lsn as 12ab",
          "quarantine:readable_lsn", False, _cells("lsn", "12ab", fits=_is_update)),
    Fault("unknown_op", "support_tickets", "writes op as x",
          "quarantine:known_op", False, _cells("op", "x", fits=_is_update)),
    Fault("missing_key", "campaign_events", "leaves event_id empty",
          "quarantine:key_present", False, _cells("event_id", "")),
    Fault("unknown_source_system", "orders", "writes source_system as Mail Tool!",
          "quarantine:known_source_system", False, _cells("source_system", "Mail Tool!")),
    Fault("orphan_reference", "orders", "names an account that does not exist",
          "quarantine:account_exists", False, _cells("customer_id", "nobody-0000")),
    Fault("negative_amount", "orders", "writes net_amount_cents as -500",
          "quarantine:amount_not_negative", False, _cells("net_amount_cents", "-500")),
    Fault("foreign_currency", "orders", "writes currency as XXX",
          "quarantine:accepted_currency", False, _cells("currency", "XXX")),
    Fault("unknown_status", "orders", "writes status as shipped",
          "quarantine:known_status", False, _cells("status", "shipped")),
    Fault("unknown_purpose", "consent_events", "writes purpose as everything",
          "quarantine:known_purpose", False, _cells("purpose", "everything")),
    Fault("consent_withdrawal_with_unreadable_time", "consent_events", "writes event_ts of a withdrawal as yesterday",
          "quarantine:readable_event_ts", False,
          _cells("event_ts", "yesterday", 1, lambda row: row.get("status") == "withdrawn")),
    Fault("consent_of_nobody", "consent_events", "leaves the account of a withdrawal empty",
          "gate:unattributable_consent_events_rows", False,
          _cells("customer_id", "", 1, lambda row: row.get("status") == "withdrawn")),
    Fault("broken_encoding", "customers", "writes a city in Latin-1 bytes, which are not UTF-8",
          "quarantine:readable_line", False, _cells("city", b"M\xfcnchen", fits=_is_update)),
    Fault("edge_spaces", "customers", "puts spaces around a city",
          "unchanged", False, _around("city", " ", "  ", _is_update)),
    Fault("embedded_newlines_and_quotes", "clickstream", "puts a line end, quotes and a comma into a page",
          "unchanged", False, _around("page", "", '?note="one,\ntwo"')),
    Fault("duplicate_key_with_different_content", "orders", "repeats a row with another amount",
          "quarantine:one_content_per_key", False, _repeat_key),
    Fault("key_shared_by_hundreds", "customers", "adds accounts that share an e-mail, a first name and a birth date",
          "blocked_keys", False, _add_accounts),
    Fault("device_shared_by_hundreds", "clickstream", "gives events of hundreds of accounts one device",
          "blocked_keys", False, _share_device),
    Fault("future_timestamp", "clickstream", "writes ingest_ts in the year 2199",
          "stop:UsageError", True, _cells("ingest_ts", "2199-01-01T00:00:00Z", 1)),
    Fault("extra_column", "customers", "adds the column favourite_colour",
          "report:extra_columns", False, _add_column),
    Fault("quoted_cells", "orders", "puts quotes around every cell", "unchanged", False, _quote_all),
    Fault("mixed_line_ends", "orders", "ends every third line with CR LF", "unchanged", False, _mix_line_ends),
    Fault("utf8_bom", "customers", "begins the file with a byte order mark", "unchanged", False, _mark_utf8),
    Fault("truncated_file", "orders", "cuts the last line in half",
          "quarantine:readable_line", False, _cut_off),
    Fault("unterminated_quote", "support_tickets", "opens a quote near the end that is never closed",
          "quarantine:readable_line", False, _open_quote),
    Fault("missing_required_column", "orders", "takes the column net_amount_cents away",
          "stop:ContractError", True, _drop_column("net_amount_cents")),
    Fault("header_only", "campaign_events", "leaves the header and no row",
          "report:empty_source", False, _empty_records),
    Fault("empty_file", "support_tickets", "leaves a file of zero bytes",
          "report:missing_source", False, _empty_file),
)  # fmt: skip


def chosen(text: str) -> list[str]:
    """The names in a text with commas; `all` is each that stops no run. Raises UsageError for an unknown one.

    >>> chosen("clock_skew, bad_lsn")
    ['clock_skew', 'bad_lsn']
    """
    if text == "all":
        return [fault.name for fault in FAULTS if not fault.stops_run]
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [fault.name for fault in FAULTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"unknown fault: {', '.join(unknown)}; expected one of {', '.join(known)}")
    return names


def inject(raw_dir: Path, names: Sequence[str], seed: int = DEFAULT_SEED) -> list[str]:
    """Put the named faults into the files of `raw_dir`; gives a line for each that says what was changed where.

    Rows are counted from 1, the header not counted, as in bronze. The order of `names` does not matter: faults go in
    from the top of FAULTS down. Raises UsageError for a name that is not in FAULTS, or a source without a file or rows;
    then no file is changed.
    """
    asked = chosen(",".join(names))
    faults = [fault for fault in FAULTS if fault.name in asked]
    files = {source: _open(raw_dir, source) for source in dict.fromkeys(fault.source for fault in faults)}
    lines = [_put(fault, files[fault.source], seed) for fault in faults]
    for source, file in files.items():
        (raw_dir / f"{source}.csv").write_bytes(file.to_bytes())
    return lines


def _open(raw_dir: Path, source: str) -> RawFile:
    path = raw_dir / f"{source}.csv"
    if not path.is_file():
        raise UsageError(f"{path}: expected a raw file, found none; write the raw files first")
    file = RawFile.read(path)
    if not file.records:
        raise UsageError(f"{path}: expected at least one row, found none; a fault needs a row to change")
    return file


def _put(fault: Fault, file: RawFile, seed: int) -> str:
    indices = fault.edit(file, Draws(seed, np.arange(len(file.records))).bits(fault.name))
    return f"{fault.name}: {file.source}.csv, {_said(indices)}: {fault.does}; expect {fault.detected_by}"


def _said(indices: Sequence[int]) -> str:
    """Row numbers in words.

    >>> _said([]), _said([4]), _said([0, 4]), _said(range(20))
    ('whole file', 'row 5', 'rows 1, 5', '20 rows from 1 to 20')
    """
    if not indices:
        return "whole file"
    if len(indices) == 1:
        return f"row {indices[0] + 1}"
    if len(indices) > 10:
        return f"{len(indices)} rows from {indices[0] + 1} to {indices[-1] + 1}"
    return f"rows {', '.join(str(at + 1) for at in indices)}"
