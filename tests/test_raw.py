"""Bronze: every line of a file is a row, read as a CSV reader reads it, or set apart with its bytes."""

from __future__ import annotations

import base64
import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from c360lib.engines.open import open_engine
from c360lib.errors import ContractError
from c360lib.generate import generate
from c360lib.schemas import BRONZE, LINEAGE, RAW
from c360lib.sources import load, typed
from c360lib.sources.bronze import row_hashes, with_lineage
from c360lib.sources.raw import BLOCK_BYTES, blocks, parse, read_header
from c360lib.storage.files import read_table
from c360lib.storage.workspace import Workspace

COLUMNS = ("id", "name")
ERASURES = RAW["erasure_requests"]
HEADER = b"event_ts,ingest_ts,request_id,source_system,customer_id"


def read(data: bytes, size: int = BLOCK_BYTES, columns: tuple[str, ...] = COLUMNS) -> list[tuple[str, ...]]:
    """Rows of a file without a header; a line set apart is ("!", its bytes as text)."""
    rows = [row for block in blocks(io.BytesIO(data), size) for row in parse(block, columns).to_pylist()]
    return [
        ("!", base64.b64decode(row["_raw_base64"]).decode("latin-1"))
        if row["_raw_base64"]
        else tuple(row[name] for name in columns)
        for row in rows
    ]


FILES: dict[str, tuple[bytes, list[tuple[str, ...]]]] = {
    "plain": (b"1,a\n2,b\n", [("1", "a"), ("2", "b")]),
    "no line end after the last line": (b"1,a\n2,b", [("1", "a"), ("2", "b")]),
    "empty file": (b"", []),
    "empty cells": (b',\n"",""\n', [("", ""), ("", "")]),
    "words that others take for absent": (b"NA,null\nnan,None\n", [("NA", "null"), ("nan", "None")]),
    "spaces stay": (b" 1 ,\ta\n", [(" 1 ", "\ta")]),
    "numbers stay text": (b"007,1e5\n", [("007", "1e5")]),
    "quotes and commas inside quotes": (b'1,"a, ""b"""\n', [("1", 'a, "b"')]),
    "line end inside quotes": (b'1,"a\nb"\n2,c\n', [("1", "a\nb"), ("2", "c")]),
    "Windows line end inside quotes": (b'1,"a\r\nb"\r\n2,c\r\n', [("1", "a\r\nb"), ("2", "c")]),
    "mixed line ends": (b"1,a\r\n2,b\n3,c\r\n", [("1", "a"), ("2", "b"), ("3", "c")]),
    "a quote inside bare text": (b'1,5" tv\n2,b\n', [("1", '5" tv'), ("2", "b")]),
    "NUL bytes": (b"1,a\x00b\n\x00,c\n", [("1", "a\x00b"), ("\x00", "c")]),
    "a byte order mark that is not at the start": (b"1,a\n\xef\xbb\xbf2,b\n", [("1", "a"), ("\ufeff2", "b")]),
    "letters of many bytes": ("1,Zoë\n2,😀\n".encode(), [("1", "Zoë"), ("2", "😀")]),
    "blank lines are no rows": (b"\n1,a\n\n\r\n2,b\n\n", [("1", "a"), ("2", "b")]),
    "too few cells": (b"1,a\n2\n3,c\n", [("1", "a"), ("!", "2"), ("3", "c")]),
    "too many cells": (b"1,a\n2,b,c\n3,c\n", [("1", "a"), ("!", "2,b,c"), ("3", "c")]),
    "truncated last line": (b"1,a\n2,b\n3", [("1", "a"), ("2", "b"), ("!", "3")]),
    "invalid UTF-8": (b"1,a\n2,\xff\xfe\n3,c\n", [("1", "a"), ("!", "2,\xff\xfe"), ("3", "c")]),
    "invalid UTF-8 in a line of too few cells": (b"\xff\n3,c\n", [("!", "\xff"), ("3", "c")]),
    "half a letter": (b"1,a\n2,\xc3\n3,c\n", [("1", "a"), ("!", "2,\xc3"), ("3", "c")]),
    "a quote that is never closed": (b'1,a\n2,"b\n3,c\n4,d\n', [("1", "a"), ("!", '2,"b'), ("3", "c"), ("4", "d")]),
    "a quote that is never closed, before quoted cells": (
        b'1,a\n2,"b\n3,"c"\n4,"d\ne"\n5,f\n',
        [("1", "a"), ("!", '2,"b'), ("3", "c"), ("4", "d\ne"), ("5", "f")],
    ),
    "a quote that is never closed, in the last line": (b'1,a\n2,"b', [("1", "a"), ("!", '2,"b')]),
    "a quote inside bare text, before a line end inside quotes": (
        b'1,5" tv\n2,"a\nb"\n3,c\n',
        [("1", '5" tv'), ("2", "a\nb"), ("3", "c")],
    ),
    "text after a closing quote": (b'1,a\n2,"b"c\n3,d\n', [("1", "a"), ("!", '2,"b"c'), ("3", "d")]),
    "line ends of old Macs": (b"1,a\r2,b\r", [("1", "a"), ("2", "b")]),
}


