"""Faults: each one applies, changes what it says and nothing else, and is the same for the same seed."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from c360lib.errors import UsageError
from c360lib.generate import generate
from c360lib.generate.faults import FAULTS, Fault, inject
from c360lib.schemas import RAW

NAMES = [fault.name for fault in FAULTS]


@pytest.fixture(scope="module")
def clean() -> dict[str, bytes]:
    """Raw files of 200 people, by source."""
    tables = next(generate(200))
    return {name: _as_csv(tables[name]) for name in RAW}


def _as_csv(table: object) -> bytes:
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)  # type: ignore[attr-defined]
    lines = [",".join(table.column_names), *(",".join(row) for row in rows)]  # type: ignore[attr-defined]
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def raw_dir(clean: dict[str, bytes], tmp_path: Path) -> Path:
    """A directory with those files."""
    for name, data in clean.items():
        (tmp_path / f"{name}.csv").write_bytes(data)
    return tmp_path


def changed_rows(before: bytes, after: bytes) -> list[int]:
    """Numbers of lines that differ, from 1, the header not counted; lines are compared place by place."""
    old, new = before.split(b"\n"), after.split(b"\n")
    return [at for at in range(max(len(old), len(new))) if old[at : at + 1] != new[at : at + 1]]


def cells(path: Path, column: str) -> list[str]:
    """The cells of one column, as a CSV reader sees them."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return [row.get(column) or "" for row in csv.DictReader(file)]


def told_rows(line: str) -> list[int]:
    """The row numbers that a line of `inject` names one by one."""
    found = re.search(r"\.csv, rows? ([0-9, ]+):", line)
    return [int(number) for number in found[1].split(",")] if found else []


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_a_fault_changes_its_own_file_and_no_other(fault: Fault, raw_dir: Path, clean: dict[str, bytes]) -> None:
    """The file of its source differs afterwards, every other file has the same bytes."""
    [line] = inject(raw_dir, [fault.name])
    assert line.startswith(f"{fault.name}: {fault.source}.csv, ")
    assert line.endswith(f"expect {fault.detected_by}")
    differing = [name for name in clean if (raw_dir / f"{name}.csv").read_bytes() != clean[name]]
    assert [fault.source] == differing


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_a_fault_is_the_same_for_the_same_seed(fault: Fault, raw_dir: Path, clean: dict[str, bytes]) -> None:
    """Two runs on the same file give the same lines and the same bytes."""
    path = raw_dir / f"{fault.source}.csv"
    first = (inject(raw_dir, [fault.name], 7), path.read_bytes())
    path.write_bytes(clean[fault.source])
    assert first == (inject(raw_dir, [fault.name], 7), path.read_bytes())


ONE_BY_ONE = (
    "malformed_timestamp impossible_timestamp missing_arrival clock_skew impossible_date unreadable_email "
    "impossible_score bad_lsn unknown_op missing_key unknown_source_system orphan_reference negative_amount "
    "foreign_currency unknown_status unknown_purpose consent_withdrawal_with_unreadable_time consent_of_nobody "
    "broken_encoding edge_spaces future_timestamp"
).split()


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_the_rows_told_are_the_rows_changed(name: str, raw_dir: Path, clean: dict[str, bytes]) -> None:
    """Row numbers count from 1 without the header, and every other line keeps its bytes."""
    fault = FAULTS[NAMES.index(name)]
    [line] = inject(raw_dir, [name])
    after = (raw_dir / f"{fault.source}.csv").read_bytes()
    assert told_rows(line) == changed_rows(clean[fault.source], after)
    assert told_rows(line)


