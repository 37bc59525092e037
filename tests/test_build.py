"""The build: the same answer every time, clear words where a file cannot be used, nothing lost on the way."""

from __future__ import annotations

import base64
import csv
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from c360lib.errors import ContractError, UsageError
from c360lib.generate import generate
from c360lib.generate.faults import FAULTS, inject
from c360lib.quality.measures import FAIL, WARN
from c360lib.release.build import build
from c360lib.rules import DEFAULT_AS_OF, DEFAULT_CUSTOMERS, DEFAULT_SEED
from c360lib.schemas import BRONZE, GOLD, LINEAGE, RAW, SILVER
from c360lib.sources.moments import end_of_day, seconds_or_none
from c360lib.storage.files import file_sha256, read_csv, read_json
from c360lib.storage.workspace import LAYER_FOLDERS, Workspace

REPO = Path(__file__).parents[1]
RUNNING = [fault.name for fault in FAULTS if not fault.stops_run]
READABLE = [name for name in RUNNING if name not in ("unterminated_quote", "truncated_file", "broken_encoding")]
OPTIONAL = [name for name in RAW if name != "customers"]
CUSTOMER = "2026-06-01T10:00:00Z,2026-06-01T10:00:00Z,crm,1,c,1"
CUSTOMER_COLUMNS = "event_ts,ingest_ts,source_system,customer_id,op,lsn"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Raw files of 200 people and their release."""
    ours = Workspace(tmp_path_factory.mktemp("build"))
    ours.generated.write(generate(200), {})
    assert build(ours, "polars").kept is None
    return ours


@pytest.fixture
def ours(clean: Workspace, tmp_path: Path) -> Workspace:
    """Another folder with the same raw files, nothing built."""
    shutil.copytree(clean.raw, tmp_path / "data" / "raw")
    return Workspace(tmp_path)


@pytest.fixture
def published(clean: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the release and its raw files that a test may change."""
    return Workspace(Path(shutil.copytree(clean.root, tmp_path / "published")))


def digests(ours: Workspace) -> dict[str, str]:
    """SHA-256 of every file of the published release."""
    return {name: entry["sha256"] for name, entry in ours.manifest()["files"].items()}


def raw_rows(path: Path) -> list[list[str]]:
    """Header and rows of a raw file as Python's csv module reads them; blank lines are no rows."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [row for row in csv.reader(stream) if row]


def bronze_rows(ours: Workspace, source: str) -> list[list[str]]:
    """Header and rows of a bronze file without lineage."""
    with (ours.releases / str(ours.current()) / "bronze" / f"{source}_bronze.csv").open(
        encoding="utf-8", newline=""
    ) as s:
        return [row[: -len(LINEAGE)] for row in csv.reader(s)]


# --- the same answer every time ---------------------------------------------------------------------------------------
def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    """`c360 run` in two processes and folders: every file of every layer, the raw files and the release are equal."""
    found = []
    for name, seed in (("one", "1"), ("two, elsewhere", "2")):
        root = tmp_path / name
        command = [sys.executable, "-m", "c360lib", "run", str(root), "--customers", "60"]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC-{seed}"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        folders = [root / "data" / "raw", *(Workspace(root).opened_folder(folder) for folder in LAYER_FOLDERS)]
        files = {p.relative_to(root).as_posix(): p.read_bytes() for f in folders for p in sorted(f.iterdir())}
        found.append((Workspace(root).current(), files))
    assert 2 * len(RAW) + len(SILVER) + len(GOLD) + 2 == len(found[0][1])
    assert found[0] == found[1]


def test_the_release_depends_on_neither_engine_nor_folder(clean: Workspace, ours: Workspace) -> None:
    """Another engine in another folder publishes the same release, files and all."""
    shutil.copytree(clean.truth_file.parent, ours.truth_file.parent)
    result = build(ours)
    assert clean.current() == result.release
    assert digests(clean) == digests(ours)


def test_building_again_changes_nothing(published: Workspace) -> None:
    """The same inputs: the same release, not a second one."""
    first, before = published.current(), digests(published)
    assert first == build(published, "polars").release
    assert before == digests(published)
    assert [first] == [path.name for path in published.releases.iterdir()]


def test_truth_may_come_and_go(clean: Workspace, ours: Workspace) -> None:
    """It is for the report alone: with it at hand or not, the same raw files build and publish."""
    for _ in range(2):
        assert build(ours, "polars").kept is None
        shutil.copytree(clean.truth_file.parent, ours.truth_file.parent)
        result = build(ours, "polars")
        assert result.kept is None
        assert "identity_pairwise_recall" in {measure.name for measure in result.measures}
        shutil.rmtree(ours.truth_file.parent)


@pytest.mark.parametrize("change", ["raw", "steward", "as_of", "format"])
def test_another_input_makes_another_release(change: str, clean: Workspace, ours: Workspace) -> None:
    """A row more, a steward's decision, another day or format: the id says so."""
    if change == "raw":
        with ours.raw_file("orders").open("a", encoding="utf-8") as stream:
            stream.write("x\n")
    if change == "steward":
        ours.steward_file.parent.mkdir()
        ours.steward_file.write_text("left_record_id,right_record_id,decision,decided_ts\n", "utf-8")
    as_of = "2026-07-01" if change == "as_of" else None
    result = build(ours, "polars", as_of, "parquet" if change == "format" else "csv")
    assert clean.current() != result.release