@pytest.mark.parametrize("name", FILES)
def test_only_a_bad_line_is_set_apart(name: str) -> None:
    """Every other line is read as it stands; a bad one keeps its bytes."""
    data, expected = FILES[name]
    assert expected == read(data)


@pytest.mark.parametrize("name", FILES)
def test_block_boundaries_decide_nothing(name: str) -> None:
    """A file read in pieces of any size gives the rows of the whole."""
    data, _ = FILES[name]
    assert dict.fromkeys(range(1, 51), read(data)) == {size: read(data, size) for size in range(1, 51)}


CELLS = st.text(st.sampled_from('ab1 ,"\n\ré😀\x00'), max_size=6)
ROWS = st.lists(st.tuples(CELLS, CELLS).filter(any), max_size=6)


def written(rows: list[tuple[str, ...]], line_end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    """Rows as the standard library writes them."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=line_end, quoting=quoting).writerows(rows)
    return file.getvalue().encode()


@settings(deadline=None, max_examples=200)
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.integers(1, 50))
def test_a_written_file_is_read_back(rows: list[tuple[str, ...]], line_end: str, quoting: int, size: int) -> None:
    """What a CSV writer wrote comes back cell for cell, in whatever pieces it is read."""
    if any("\r" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # the standard library leaves a lone carriage return bare
    assert rows == read(written(rows, line_end, quoting), size)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from([b"1", b"a", b",", b'"', b"\n", b"\r\n", b"\xc3", b"\xa9", b" "]), max_size=30),
    st.integers(1, 50),
)
@example([b"1", b",", b'"', b"a", b"\n", b"1", b",", b"a", b"\n"], 3)
def test_any_bytes_give_the_same_rows_in_any_pieces(pieces: list[bytes], size: int) -> None:
    """Even a damaged file has one reading; where it is cut into blocks does not show."""
    data = b"".join(pieces)
    assert read(data) == read(data, size)


BAD_LINES = [b"x\n", b"x,y,z\n", b"x,\xff\n", b"\xff\n", b'x,"y\n', b'x,"y""\n', b"x\r\n"]
GOOD_LINES = [
    b"1,a\n",
    b"2,b\r\n",
    b'3,"c"\n',
    b'4,"d, e"\n',
    b'5,"f ""g"""\n',
    b'6,"h\ni"\n',
    b'7,"j\r\nk"\r\n',
    b"8,\n",
    b",\n",
    b'9,5" tv\n',
    b"10,a\x00\n",
    b'11,"l"m\n',
]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from(GOOD_LINES), max_size=6), st.sampled_from(BAD_LINES), st.integers(0, 6), st.integers(1, 60)
)
def test_a_damaged_line_changes_no_other_row(lines: list[bytes], bad: bytes, at: int, size: int) -> None:
    """Whatever line is damaged and wherever it stands, the other lines give the rows that they give without it."""
    at = min(at, len(lines))
    damaged = b"".join([*lines[:at], bad, *lines[at:]])
    expected = read(b"".join(lines))
    mark = ("!", bad.rstrip(b"\r\n").decode("latin-1"))
    assert sorted([*expected, mark]) == sorted(read(damaged, size))
    assert expected == [row for row in read(damaged, size) if row != mark]


def test_a_damaged_line_does_not_change_a_long_cell() -> None:
    """A cell of many lines and one of many letters are read whether or not another line is damaged."""
    lines = "\n".join("x" * 400)
    letters = "y" * 200_000
    good = written([("1", lines), ("2", letters)])
    assert [("1", lines), ("2", letters)] == read(good)
    assert [("1", lines), ("2", letters), ("!", "bad")] == read(good + b"bad\n")