@pytest.mark.parametrize(
    ("name", "column", "cell", "count"),
    [
        ("malformed_timestamp", "event_ts", "30/06/2026 12:00", 3),
        ("impossible_timestamp", "event_ts", "2026-02-30T10:00:00Z", 3),
        ("missing_arrival", "ingest_ts", "", 3),
        ("impossible_date", "date_of_birth", "2026-02-30", 3),
        ("impossible_score", "csat", "9", 3),
        ("bad_lsn", "lsn", "12ab", 3),
        ("unknown_op", "op", "x", 3),
        ("missing_key", "event_id", "", 3),
        ("unknown_source_system", "source_system", "Mail Tool!", 3),
        ("orphan_reference", "customer_id", "nobody-0000", 3),
        ("negative_amount", "net_amount_cents", "-500", 3),
        ("foreign_currency", "currency", "XXX", 3),
        ("unknown_status", "status", "shipped", 3),
        ("unknown_purpose", "purpose", "everything", 3),
        ("consent_withdrawal_with_unreadable_time", "event_ts", "yesterday", 1),
        ("consent_of_nobody", "customer_id", "", 1),
        ("future_timestamp", "ingest_ts", "2199-01-01T00:00:00Z", 1),
        ("broken_encoding", "city", "M\ufffdnchen", 3),
        ("key_shared_by_hundreds", "email", "info@example.com", 300),
    ],
)
def test_the_cell_holds_what_the_fault_writes(name: str, column: str, cell: str, count: int, raw_dir: Path) -> None:
    """So many rows hold exactly that cell."""
    inject(raw_dir, [name])
    assert count == cells(raw_dir / f"{FAULTS[NAMES.index(name)].source}.csv", column).count(cell)


def test_clock_skew_is_just_past_what_a_clock_may_do(raw_dir: Path) -> None:
    """event_ts is six minutes after ingest_ts; five would be allowed."""
    [line] = inject(raw_dir, ["clock_skew"])
    pairs = list(
        zip(*(cells(raw_dir / "campaign_events.csv", name) for name in ("event_ts", "ingest_ts")), strict=True)
    )
    for row in told_rows(line):
        event, ingest = pairs[row - 1]
        assert event > ingest
        assert event.endswith("Z")
        assert len(event) == 20


def test_a_line_end_and_quotes_in_a_cell_are_still_one_row(raw_dir: Path, clean: dict[str, bytes]) -> None:
    """A CSV reader finds as many rows as before, and the page with its line end."""
    inject(raw_dir, ["embedded_newlines_and_quotes"])
    pages = cells(raw_dir / "clickstream.csv", "page")
    assert clean["clickstream"].count(b"\n") - 1 == len(pages)
    assert 3 == sum(page.endswith('?note="one,\ntwo"') for page in pages)


@pytest.mark.parametrize("name", ["quoted_cells", "mixed_line_ends", "utf8_bom"])
def test_another_way_to_write_the_same_is_read_the_same(name: str, raw_dir: Path) -> None:
    """Quotes, line ends and a byte order mark change bytes and no cell."""
    fault = FAULTS[NAMES.index(name)]
    path = raw_dir / f"{fault.source}.csv"
    before = [cells(path, column) for column in RAW[fault.source].column_names]
    inject(raw_dir, [name])
    assert before == [cells(path, column) for column in RAW[fault.source].column_names]
    assert "unchanged" == fault.detected_by


def test_spaces_stand_around_a_cell_and_nothing_else_changes(raw_dir: Path) -> None:
    """Three cities have edge spaces, which trimming takes away."""
    before = cells(raw_dir / "customers.csv", "city")
    inject(raw_dir, ["edge_spaces"])
    after = cells(raw_dir / "customers.csv", "city")
    assert 3 == sum(old != new for old, new in zip(before, after, strict=True))
    assert before == [city.strip() for city in after]


def test_a_key_comes_twice_with_different_content(raw_dir: Path, clean: dict[str, bytes]) -> None:
    """One order row more, equal to another in its key but not in its amount."""
    [line] = inject(raw_dir, ["duplicate_key_with_different_content"])
    path = raw_dir / "orders.csv"
    at, last = (row - 1 for row in told_rows(line))
    keys = list(zip(*(cells(path, column) for column in RAW["orders"].key), strict=True))
    amounts = cells(path, "net_amount_cents")
    assert clean["orders"].count(b"\n") == len(keys) == last + 1
    assert keys[at] == keys[last]
    assert int(amounts[at]) + 1 == int(amounts[last])
    assert 2 == keys.count(keys[at])


def test_columns_come_and_go(raw_dir: Path) -> None:
    """An extra column has a cell in every row; a missing one is gone from header and rows."""
    inject(raw_dir, ["extra_column", "missing_required_column"])
    assert {"blue"} == set(cells(raw_dir / "customers.csv", "favourite_colour"))
    lines = (raw_dir / "orders.csv").read_text(encoding="utf-8").splitlines()
    assert [name for name in RAW["orders"].column_names if name != "net_amount_cents"] == lines[0].split(",")
    assert {len(RAW["orders"].columns) - 2} == {line.count(",") for line in lines}