def test_the_order_of_rows_decides_nothing(clean: Workspace, ours: Workspace) -> None:
    """Raw files turned upside down give the same silver and gold; only row numbers and bronze differ."""
    for name in RAW:
        header, *lines = ours.raw_file(name).read_text("utf-8").splitlines()
        ours.raw_file(name).write_text("\n".join([header, *lines[::-1], ""]), "utf-8")
    build(ours, "polars")
    tables = [n for n in digests(clean) if n.startswith(("silver/", "gold/"))]
    assert {n: digests(clean)[n] for n in tables} == {n: digests(ours)[n] for n in tables}


# --- as_of ------------------------------------------------------------------------------------------------------------
def test_as_of_is_the_end_of_the_day_of_the_latest_arrival(clean: Workspace) -> None:
    """Of any source; so a build needs no clock."""
    latest = max(row[1] for name in RAW for row in raw_rows(clean.raw_file(name))[1:])
    assert f"{latest[:10]}T23:59:59Z" == clean.manifest()["as_of"]


def test_an_earlier_as_of_sees_less(clean: Workspace, ours: Workspace) -> None:
    """What happened or arrived later is not_yet, and no table above bronze knows of it."""
    result = build(ours, "polars", "2026-02-28")
    assert "2026-02-28T23:59:59Z" == ours.manifest()["as_of"] == result.as_of
    for name in RAW:
        before, now = (each.manifest()["sources"][name] for each in (clean, ours))
        assert (name, before["rows"]) == (name, now["rows"])
        assert now["rows"] == sum(now["dispositions"].values())
        rows = raw_rows(ours.raw_file(name))[1:]
        late = sum(1 for row in rows if row[1] > result.as_of)
        assert late <= now["dispositions"].get("not_yet", 0)
        assert 0 == before["dispositions"].get("not_yet", 0)
    for name in ("orders", "clickstream", "campaign_events"):
        silver = read_csv(ours.table_file("silver", name)).to_pylist()
        assert silver
        assert [] == [r for r in silver if max(r["event_ts"], r["ingest_ts"]) > result.as_of]
    profiles = [len(read_csv(each.table_file("gold", "customer_360"))) for each in (clean, ours)]
    assert 0 < profiles[1] < profiles[0]


def test_an_as_of_after_the_data_reads_everything(clean: Workspace, ours: Workspace) -> None:
    """Nothing is not_yet, and ages are counted to that day."""
    build(ours, "polars", "2026-07-31T00:00:00Z")
    assert "2026-07-31T23:59:59Z" == ours.manifest()["as_of"]
    before, now = (read_csv(each.table_file("gold", "customer_360")).to_pylist() for each in (clean, ours))
    pairs = [(b, n) for b, n in zip(before, now, strict=True) if b["rfm_recency_days"]]
    assert pairs
    assert [int(b["rfm_recency_days"]) + 31 for b, _ in pairs] == [int(n["rfm_recency_days"]) for _, n in pairs]


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "2026-6-1", "2026-06-30 23:59:59", "30.06.2026"])
def test_an_as_of_that_is_no_day_is_told(text: str) -> None:
    """The message shows what a day looks like."""
    with pytest.raises(UsageError, match="--as-of: expected a day such as 2026-06-30 or 2026-06-30T23:59:59Z, got"):
        end_of_day(text)


def test_an_arrival_in_the_future_is_asked_about(ours: Workspace) -> None:
    """It would move as_of for everybody: the row is named, unless the day is; a build without a clock does not ask."""
    latest = max(raw_rows(ours.raw_file("customers"))[1:], key=lambda row: row[1])
    row = raw_rows(ours.raw_file("customers")).index(latest)
    now = seconds_or_none("2026-06-01T00:00:00Z")
    with pytest.raises(UsageError, match=rf"customers\.csv, row {row}: ingest_ts {latest[1]} is in the future"):
        build(ours, "polars", now=now)
    assert ours.current() is None
    assert "2026-06-30T23:59:59Z" == build(ours, "polars", "2026-06-30", now=now).as_of
    assert "2026-06-30T23:59:59Z" == build(ours, "polars").as_of