def test_a_damaged_line_does_not_change_lone_carriage_returns() -> None:
    """A lone carriage return means the same in every line of a file."""
    assert [("1", "a"), ("2", "b"), ("3", "c")] == read(b"1,a\r2,b\n3,c\n")
    assert [("1", "a"), ("2", "b"), ("3", "c"), ("!", "bad")] == read(b"1,a\r2,b\n3,c\nbad\n")


def test_a_line_of_blanks_is_not_dropped() -> None:
    """A line that holds anything at all is a row or is set apart."""
    assert [("1", "a"), ("!", "  "), ("2", "b")] == read(b"1,a\n  \n2,b\n")


def test_wanted_columns_alone_are_kept() -> None:
    """`keep` chooses columns; damaged lines are found all the same."""
    rows = parse(b"1,a,x\n2,b\n3,c,y\n", ["id", "name", "note"], ["name"]).to_pylist()
    assert ["a", "", "c"] == [row["name"] for row in rows]
    assert [b"", b"2,b", b""] == [base64.b64decode(row["_raw_base64"]) for row in rows]


# --- lineage ----------------------------------------------------------------------------------------------------------
def test_lineage_says_where_a_row_came_from() -> None:
    """File, number and bytes; numbers go on from the block before."""
    rows = with_lineage(parse(b"1,a\n2\n", COLUMNS), "x.csv", 11, ["id"]).to_pylist()
    assert [("x.csv", 11, ""), ("x.csv", 12, "Mg==")] == [
        (r["_source_file"], r["_row_number"], r["_raw_base64"]) for r in rows
    ]


def hashes(rows: list[tuple[str, str]]) -> list[str]:
    """Fingerprints of rows of two columns."""
    columns = {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(COLUMNS)}
    return [str(value) for value in row_hashes(pa.table(columns)).to_pylist()]


def test_a_fingerprint_is_that_of_the_content() -> None:
    """Equal rows have equal fingerprints of sixteen hexadecimal digits; cells do not run into one another."""
    one, same, other, shifted = hashes([("1", "ab"), ("1", "ab"), ("1", "ac"), ("1a", "b")])
    assert one == same
    assert 3 == len({one, other, shifted})
    assert "0123456789abcdef" == "".join(sorted(set("".join(hashes([(str(n), "") for n in range(99)])))))
    assert {16} == {len(value) for value in (one, other, shifted)}


def test_a_fingerprint_does_not_depend_on_the_neighbours() -> None:
    """A row has the same fingerprint in any block."""
    rows = [("1", "a"), ("", ""), ("é", "😀")]
    assert hashes(rows) == [hashes([row])[0] for row in rows]


# --- header -----------------------------------------------------------------------------------------------------------
def test_a_header_may_stand_in_any_order_with_a_byte_order_mark_and_quotes() -> None:
    """Names count, not places; the byte order mark and the line end are no part of a name."""
    line = b'\xef\xbb\xbfcustomer_id,"source_system",request_id,ingest_ts,event_ts\r\n'
    header = read_header(line, ERASURES, "e.csv")
    assert ("customer_id", "source_system", "request_id", "ingest_ts", "event_ts") == header.columns
    assert ((), ()) == (header.extra, header.absent)


def test_a_header_tells_columns_outside_the_contract_and_optional_ones_that_are_absent() -> None:
    """Neither stops the run."""
    header = read_header(b"event_ts,ingest_ts,event_id,note\n", RAW["clickstream"], "c.csv")
    assert ("note",) == header.extra
    assert ("anonymous_id", "source_system", "customer_id", "event_name", "page", "referrer") == header.absent


HEADER_ERRORS = {
    b"event_ts,ingest_ts,source_system,customer_id": "missing required column request_id; .*found event_ts, ingest_ts",
    b"event_ts;ingest_ts;request_id;source_system;customer_id": "missing required column event_ts, .*separator: comma",
    b"Event_ts,ingest_ts,request_id,source_system,customer_id": "missing required column event_ts;",
    b"\n": "found nothing",
    HEADER + b",request_id": "column request_id stands twice",
    HEADER + b",_row_number": "column _row_number .*lineage",
    b"event_ts,\xff": "not UTF-8",
    "event_ts,ingest_ts".encode("utf-16"): "not UTF-8",
}


