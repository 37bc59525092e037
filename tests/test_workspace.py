"""The workspace: files survive writing and reading, one run at a time, releases are whole, what is the user's stays."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from c360lib.commands import explain, sql
from c360lib.errors import BusyError, IntegrityError, UsageError
from c360lib.generate import generate
from c360lib.generate.faults import inject
from c360lib.release.build import build
from c360lib.rules import DEFAULT_SEED
from c360lib.schemas import RAW
from c360lib.storage import files, workspace
from c360lib.storage.files import CsvWriter, file_sha256, read_csv, read_json, read_table, write_json, write_table
from c360lib.storage.workspace import KEPT_RELEASES, LAYER_FOLDERS, Workspace

TEXTS = pa.schema([("a", pa.string()), ("b", pa.string())])
CELL = st.one_of(
    st.text(max_size=8), st.text('",\r\n \t;\\#N\x00', max_size=6), st.sampled_from(["", "NA", "null", "-0"])
)
ROWS = st.lists(st.tuples(CELL, CELL), max_size=12)


@pytest.fixture
def ours(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path)


def table_of(rows: list[tuple[str, str]]) -> pa.Table:
    """Rows of two text columns."""
    return pa.table({"a": [a for a, _ in rows], "b": [b for _, b in rows]}, schema=TEXTS)


def publish(ours: Workspace, release: str, text: str = "") -> Path:
    """Publish a release of one small file per layer; gives its folder."""
    with ours.staged() as stage:
        for folder in LAYER_FOLDERS:
            (stage / folder / f"{folder}_table.csv").write_bytes(f"a\n{release}{text}\n".encode())
        files = {p.relative_to(stage).as_posix(): p for p in sorted(stage.rglob("*")) if p.is_file()}
        entries = {name: {"rows": 1, "sha256": file_sha256(path)} for name, path in files.items()}
        write_json(stage / "manifest.json", {"files": entries})
        ours.publish(release)
    return ours.releases / release


def opened(ours: Workspace, folder: str = "gold") -> Path:
    """The file of a layer that people open."""
    return ours.opened_folder(folder) / f"{folder}_table.csv"


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


# --- files ------------------------------------------------------------------------------------------------------------
@given(rows=ROWS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_survives_writing_and_reading(rows: list[tuple[str, str]], tmp_path: Path) -> None:
    """What is written is read again, cell by cell, by our reader and by Python's csv module."""
    path = tmp_path / "t.csv"
    with CsvWriter(path, TEXTS) as writer:
        writer.write_table(table_of(rows))
    expected = [list(row) for row in rows]
    assert expected == [[row["a"], row["b"]] for row in read_csv(path).to_pylist()]
    assert [["a", "b"], *expected] == list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