# --- files that cannot be used ----------------------------------------------------------------------------------------
def _gone(path: Path) -> None:
    path.unlink()


def _no_bytes(path: Path) -> None:
    path.write_bytes(b"")


def _no_rows(path: Path) -> None:
    path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n")


def _all_bad(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace("T", "t"), "utf-8")


def _no_lsn(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace(",lsn,", ",sequence,", 1), "utf-8")


def _utf16(path: Path) -> None:
    path.write_text(path.read_text("utf-8"), "utf-16")


def _semicolons(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace(",", ";"), "utf-8")


def _twice(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace("tx_id", "op", 1), "utf-8")


UNUSABLE: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "missing": (_gone, ("not found", "customers.csv is the one file that must be there", "README")),
    "no bytes": (_no_bytes, ("the file is empty", "expected a header line with event_ts, ingest_ts")),
    "header only": (_no_rows, ("a header but no rows", "expected at least one customer")),
    "bad rows only": (
        _all_bad,
        ("all {rows} rows are unusable", "check the first rows against docs/data-dictionary.md"),
    ),
    "missing column": (
        _no_lsn,
        ("missing required column lsn", "expected at least", "found event_ts", "add the column"),
    ),
    "UTF-16": (_utf16, ("the header is not UTF-8 text", "save the file as UTF-8 with commas")),
    "semicolons": (_semicolons, ("missing required column event_ts", "found event_ts;ingest_ts;", "separator: comma")),
    "column twice": (_twice, ("column op stands twice", "rename it")),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_customers_file_that_cannot_be_used_is_told(name: str, ours: Workspace) -> None:
    """Each in its own words: which file, what was expected, what was found, what to do. Nothing is published."""
    spoil, words = UNUSABLE[name]
    rows = len(raw_rows(ours.raw_file("customers"))) - 1
    spoil(ours.raw_file("customers"))
    with pytest.raises(ContractError) as caught:
        build(ours, "polars")
    said = str(caught.value)
    assert said.startswith(f"{ours.raw_file('customers')}: ")
    assert [] == [each for each in words if each.format(rows=rows) not in said]
    assert "\n" not in said
    assert ours.current() is None


@pytest.mark.parametrize("name", ["missing column", "UTF-16", "semicolons"])
@pytest.mark.parametrize("source", ["orders", "support_tickets"])
def test_another_file_of_a_wrong_shape_stops_the_run_too(name: str, source: str, published: Workspace) -> None:
    """A file that is there must be readable: it is named, the last release stands."""
    before = published.current()
    UNUSABLE[name][0](published.raw_file(source))
    with pytest.raises(ContractError) as caught:
        build(published, "polars")
    assert str(caught.value).startswith(f"{published.raw_file(source)}: ")
    assert before == published.current()
    assert [] == published.verify()


@pytest.mark.parametrize("source", ["orders", "consent_events"])
def test_another_file_of_bad_rows_only_closes_the_gate(source: str, ours: Workspace) -> None:
    """Every row is in quarantine, and nothing is published."""
    _all_bad(ours.raw_file(source))
    result = build(ours, "polars")
    assert result.kept is not None
    assert f"{source}_quarantine_rate" in [m.name for m in result.measures if m.status == FAIL]


def test_a_stopped_run_leaves_nothing_that_hinders_the_next(ours: Workspace) -> None:
    """Once the file is put right, the same command works."""
    path = ours.raw_file("orders")
    whole = path.read_bytes()
    _no_lsn(path)
    with pytest.raises(ContractError):
        build(ours, "polars")
    path.write_bytes(whole)
    assert build(ours, "polars").kept is None
    assert not ours.staging.exists()


def test_customers_alone_are_enough(tmp_path: Path) -> None:
    """Six columns and one row: a profile; the other sources are empty tables, and the report says so."""
    ours = Workspace(tmp_path)
    ours.raw.mkdir(parents=True)
    ours.raw_file("customers").write_text(f"{CUSTOMER_COLUMNS}\n{CUSTOMER}\n", "utf-8")
    result = build(ours)
    assert result.kept is None
    warned = [m.name for m in result.measures if m.status == WARN]
    assert [f"{name}_missing_source" for name in OPTIONAL] == [n for n in warned if n.endswith("missing_source")]
    assert "customers_absent_columns" in warned
    assert [("P-crm:1", "1", "111")] == [
        (row["profile_id"], row["source_record_count"], row["rfm_score"])
        for row in read_csv(ours.table_file("gold", "customer_360")).to_pylist()
    ]
    for name in OPTIONAL:
        assert [",".join(SILVER[name].column_names)] == ours.table_file("silver", name).read_text("utf-8").splitlines()
        assert list(BRONZE[name].column_names) == read_csv(ours.table_file("bronze", f"{name}_bronze")).column_names