@pytest.mark.parametrize(("line", "message"), HEADER_ERRORS.items())
def test_a_header_that_cannot_be_used_stops_the_run(line: bytes, message: str) -> None:
    """The error names the file, the column and what was found."""
    with pytest.raises(ContractError, match=f"^e.csv: .*{message}"):
        read_header(line, ERASURES, "e.csv")


# --- files ------------------------------------------------------------------------------------------------------------
HOSTILE = (
    b"2026-06-01T00:00:00Z,2026-06-01T00:00:00Z,r1,crm,a\r\n"
    b'2026-06-01T00:00:00Z,"2026-06-01T00:00:00Z",r2," crm ","x, ""y""\nz"\n'
    b",,,,\n"
    b"NA,NA,\xc2\xa0,\x00,\xef\xbc\x91\n"
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Raw files of twenty people, hostile erasure requests among them, and the folder of their bronze."""
    root = tmp_path_factory.mktemp("root")
    raw, stage = root / "data" / "raw", root / "stage"
    raw.mkdir(parents=True)
    (stage / "bronze").mkdir(parents=True)
    for name, table in next(generate(20)).items():
        if name in RAW:
            rows = [table.column_names, *zip(*(c.to_pylist() for c in table.columns), strict=True)]
            (raw / f"{name}.csv").write_bytes(written([tuple(row) for row in rows]))
    (raw / "erasure_requests.csv").write_bytes(HEADER + b"\n" + HOSTILE)
    with open_engine() as engine:
        load.load(engine, Workspace(root), stage)
    return raw, stage / "bronze"


@pytest.mark.parametrize("source", RAW)
def test_bronze_without_lineage_is_the_raw_file(source: str, loaded: tuple[Path, Path]) -> None:
    """Dropping the lineage columns gives the cells that the standard library reads from the raw file."""
    raw, stage = loaded
    with (raw / f"{source}.csv").open(newline="", encoding="utf-8") as file:
        expected = list(csv.reader(file))
    table = read_table(stage / f"{source}_bronze.csv")
    bare = table.drop_columns([column.name for column in LINEAGE])
    assert expected == [bare.column_names, *(list(row.values()) for row in bare.to_pylist())]
    assert [str(n) for n in range(1, len(expected))] == table["_row_number"].to_pylist()
    assert set(BRONZE[source].column_names) == set(table.column_names)


@pytest.mark.parametrize("source", RAW)
def test_replayed_bronze_is_the_same_as_raw(source: str, loaded: tuple[Path, Path]) -> None:
    """Typed rows made from the bronze file equal those made from the raw file."""
    raw, stage = loaded
    table = read_table(stage / f"{source}_bronze.csv")
    table = table.set_column(
        table.column_names.index("_row_number"), "_row_number", table["_row_number"].cast(pa.int64())
    )
    header, lines = (raw / f"{source}.csv").read_bytes().split(b"\n", 1)
    parsed = parse(lines, read_header(header, RAW[source], "").columns)
    parsed = parsed.append_column("_row_number", pa.array(range(1, len(parsed) + 1), pa.int64()))
    one, other = (typed.typed_rows(rows, RAW[source]) for rows in (parsed, table))
    assert one.rows.equals(other.rows)
    assert one.findings.equals(other.findings)


def test_a_damaged_line_keeps_its_bytes_in_bronze(tmp_path: Path) -> None:
    """Its cells are empty, its bytes stand in _raw_base64, and its number is its place in the file."""
    raw, stage = tmp_path / "data" / "raw", tmp_path / "stage"
    raw.mkdir(parents=True)
    (stage / "bronze").mkdir(parents=True)
    names = ",".join(RAW["customers"].column_names)
    (raw / "customers.csv").write_bytes(
        f"{names}\n".encode() + b"broken \xff\n" + b"2026-01-01T00:00:00Z," * 2 + b"crm,a,c,1" + b"," * 11 + b"\n"
    )
    with open_engine() as engine:
        load.load(engine, Workspace(tmp_path), stage)
    rows = read_table(stage / "bronze" / "customers_bronze.csv").to_pylist()
    found = [(row["_row_number"], row["customer_id"], base64.b64decode(row["_raw_base64"])) for row in rows]
    assert [("1", "", b"broken \xff"), ("2", "a", b"")] == found