@given(rows=ROWS)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_cells_that_need_quotes_have_them(rows: list[tuple[str, str]], tmp_path: Path) -> None:
    """A comma, a quote or a line end asks for quotes and nothing else does; lines end with LF."""

    def written(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\r\n') else cell

    with CsvWriter(tmp_path / "t.csv", TEXTS) as writer:
        writer.write_table(table_of(rows))
    lines = ["a,b", *(",".join(map(written, row)) for row in rows)]
    assert "".join(f"{line}\n" for line in lines).encode() == (tmp_path / "t.csv").read_bytes()


def test_slices_of_a_table_are_written_as_they_stand(tmp_path: Path) -> None:
    """Batches that are views into a larger table give their own rows only."""
    rows = [("x", "1"), ('y"', "2"), ("z", "3"), ("", "4")]
    with CsvWriter(tmp_path / "t.csv", TEXTS) as writer:
        for batch in table_of(rows).slice(1).to_batches(max_chunksize=2):
            writer.write_batch(batch)
    assert b'a,b\n"y""",2\nz,3\n,4\n' == (tmp_path / "t.csv").read_bytes()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_how_rows_come_in_batches_shows_in_no_file(suffix: str, tmp_path: Path) -> None:
    """Engines cut the same rows into other batches from run to run; the bytes are the same."""
    table = table_of([(str(n), "") for n in range(7)])
    cuts = ([table], [table.slice(0, 3), table.slice(3)], [table.slice(0, 0), *(table.slice(n, 1) for n in range(7))])
    found = set()
    for number, cut in enumerate(cuts):
        path = tmp_path / f"{number}.{suffix}"
        assert 7 == write_table(path, TEXTS, (batch for part in cut for batch in part.to_batches()))
        found.add(path.read_bytes())
    assert 1 == len(found)


def test_values_that_are_not_text(tmp_path: Path) -> None:
    """Numbers, truth values and absent cells have one way to be written."""
    schema = pa.schema([("n", pa.int64()), ("b", pa.bool_()), ("r", pa.float64()), ("t", pa.string())])
    batch = pa.record_batch([[1, None, -5], [True, False, None], [0.95, None, 1.0], ["x", None, ""]], schema=schema)
    assert 3 == write_table(tmp_path / "t.csv", schema, [batch])
    assert b"n,b,r,t\n1,true,0.95,x\n,false,,\n-5,,1,\n" == (tmp_path / "t.csv").read_bytes()


def test_a_table_without_rows_has_its_header(tmp_path: Path) -> None:
    """No rows: the header stands, and reading gives the columns."""
    assert 0 == write_table(tmp_path / "t.csv", TEXTS, [])
    assert b"a,b\n" == (tmp_path / "t.csv").read_bytes()
    assert (0, ["a", "b"]) == (len(read_csv(tmp_path / "t.csv")), read_csv(tmp_path / "t.csv").column_names)


def test_a_column_name_that_needs_quotes_is_read_again(tmp_path: Path) -> None:
    """A raw file may have such a column beside the contract's, and bronze keeps it."""
    schema = pa.schema([("a", pa.string()), ('note, "private"', pa.string())])
    write_table(tmp_path / "t.csv", schema, [pa.record_batch([["1"], ["2"]], schema=schema)])
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as stream:
        assert [["a", 'note, "private"'], ["1", "2"]] == list(csv.reader(stream))
    assert [{"a": "1", 'note, "private"': "2"}] == read_csv(tmp_path / "t.csv").to_pylist()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_reads_as_text_in_either_format(suffix: str, tmp_path: Path) -> None:
    """Both formats give the same cells: text, and an absent cell is empty text."""
    schema = pa.schema([("n", pa.int64()), ("b", pa.bool_()), ("r", pa.float64()), ("t", pa.string())])
    batch = pa.record_batch([[1, None], [True, None], [0.95, None], ["NA", None]], schema=schema)
    path = tmp_path / f"t.{suffix}"
    write_table(path, schema, [batch])
    assert [["1", "true", "0.95", "NA"], ["", "", "", ""]] == [
        list(row.values()) for row in read_table(path).to_pylist()
    ]
    assert ["t", "n"] == read_table(path, ["t", "n"]).column_names


def test_a_failed_write_leaves_the_old_json(tmp_path: Path) -> None:
    """The new content replaces the old only once it is whole."""
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": 2, "b": object()})
    assert {"a": 1} == read_json(path)
    write_json(path, {"b": "ü", "a": 2})
    assert '{\n  "a": 2,\n  "b": "ü"\n}\n' == path.read_text("utf-8")


def test_a_json_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """The message names the file and what to do."""
    (tmp_path / "x.json").write_text("{", "utf-8")
    with pytest.raises(IntegrityError, match=r"x\.json: cannot be read as JSON .* run `c360 reset`"):
        read_json(tmp_path / "x.json")


# --- one at a time ----------------------------------------------------------------------------------------------------
HOLDER = """
import sys
from c360lib.storage.workspace import Workspace
with Workspace(sys.argv[1]).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the workspace."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "held\n" == process.stdout.readline()
        yield process
        process.kill()


def test_a_second_run_is_refused_while_the_first_holds(holder: subprocess.Popen[str], ours: Workspace) -> None:
    """It says which folder is held and what to do, and does nothing; a killed holder frees the folder."""
    with pytest.raises(BusyError, match="another c360 run holds this folder; wait until it ends"), ours.locked():
        pass
    with pytest.raises(BusyError):
        build(ours, "polars")
    command = [sys.executable, "-m", "c360lib", "reset", "--yes", str(ours.root)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (2, "") == (told.returncode, told.stdout)
    assert told.stderr.startswith("c360: ")
    assert "Traceback" not in told.stderr
    holder.kill()
    holder.wait()
    with ours.locked():
        pass


# --- releases ---------------------------------------------------------------------------------------------------------
def test_publishing_shows_the_release_in_every_layer(ours: Workspace) -> None:
    """What people open is the release's own file, read-only, and CURRENT names the release."""
    release = publish(ours, "r1")
    assert "r1" == ours.current()
    for folder in LAYER_FOLDERS:
        assert opened(ours, folder).samefile(release / folder / f"{folder}_table.csv")
        assert 0 == opened(ours, folder).stat().st_mode & 0o222
    assert [] == ours.verify()
    assert not ours.staging.exists()


def test_the_last_three_releases_are_kept(ours: Workspace) -> None:
    """Older ones go; one that is published again becomes the latest."""
    for release in ("r1", "r2", "r3", "r4"):
        publish(ours, release)
    assert 3 == KEPT_RELEASES
    assert ["r2", "r3", "r4"] == sorted(p.name for p in ours.releases.iterdir())
    publish(ours, "r2")
    assert {"release": "r2", "kept": ["r2", "r4", "r3"]} == read_json(ours.current_file)
    assert b"a\nr2\n" == opened(ours).read_bytes()


def _deleted(path: Path) -> None:
    path.unlink()


def _emptied(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()


def _replaced(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"a\nmine\n")


def _other_release(path: Path) -> None:
    path.unlink()
    os.link(path.parents[2] / "data" / "releases" / "r1" / "gold" / path.name, path)


@pytest.mark.parametrize("damage", [_deleted, _emptied, _replaced, _other_release])
def test_what_people_open_is_put_right(damage: Callable[[Path], None], ours: Workspace) -> None:
    """A link that was deleted, replaced, or is an older release's is made again."""
    publish(ours, "r1")
    release = publish(ours, "r2")
    damage(opened(ours))
    ours.repair()
    assert opened(ours).samefile(release / "gold" / "gold_table.csv")
    assert [] == ours.verify()


def test_files_beside_the_tables_stay(ours: Workspace) -> None:
    """A user's notes among the layers are no business of a repair."""
    publish(ours, "r1")
    notes = ours.opened_folder("gold") / "notes.md"
    notes.write_text("mine", "utf-8")
    publish(ours, "r2")
    assert "mine" == notes.read_text("utf-8")
    assert [] == ours.verify()


def test_a_table_of_the_other_format_goes(ours: Workspace) -> None:
    """Nobody reads last release's Parquet beside this release's CSV."""
    publish(ours, "r1")
    opened(ours).with_suffix(".parquet").write_bytes(b"old")
    ours.repair()
    assert ["gold_table.csv"] == [p.name for p in ours.opened_folder("gold").iterdir()]


def test_copies_stand_in_where_there_are_no_links(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without hard links people open copies, and an edited copy is put right."""

    def refused(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(workspace.os, "link", refused)
    release = publish(ours, "r1")
    path = opened(ours)
    assert not path.samefile(release / "gold" / path.name)
    path.chmod(0o644)
    path.write_bytes(b"a\nmine, longer\n")
    assert [] == ours.verify()
    assert b"a\nr1\n" == path.read_bytes()


def test_a_copy_edited_without_a_trace_is_found(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal size and time do not hide an edit from verify."""

    def refused(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(workspace.os, "link", refused)
    publish(ours, "r1")
    path, before = opened(ours), opened(ours).stat()
    path.chmod(0o644)
    path.write_bytes(b"a\nr9\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [f"{path}: differs from the release"] == ours.verify()


def _damages(release: Path) -> Iterator[tuple[str, str]]:
    """Each kind of damage to a release, done as it is asked for: the file and the words for it."""
    (release / "silver" / "silver_table.csv").unlink()
    yield "silver/silver_table.csv", "missing"
    changed = release / "gold" / "gold_table.csv"
    changed.chmod(0o644)
    changed.write_bytes(b"a\nR2\n")
    yield "gold/gold_table.csv", "its content is not what the manifest promises"
    (release / "gold" / "other.csv").write_bytes(b"")
    yield "gold/other.csv", "not in the manifest"


def test_verify_finds_each_kind_of_damage(ours: Workspace) -> None:
    """A missing file, a changed one and one too many, each named; a link edited in place is such a change."""
    release = publish(ours, "r1")
    expected: list[str] = []
    for name, words in _damages(release):
        expected.append(f"{release / name}: {words}")
        assert sorted(expected) == sorted(ours.verify())


def test_an_edit_through_a_link_is_found(ours: Workspace) -> None:
    """What people open is the release: who forces an edit into it is told."""
    release = publish(ours, "r1")
    path = opened(ours, "reports")
    path.chmod(0o644)
    path.write_bytes(b"a\nmine\n")
    assert [f"{release / 'reports' / path.name}: its content is not what the manifest promises"] == ours.verify()


def test_a_damaged_release_is_replaced_by_building_it_again(ours: Workspace) -> None:
    """The same inputs give the release anew, whole."""
    release = publish(ours, "r1")
    (release / "silver" / "silver_table.csv").unlink()
    publish(ours, "r1")
    assert [] == ours.verify()


def test_another_answer_to_the_same_inputs_is_refused(ours: Workspace) -> None:
    """A release is immutable: a different one of the same id is never put in its place."""
    publish(ours, "r1")
    with pytest.raises(IntegrityError, match="the same inputs and rules gave another answer"):
        publish(ours, "r1", "!")
    assert [] == ours.verify()
    assert b"a\nr1\n" == opened(ours).read_bytes()


def test_a_release_that_is_gone_is_told_in_a_sentence(ours: Workspace) -> None:
    """Who deletes data/releases hears of it, and can build again."""
    release = publish(ours, "r1")
    workspace.remove_tree(release)
    with pytest.raises(IntegrityError):
        ours.verify()
    ours.reset()
    publish(ours, "r1")
    assert [] == ours.verify()


def test_a_reader_beside_a_publishing_build_takes_nothing_away(
    ours: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verbs that read repair too; one that comes just before the commit must leave the new release standing."""
    publish(ours, "r1")
    really = files.write_json

    def meanwhile(path: Path, value: dict[str, Any]) -> None:
        if path == ours.current_file:
            Workspace(ours.root).verify()
        really(path, value)

    monkeypatch.setattr(workspace, "write_json", meanwhile)
    publish(ours, "r2")
    assert [] == ours.verify()
    assert b"a\nr2\n" == opened(ours).read_bytes()


def test_nothing_published_is_told(ours: Workspace) -> None:
    """A verb that needs a release says how to get one."""
    for call in (ours.current_release, ours.manifest, ours.verify):
        with pytest.raises(UsageError, match="nothing is published here yet; run `c360 run` or `c360 build` first"):
            call()
    assert ours.current() is None


def test_a_table_that_is_not_there_is_told(ours: Workspace) -> None:
    """The message names table, layer and release."""
    publish(ours, "r1")
    with pytest.raises(UsageError, match="no table nobody in gold of r1"):
        ours.table_file("gold", "nobody")


# --- generating and removing ------------------------------------------------------------------------------------------
def make(ours: Workspace, people: int = 20, seed: int = DEFAULT_SEED) -> None:
    """Generate source data."""
    ours.generated.write(generate(people, seed), {"customers": people})


def test_generated_files_are_recorded_and_replaced(ours: Workspace) -> None:
    """A second generate replaces the first's files; the record holds their digests."""
    make(ours)
    before = snapshot(ours.data)
    make(ours, seed=361)
    assert before.keys() == snapshot(ours.data).keys()
    assert before["raw/customers.csv"] != (ours.raw / "customers.csv").read_bytes()
    recorded = read_json(ours.generated.record_file)["files"]
    assert {name: file_sha256(ours.root / name) for name in recorded} == recorded
    assert {*(f"data/raw/{name}.csv" for name in RAW), "data/truth/identity.csv"} == set(recorded)


@pytest.mark.parametrize("name", ["raw/orders.csv", "truth/identity.csv"])
def test_generate_leaves_files_of_the_user_alone(name: str, ours: Workspace) -> None:
    """One file that c360 did not make is enough: it is named, and nothing is written."""
    path = ours.data / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine\n")
    with pytest.raises(UsageError, match=r"not generated by c360, or was changed since, and is left alone"):
        make(ours)
    assert {name: b"mine\n"} == snapshot(ours.data)


@pytest.mark.parametrize("again", [1, 2])
def test_a_generate_that_was_stopped_between_two_files_may_be_run_again(
    again: int, ours: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stopped, and more than once; or reset removes both what it wrote and what it had not replaced yet."""
    replace = Path.replace
    for moved in range(len(RAW) + 1):
        left = [moved]

        def stop(path: Path, target: Path, left: list[int] = left) -> Path:
            if path.parent == ours.generated.drafts:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
            return replace(path, target)

        ours.generated.write(generate(5, 1), {})
        monkeypatch.setattr(Path, "replace", stop)
        for seed in range(2, 2 + again):
            left[0] = moved
            with pytest.raises(KeyboardInterrupt):
                ours.generated.write(generate(5, seed), {})
        monkeypatch.setattr(Path, "replace", replace)
        if moved % 2:
            ours.reset()
            assert not ours.raw.exists()
        ours.generated.write(generate(5, 9), {})
        assert {"files"} == set(read_json(ours.generated.record_file))


def test_a_generate_that_fails_leaves_the_old_files(ours: Workspace) -> None:
    """The files are put in place only when all of them are written."""
    make(ours)
    before = snapshot(ours.raw)
    with pytest.raises(UsageError, match="unknown fault"):
        ours.generated.write(generate(20, 361), {}, lambda raw: inject(raw, ["gremlins"]) and None)
    assert before == snapshot(ours.raw)


def test_reset_removes_what_was_made_and_nothing_else(ours: Workspace) -> None:
    """Own raw files, own steward decisions, notes and an edited generated file stay; what c360 made is gone."""
    make(ours)
    publish(ours, "r1")
    publish(ours, "r2")
    mine = {
        "data/raw/extra.csv": b"mine\n",
        "data/raw/customers.csv": (ours.raw / "customers.csv").read_bytes() + b"edited\n",
        "data/steward/decisions.csv": b"mine\n",
        "data/gold/notes.md": b"mine\n",
        "reports/notes.md": b"mine\n",
        "work/notebook.ipynb": b"{}",
    }
    for name, content in mine.items():
        (ours.root / name).parent.mkdir(parents=True, exist_ok=True)
        (ours.root / name).write_bytes(content)
    removed = ours.reset()
    left = snapshot(ours.root)
    left.pop("data/.lock", None)
    assert mine == left
    assert all(not path.exists() for path in removed)
    assert [] == ours.reset()


def test_reset_leaves_no_empty_folder_of_its_own(ours: Workspace) -> None:
    """After generate, build and reset the folder is as it was, but for the lock."""
    make(ours)
    build(ours, "polars")
    ours.reset()
    assert ["data"] == [p.name for p in ours.root.iterdir()]
    assert {".lock"} == {p.name for p in ours.data.iterdir()}


def test_reset_removes_the_leftovers_of_a_killed_run(ours: Workspace) -> None:
    """Half-written folders go too, also where nothing was published."""
    (ours.staging / "gold").mkdir(parents=True)
    ours.generated.drafts.mkdir()
    (ours.failed / "r0").mkdir(parents=True)
    ours.reset()
    assert [] == list(ours.data.iterdir())


def test_reset_of_an_edited_file_keeps_it_from_a_later_generate(ours: Workspace) -> None:
    """What stayed is the user's from then on."""
    make(ours)
    edited = ours.raw / "orders.csv"
    edited.write_bytes(edited.read_bytes() + b"edited\n")
    ours.reset()
    with pytest.raises(UsageError, match=r"orders\.csv: this file was not generated"):
        make(ours)


def test_folder_names_may_hold_anything(tmp_path: Path) -> None:
    """Spaces, quotes and letters of any alphabet in ROOT: generate, build, verify, sql, explain, reset."""
    ours = Workspace(tmp_path / "Zoë's Ordner 客户 #1 & 'more'")
    make(ours)
    result = build(ours, "polars")
    assert result.kept is None
    assert [] == ours.verify()
    profile = read_csv(ours.table_file("gold", "customer_360"))["profile_id"][0].as_py()
    assert profile in explain.explain(ours.root, profile)
    assert "20" in sql.answer(ours.root, "select 4 * 5 as n from customer_360 limit 1")
    assert json.loads((ours.current_release() / "manifest.json").read_text("utf-8"))["release"] == result.release
    ours.reset()
    assert [".lock"] == [p.name for p in ours.data.iterdir()]