# --- bronze -----------------------------------------------------------------------------------------------------------
def test_bronze_is_raw_with_lineage(ours: Workspace) -> None:
    """Dropping the lineage gives what a CSV reader finds in each file, faults and all; row numbers count from 1."""
    inject(ours.raw, [name for name in READABLE if name not in ("consent_of_nobody", "empty_file")])
    build(ours, "polars")
    for name in RAW:
        assert (name, raw_rows(ours.raw_file(name))) == (name, bronze_rows(ours, name))
        lineage = read_csv(ours.table_file("bronze", f"{name}_bronze"), [c.name for c in LINEAGE]).to_pylist()
        assert [str(n + 1) for n in range(len(lineage))] == [row["_row_number"] for row in lineage]
        assert {(f"{name}.csv", "", 16)} >= {
            (r["_source_file"], r["_raw_base64"], len(r["_row_hash"])) for r in lineage
        }


HOSTILE = [
    '5" tv', '"half', "a,b", "two\nlines", "two\r\nlines", " spaces ", "\tTab", "", "NA", "null", "007",
    "ÄÖ ß 客 \u00a0", "\ufeff", "-", "=1+1", "a\\b", "'", '""',
]  # fmt: skip


@pytest.mark.parametrize("column", ["note", "a note", 'note, "private"', "ärgerlich"])
def test_hostile_cells_and_columns_come_through(column: str, tmp_path: Path) -> None:
    """A column beside the contract's, of any name, is in bronze with every cell as it is, and the report names it."""
    ours = Workspace(tmp_path)
    ours.raw.mkdir(parents=True)
    with ours.raw_file("customers").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*CUSTOMER_COLUMNS.split(","), column, "street"])
        for n, cell in enumerate(HOSTILE):
            writer.writerow([*CUSTOMER.replace(",1,c", f",{n},c").split(","), cell, cell])
    result = build(ours, "polars")
    assert raw_rows(ours.raw_file("customers")) == bronze_rows(ours, "customers")
    assert [column] == [m.value for m in result.measures if m.name == "customers_extra_columns"]


def test_an_unquoted_quote_is_a_letter(tmp_path: Path) -> None:
    """As Python's csv module reads it: only a quote that begins a cell quotes."""
    ours = Workspace(tmp_path)
    ours.raw.mkdir(parents=True)
    lines = [f"{CUSTOMER_COLUMNS},street", f'{CUSTOMER},5" tv', f'{CUSTOMER.replace(",1,c", ",2,c")},"two\nlines"', ""]
    ours.raw_file("customers").write_bytes("\n".join(lines).encode())
    build(ours, "polars")
    assert raw_rows(ours.raw_file("customers")) == bronze_rows(ours, "customers")


def replayed(ours: Workspace, folder: Path, target: Path) -> None:
    """Write raw files anew from the bronze of a release: no lineage, unreadable lines with the bytes they had."""
    target.mkdir(parents=True)
    for name in RAW:
        with (folder / "bronze" / f"{name}_bronze.csv").open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream))
        with (target / f"{name}.csv").open("wb") as out:
            for row in (header, *rows):
                text = io.StringIO()
                csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(row[: -len(LINEAGE)])
                damaged = row is not header and row[-1]
                out.write(base64.b64decode(row[-1]) + b"\n" if damaged else text.getvalue().encode())


def test_replaying_bronze_gives_the_same_silver_and_gold(ours: Workspace, tmp_path: Path) -> None:
    """Raw files made anew from bronze, faults and all, build to the same tables."""
    inject(ours.raw, RUNNING)
    first = build(ours, "polars")
    again = Workspace(tmp_path / "again")
    assert first.kept is not None  # the gate closed, what was built is there
    replayed(ours, first.kept, again.raw)
    second = build(again, "polars")
    assert second.kept is not None
    files = [read_json(each / "manifest.json")["files"] for each in (first.kept, second.kept)]
    names = [name for name in files[0] if name.startswith(("silver/", "gold/"))]
    assert len(SILVER) + len(GOLD) == len(names)
    assert {n: files[0][n] for n in names} == {n: files[1][n] for n in names}