def test_files_end_too_early(raw_dir: Path, clean: dict[str, bytes]) -> None:
    """A cut last line, a quote without an end, a header alone, no byte at all."""
    inject(raw_dir, ["truncated_file", "unterminated_quote", "header_only"])
    orders = (raw_dir / "orders.csv").read_bytes()
    assert clean["orders"].startswith(orders)
    assert clean["orders"].splitlines()[:-1] == orders.splitlines()[:-1]
    assert not orders.endswith(b"\n")
    assert 1 == (raw_dir / "support_tickets.csv").read_bytes().count(b'"')
    assert clean["campaign_events"].splitlines(keepends=True)[0] == (raw_dir / "campaign_events.csv").read_bytes()
    inject(raw_dir, ["empty_file"])
    assert b"" == (raw_dir / "support_tickets.csv").read_bytes()


def test_a_device_is_shared_by_hundreds_of_accounts(raw_dir: Path) -> None:
    """One device, and as many different accounts as there are, at most 300."""
    inject(raw_dir, ["device_shared_by_hundreds"])
    path = raw_dir / "clickstream.csv"
    rows = zip(*(cells(path, name) for name in ("anonymous_id", "source_system", "customer_id")), strict=True)
    accounts = [row[1:] for row in rows if row[0] == "D-shared-till"]
    assert len(set(accounts)) == len(accounts)
    assert 60 <= len(accounts) <= 300
    assert all(customer_id for _, customer_id in accounts)


def test_faults_of_one_source_do_not_meet_in_a_row(raw_dir: Path) -> None:
    """Faults in cells choose rows that no other fault has changed, so each can be found on its own."""
    orders = [name for name in ONE_BY_ONE if FAULTS[NAMES.index(name)].source == "orders"]
    rows = [row for line in inject(raw_dir, orders) for row in told_rows(line)]
    assert 18 == len(rows)
    assert len(set(rows)) == len(rows)


def test_the_order_of_names_does_not_matter(raw_dir: Path, clean: dict[str, bytes]) -> None:
    """Faults go in from the top of FAULTS down, all of them together too."""
    lines = inject(raw_dir, NAMES)
    after = {name: (raw_dir / f"{name}.csv").read_bytes() for name in clean}
    for name, data in clean.items():
        (raw_dir / f"{name}.csv").write_bytes(data)
    assert lines == inject(raw_dir, NAMES[::-1])
    assert after == {name: (raw_dir / f"{name}.csv").read_bytes() for name in clean}
    assert NAMES == [line.split(":")[0] for line in lines]


def test_names_are_unique_and_sources_known() -> None:
    """Each fault has its own name, a source of the contract, and a detector of a known kind."""
    assert len(set(NAMES)) == len(NAMES)
    assert {fault.source for fault in FAULTS} <= set(RAW)
    kinds = {fault.detected_by.split(":")[0] for fault in FAULTS}
    assert {"quarantine", "field_issues", "report", "gate", "stop", "blocked_keys", "unchanged"} == kinds
    assert [fault.stops_run for fault in FAULTS] == [fault.detected_by.startswith("stop:") for fault in FAULTS]


def test_an_unknown_fault_is_refused_and_changes_nothing(raw_dir: Path, clean: dict[str, bytes]) -> None:
    """The message lists the faults that there are; even the known ones of the call are not put in."""
    with pytest.raises(UsageError, match="unknown fault: gremlins; expected one of malformed_timestamp, ") as caught:
        inject(raw_dir, ["negative_amount", "gremlins"])
    assert all(name in str(caught.value) for name in NAMES)
    assert clean["orders"] == (raw_dir / "orders.csv").read_bytes()


def test_a_source_without_file_or_rows_is_refused(raw_dir: Path) -> None:
    """The message names the file and says what to do."""
    (raw_dir / "orders.csv").unlink()
    with pytest.raises(UsageError, match=r"orders\.csv: expected a raw file, found none"):
        inject(raw_dir, ["negative_amount"])
    inject(raw_dir, ["header_only"])
    with pytest.raises(UsageError, match=r"campaign_events\.csv: expected at least one row, found none"):
        inject(raw_dir, ["missing_key"])
