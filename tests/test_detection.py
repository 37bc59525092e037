"""The fault table: each fault, alone, is detected by what it names; no row is lost, no other row changes."""

from __future__ import annotations

import csv
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from c360lib import errors
from c360lib.cli import main
from c360lib.generate import generate
from c360lib.generate.faults import _BOM, FAULTS, SHARED_BY, Fault, RawFile, inject
from c360lib.quality.measures import FAIL, PASS, WARN
from c360lib.release.build import Result, build
from c360lib.schemas import RAW, SILVER
from c360lib.sources import moments
from c360lib.storage.files import read_csv, read_json
from c360lib.storage.workspace import Workspace

PEOPLE = 400
NOW = moments.seconds_or_none("2026-07-01T12:00:00Z")
Rows = list[dict[str, Any]]
DERIVED = {"profile_id", "session_id", "match_rule", "match_probability"}  # what other rows may change


def of_kind(kind: str) -> list[Any]:
    """The faults that are detected this way, as parameters."""
    return [pytest.param(f, id=f.name) for f in FAULTS if f.detected_by.split(":")[0] == kind]


@dataclass
class Case:
    """One fault put into a copy of the clean raw files, and what the build came to."""

    fault: Fault
    ours: Workspace
    said: str
    result: Result | None
    error: errors.C360Error | None

    @property
    def folder(self) -> Path:
        """The release that was published, or kept."""
        assert self.result is not None
        return self.result.kept or self.ours.current_release()

    def rows(self, table: str) -> Rows:
        """The rows of `layer/table`."""
        return rows_of(self.folder, table)

    @property
    def expected(self) -> str:
        """What must detect it, without the kind."""
        return self.fault.detected_by.partition(":")[2]