# --- the gate ---------------------------------------------------------------------------------------------------------
def test_a_failed_gate_publishes_nothing(published: Workspace) -> None:
    """The last release stands and verifies; the failed one is kept aside with its report; what is mended publishes."""
    whole = published.raw_file("consent_events").read_bytes()
    before = published.current()
    opened = {f: sorted(p.read_bytes() for p in published.opened_folder(f).iterdir()) for f in LAYER_FOLDERS}
    inject(published.raw, ["consent_of_nobody"])
    result = build(published, "polars")
    assert FAIL == result.status
    assert published.failed / result.release == result.kept
    assert before == published.current()
    assert opened == {f: sorted(p.read_bytes() for p in published.opened_folder(f).iterdir()) for f in LAYER_FOLDERS}
    assert [] == published.verify()
    assert result.kept is not None
    assert result.release == read_json(result.kept / "manifest.json")["release"]
    assert FAIL == read_json(result.kept / "reports" / "customer360_quality_report.json")["status"]
    assert result.kept == build(published, "polars").kept
    published.raw_file("consent_events").write_bytes(whole)
    assert before == build(published, "polars").release


def test_the_manifest_tells_of_every_file(clean: Workspace) -> None:
    """Rows, SHA-256, as_of, engine and versions; each count is that of the file."""
    manifest = clean.manifest()
    assert "polars" == manifest["engine"]
    assert {"c360", "narwhals", "pyarrow", "polars"} <= set(manifest["versions"])
    assert len(RAW) + len(SILVER) + len(GOLD) + 2 == len(manifest["files"])
    for name, entry in manifest["files"].items():
        path = clean.current_release() / name
        assert file_sha256(path) == entry["sha256"]
        if path.suffix == ".csv":
            assert (name, len(read_csv(path))) == (name, entry["rows"])


@pytest.mark.parametrize("table", [*SILVER.values(), *GOLD.values()], ids=lambda table: table.name)
def test_every_table_is_as_declared(table: object, clean: Workspace) -> None:
    """Columns in order, the key unique and in ascending order, no cell with space at its ends."""
    path = clean.table_file(table.layer, table.name)  # type: ignore[attr-defined]
    rows = read_csv(path)
    assert list(table.column_names) == rows.column_names  # type: ignore[attr-defined]
    whole = {c.name for c in table.columns if c.kind in ("int", "cents")}  # type: ignore[attr-defined]
    keys = [
        tuple(int(row[name]) if name in whole else row[name] for name in table.key)  # type: ignore[attr-defined]
        for row in rows.to_pylist()
    ]
    assert sorted(set(keys)) == keys
    assert [] == [c for row in rows.to_pylist() for n, c in row.items() if c != c.strip() and n not in ("row", "value")]


# --- data that ship ---------------------------------------------------------------------------------------------------
def test_the_sample_is_what_generate_makes(tmp_path: Path) -> None:
    """data/sample holds the defaults of `c360 generate`, byte for byte, and its checksums."""
    shipped = REPO / "data" / "sample"
    if not (shipped / "data" / "raw").exists():
        pytest.skip("data/sample is not here")
    ours = Workspace(tmp_path)
    ours.generated.write(generate(DEFAULT_CUSTOMERS, DEFAULT_SEED, DEFAULT_AS_OF), {})
    names = [*(f"data/raw/{name}.csv" for name in RAW), "data/truth/identity.csv"]
    assert [] == [name for name in names if (ours.root / name).read_bytes() != (shipped / name).read_bytes()]
    sums = dict(reversed(line.split(None, 1)) for line in (shipped / "SHA256SUMS").read_text("utf-8").splitlines())
    assert {name: file_sha256(shipped / name) for name in names} == sums


def test_public_records_build(tmp_path: Path) -> None:
    """febrl3: 5,000 records with typing errors build and publish, and whom it puts together is one person."""
    shipped = REPO / "data" / "febrl3" / "data"
    if not (shipped / "raw").exists():
        pytest.skip("data/febrl3 is not here")
    shutil.copytree(shipped, tmp_path / "data")
    ours = Workspace(tmp_path)
    result = build(ours)
    assert result.kept is None
    measures = {measure.name: measure for measure in result.measures}
    assert 0.999 <= float(measures["identity_pairwise_precision"].value)
    assert 0.3 <= float(measures["identity_pairwise_recall"].value)
    assert 5000 == result.rows["bronze"]["customers_bronze"] == result.rows["silver"]["customer_identity"]
    assert "0" == measures["customers_rows_unaccounted"].value
    assert 0 < int(measures["customers_field_issues"].value)
    assert [] == ours.verify()