def rows_of(folder: Path, table: str) -> Rows:
    """The rows of `layer/table` of a release."""
    return read_csv(folder / f"{table}.csv").to_pylist()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Raw files without a fault, and their release."""
    ours = Workspace(tmp_path_factory.mktemp("clean"))
    ours.generated.write(generate(PEOPLE), {})
    assert build(ours, "polars", now=NOW).kept is None
    return ours


@pytest.fixture(scope="module")
def case_of(clean: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Fault], Case]:
    """Build with one fault, once."""
    made: dict[str, Case] = {}

    def case(fault: Fault) -> Case:
        if fault.name not in made:
            ours = Workspace(tmp_path_factory.mktemp(fault.name))
            shutil.copytree(clean.raw, ours.raw)
            [said] = inject(ours.raw, [fault.name])
            try:
                made[fault.name] = Case(fault, ours, said, build(ours, "polars", now=NOW), None)
            except errors.C360Error as error:
                made[fault.name] = Case(fault, ours, said, None, error)
        return made[fault.name]

    return case


def told_rows(said: str) -> list[int]:
    """The row numbers that a line of `inject` names; of more than ten it tells how many, and so does this."""
    span = re.search(r"([0-9]+) rows from ", said)
    if span:
        return list(range(1, int(span[1]) + 1))
    found = re.search(r"\.csv, rows? ([0-9, ]+):", said)
    return [int(number) for number in found[1].split(",")] if found else []


# --- detected by what it names ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", of_kind("quarantine"))
def test_the_rows_are_quarantined_by_the_rule(fault: Fault, case_of: Callable[[Fault], Case]) -> None:
    """Exactly the rows that hold the fault, and the release is published."""
    case = case_of(fault)
    found = [(row["source"], row["rule"], int(row["row_number"])) for row in case.rows("silver/quarantine")]
    expected = told_rows(case.said)
    if fault.name == "unterminated_quote":
        expected = expected[:1]  # the lines after it are read again, each by itself
    assert [(fault.source, case.expected, number) for number in expected] == sorted(found)
    assert case.result is not None
    assert case.result.kept is None


@pytest.mark.parametrize("fault", of_kind("field_issues"))
def test_the_cells_are_listed_and_their_rows_kept(fault: Fault, case_of: Callable[[Fault], Case]) -> None:
    """Exactly the cells that hold the fault, as they stand in bronze; nothing is quarantined."""
    case = case_of(fault)
    column = case.expected.removeprefix("valid_")
    with case.ours.raw_file(fault.source).open(encoding="utf-8", newline="") as stream:
        raw = list(csv.DictReader(stream))
    expected = [(fault.source, str(n), column, case.expected, raw[n - 1][column]) for n in told_rows(case.said)]
    found = [tuple(row.values()) for row in case.rows("silver/field_issues")]
    assert sorted(expected) == sorted(found)
    assert [] == case.rows("silver/quarantine")


@pytest.mark.parametrize("fault", of_kind("report"))
def test_the_report_warns(fault: Fault, case_of: Callable[[Fault], Case]) -> None:
    """A measure of the source warns, and the release is published."""
    case = case_of(fault)
    assert case.result is not None
    statuses = {measure.name: measure.status for measure in case.result.measures}
    assert WARN == statuses[f"{fault.source}_{case.expected}"]
    assert WARN == case.result.status
    assert case.result.kept is None


@pytest.mark.parametrize("fault", of_kind("blocked_keys"))
def test_the_key_is_listed_and_ignored(fault: Fault, case_of: Callable[[Fault], Case]) -> None:
    """The key stands in blocked_keys with its holders; it links no accounts and assigns no events."""
    case = case_of(fault)
    assert {len(told_rows(case.said))} == {int(row["account_count"]) for row in case.rows("silver/blocked_keys")}
    key = "D-shared-till" if fault.source == "clickstream" else "info@example.com"
    assert {True} == {key in row["key"] for row in case.rows("silver/blocked_keys")}
    ours = [row for row in case.rows("silver/customer_identity") if row["customer_id"].startswith("shared-")]
    assert len(ours) == len({row["profile_id"] for row in ours})
    assert (SHARED_BY if fault.source == "customers" else 0) == len(ours)
    events = [row for row in case.rows("silver/clickstream") if row["anonymous_id"] == "D-shared-till"]
    assert (len(told_rows(case.said)) if fault.source == "clickstream" else 0) == len(events)
    profile_of = {row["record_id"]: row["profile_id"] for row in case.rows("silver/customer_identity")}
    assert [profile_of.get(row["record_id"], "") for row in events] == [row["profile_id"] for row in events]


@pytest.mark.parametrize("fault", of_kind("stop"))
def test_the_run_stops(fault: Fault, case_of: Callable[[Fault], Case]) -> None:
    """With the error it names and a message that names the file; nothing is published."""
    case = case_of(fault)
    assert getattr(errors, case.expected) is type(case.error)
    assert f"{fault.source}.csv" in str(case.error)
    assert case.ours.current() is None


@pytest.mark.parametrize("fault", of_kind("gate"))
def test_the_gate_closes(fault: Fault, case_of: Callable[[Fault], Case]) -> None:
    """The measure fails, no other does, and nothing is published; the stage is kept with its report."""
    case = case_of(fault)
    assert case.result is not None
    assert [case.expected] == [measure.name for measure in case.result.measures if measure.status == FAIL]
    assert case.ours.current() is None
    assert case.result.kept is not None
    assert (case.result.kept / "reports" / "customer360_quality_report.md").exists()


@pytest.mark.parametrize("fault", of_kind("unchanged"))
def test_what_is_no_fault_changes_nothing(fault: Fault, case_of: Callable[[Fault], Case], clean: Workspace) -> None:
    """Gold has the same bytes as without it, and nobody is warned of more."""
    case = case_of(fault)
    for path in sorted((clean.current_release() / "gold").iterdir()):
        assert (path.name, path.read_bytes()) == (path.name, (case.folder / "gold" / path.name).read_bytes())
    assert case.ours.raw_file(fault.source).read_bytes() != clean.raw_file(fault.source).read_bytes()
    assert [] == case.rows("silver/quarantine") + case.rows("silver/field_issues")


def test_every_fault_is_in_one_of_these_tests() -> None:
    """A fault of a new kind would not go untested."""
    kinds = ("quarantine", "field_issues", "report", "blocked_keys", "stop", "gate", "unchanged")
    assert len(FAULTS) == sum(len(of_kind(kind)) for kind in kinds)


# --- the law of rows --------------------------------------------------------------------------------------------------
RUNNING = [pytest.param(fault, id=fault.name) for fault in FAULTS if not fault.stops_run]


def records_in(path: Path) -> int:
    """Records of a raw file that hold something, the header not counted."""
    return sum(1 for record in RawFile.read(path).records if record.strip())


@pytest.mark.parametrize("fault", RUNNING)
def test_no_row_is_lost(fault: Fault, case_of: Callable[[Fault], Case], clean: Workspace) -> None:
    """Rows in = rows of bronze = sum of the dispositions, for every source; quarantine.csv lists the quarantined."""
    case = case_of(fault)
    manifest = read_json(case.folder / "manifest.json")
    quarantined = Counter(row["source"] for row in case.rows("silver/quarantine"))
    for name in RAW:
        path = case.ours.raw_file(name)
        # A quote that is never closed makes one record of the lines that follow: count them as they were.
        expected = records_in(clean.raw_file(name) if fault.name == "unterminated_quote" else path)
        source = manifest["sources"][name]
        assert (name, expected) == (name, source["rows"])
        assert (name, expected) == (name, len(case.rows(f"bronze/{name}_bronze")))
        assert (name, expected) == (name, sum(source["dispositions"].values()))
        assert quarantined[name] == source["dispositions"].get("quarantined", 0)
    assert case.result is not None
    accounted = [m.status for m in case.result.measures if m.name.endswith("_rows_unaccounted")]
    assert [PASS] * len(RAW) == accounted


def touched_by(case: Case, clean: Workspace) -> set[tuple[str, ...]]:
    """The entities of rows that hold the fault, by key, as they were and as they are."""
    files = [RawFile.read(ours.raw_file(case.fault.source)) for ours in (clean, case.ours)]
    before, after = ([file.row(at) for at in range(len(file.records))] for file in files)
    numbers = told_rows(case.said)
    if len(numbers) > 10:
        numbers = [n for n in range(1, len(after) + 1) if before[n - 1 : n] != after[n - 1 : n]]
    rows = [row for n in numbers for row in (*before[n - 1 : n], *after[n - 1 : n])]
    return {tuple(row.get(name, "") for name in RAW[case.fault.source].entity) for row in rows}


@pytest.mark.parametrize("fault", RUNNING)
def test_no_other_row_changes(fault: Fault, case_of: Callable[[Fault], Case], clean: Workspace) -> None:
    """Every silver row of an entity without a faulty row has the cells that it has in the clean build.

    Where accounts or devices are at fault, whom a row is given to may follow; its own cells may not.
    """
    case = case_of(fault)
    touched = touched_by(case, clean)
    whole_file = fault.name in ("header_only", "empty_file")
    spread = fault.source in ("customers", "clickstream")
    for name in RAW:
        if name == "customers" or (whole_file and name == fault.source):
            continue
        key = SILVER[name].key
        ignored = DERIVED if spread else set()
        expected, found = (
            [
                {column: cell for column, cell in row.items() if column not in ignored}
                for row in rows_of(folder, f"silver/{name}")
                if name != fault.source or tuple(row[k] for k in key) not in touched
            ]
            for folder in (clean.current_release(), case.folder)
        )
        assert expected == found


@pytest.mark.parametrize("fault", [p for p in RUNNING if p.values[0].source == "customers"])
def test_no_other_account_changes(fault: Fault, case_of: Callable[[Fault], Case], clean: Workspace) -> None:
    """Accounts without a faulty row keep their state, and people without one keep every cell of their row."""
    case = case_of(fault)
    records = {":".join(each) for each in touched_by(case, clean)}
    before = rows_of(clean.current_release(), "silver/customer_identity")
    after = case.rows("silver/customer_identity")
    own = ("record_id", "source_event_ts", "is_deleted")
    expected, found = ([[r[c] for c in own] for r in rows if r["record_id"] not in records] for rows in (before, after))
    assert expected == found
    people = {row["profile_id"] for rows in (before, after) for row in rows if row["record_id"] in records}
    expected, found = (
        [row for row in rows_of(folder, "silver/customer_profile_base") if row["profile_id"] not in people]
        for folder in (clean.current_release(), case.folder)
    )
    assert len(expected) > PEOPLE // 2
    assert expected == found


def test_lines_after_a_quote_that_is_never_closed_are_read(case_of: Callable[[Fault], Case], clean: Workspace) -> None:
    """One line is set apart with its bytes; those that the quote would swallow stand in bronze as they are."""
    case = case_of(next(f for f in FAULTS if f.name == "unterminated_quote"))
    first, *others = told_rows(case.said)
    table = "bronze/support_tickets_bronze"
    before, after = rows_of(clean.current_release(), table), case.rows(table)
    assert [before[n - 1] for n in others] == [after[n - 1] for n in others]
    assert after[first - 1]["_raw_base64"]
    assert 4 == len(others)


def test_a_byte_order_mark_is_no_part_of_the_first_column(case_of: Callable[[Fault], Case]) -> None:
    """Bronze names its first column as the contract does."""
    case = case_of(next(f for f in FAULTS if f.name == "utf8_bom"))
    assert case.ours.raw_file("customers").read_bytes().startswith(_BOM)
    assert "event_ts" == next(iter(case.rows("bronze/customers_bronze")[0]))


def test_an_unreadable_withdrawal_blocks(case_of: Callable[[Fault], Case]) -> None:
    """A withdrawal without a readable time keeps its person from being reached for that purpose."""
    case = case_of(next(f for f in FAULTS if f.name == "consent_withdrawal_with_unreadable_time"))
    file = RawFile.read(case.ours.raw_file("consent_events"))
    row = file.row(told_rows(case.said)[0] - 1)
    record = f"{row['source_system']}:{row['customer_id']}"
    [profile] = {r["profile_id"] for r in case.rows("silver/customer_identity") if r["record_id"] == record}
    slots = [
        r
        for r in case.rows("gold/activation_candidates")
        if (r["profile_id"], r["purpose"]) == (profile, row["purpose"]) and row["channel"] in (r["channel"], "any", "")
    ]
    assert slots
    assert {"false"} == {slot["eligible"] for slot in slots}


# --- what a user sees -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("consent_of_nobody", 1, "fail: unattributable_consent_events_rows is 1, expected at most 0"),
        ("missing_required_column", 2, "orders.csv: missing required column net_amount_cents"),
        ("future_timestamp", 2, "ingest_ts 2199-01-01T00:00:00Z is in the future"),
        ("negative_amount", 0, ""),
    ],
)
def test_the_exit_status_says_it(name: str, status: int, words: str, clean: Workspace, tmp_path: Path) -> None:
    """0 where a release was published, 1 where the gate closed, 2 where the run stopped; the old release stands."""
    ours = Workspace(Path(shutil.copytree(clean.root, tmp_path / "copy")))
    before = ours.current()
    inject(ours.raw, [name])
    told = CliRunner().invoke(main, ["build", str(ours.root), "--engine", "polars"])
    assert (status, True) == (told.exit_code, words in told.stderr)
    assert (status == 0) == (ours.current() != before)
    assert [] == ours.verify()


def test_all_faults_at_once_lose_no_row_either(clean: Workspace, tmp_path: Path) -> None:
    """Every fault that does not stop the run: each row still has one disposition, and only the gate's measure fails."""
    ours = Workspace(tmp_path)
    shutil.copytree(clean.raw, ours.raw)
    inject(ours.raw, [fault.name for fault in FAULTS if not fault.stops_run])
    result = build(ours, "polars", now=NOW)
    assert ["unattributable_consent_events_rows"] == [m.name for m in result.measures if m.status == FAIL]
    accounted = [(m.value, m.status) for m in result.measures if m.name.endswith("_rows_unaccounted")]
    assert [("0", PASS)] * len(RAW) == accounted
