"""The command line: every verb, its exit status, and one sentence instead of a traceback."""

from __future__ import annotations

import csv
import io
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import c360lib
from c360lib.cli import ENGINES, MODES, main
from c360lib.engines.open import ENGINES as REAL_ENGINES
from c360lib.generate.faults import FAULTS
from c360lib.identity.model import score
from c360lib.quality import measures
from c360lib.schemas import GOLD, RAW, SILVER
from c360lib.storage.files import read_csv, read_json, remove_tree
from c360lib.storage.workspace import Workspace

VERBS = ("generate", "build", "validate", "run", "train", "verify", "sql", "explain", "review", "evaluate", "reset")
FAST = ("--engine", "polars")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder after `c360 run`, and what it said."""
    root = tmp_path_factory.mktemp("cli")
    return root, call("run", str(root), "--customers", "120", *FAST)


@pytest.fixture
def root(done: tuple[Path, Result], tmp_path: Path) -> Path:
    """A copy of that folder that a test may change."""
    return Path(shutil.copytree(done[0], tmp_path / "copy"))


def call(*words: str) -> Result:
    """The command line, called in this process."""
    return CliRunner().invoke(main, list(words))


def process(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`python -m c360lib`, as a user starts it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(c360lib.__file__).parents[1])}
    command = [sys.executable, "-m", "c360lib", *words]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, cwd=cwd, env=environment
    )


def refused(result: Result | subprocess.CompletedProcess[str], *expected: str) -> None:
    """Exit status 2, nothing done, and words that say why, without a traceback."""
    status = result.exit_code if isinstance(result, Result) else result.returncode
    assert 2 == status, result
    assert "Traceback" not in result.stderr
    assert "" == result.stdout
    assert [] == [words for words in expected if words not in result.stderr]


# --- help -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_the_verbs_in_the_order_of_work(flag: str) -> None:
    """Each with what it does, and what to type first."""
    told = call(flag)
    assert 0 == told.exit_code
    listed = [line.split()[0] for line in told.stdout.partition("Commands:")[2].splitlines() if line.strip()]
    assert ["generate", "build", "validate", "run"] == [verb for verb in listed if verb in VERBS[:4]]
    assert set(VERBS) <= set(listed)
    assert "First time:      c360 run" in told.stdout
    assert "then c360 build ROOT" in told.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_that_fits_a_terminal(verb: str) -> None:
    """A sentence, its arguments and options; no line is wider than 80 columns, every option is explained."""
    told = call(verb, "--help")
    assert 0 == told.exit_code
    assert told.stdout.startswith(f"Usage: main {verb} ")
    assert 80 >= max(map(len, told.stdout.splitlines()))
    assert "ROOT" in told.stdout


def test_help_names_options_and_their_defaults() -> None:
    """What a user may change, and what happens if they do not."""
    text = " ".join(call("run", "--help").stdout.split())
    for words in ("--customers INTEGER", "--seed INTEGER", "--as-of", "--engine [polars|duckdb|spark]"):
        assert words in text
    for words in ("default: 1000", "default: 360", "default: polars", "default: csv", "2026-06-30T23:59:59Z"):
        assert words in text
    assert (tuple(REAL_ENGINES), score.MODES) == (ENGINES, MODES)


def test_the_version() -> None:
    """It is the package's."""
    assert f"c360, version {c360lib.__version__}\n" == call("--version").stdout


def test_python_m_is_the_same_command(tmp_path: Path) -> None:
    """`python -m c360lib` reads the same help."""
    told = process("--help")
    assert (0, "") == (told.returncode, told.stderr)
    assert "Usage: python -m c360lib [OPTIONS] COMMAND [ARGS]..." == told.stdout.splitlines()[0]
    assert [] == [verb for verb in VERBS if f"\n  {verb} " not in told.stdout]


# --- what the verbs say -----------------------------------------------------------------------------------------------
def test_run_tells_rows_release_and_quality(done: tuple[Path, Result]) -> None:
    """Rows generated, rows of each table by layer, the release, every measure with its status, where the report is."""
    root, told = done
    ours = Workspace(root)
    assert (0, "") == (told.exit_code, told.stderr)
    lines = told.stdout.splitlines()
    counts = {name: len(read_csv(ours.raw_file(name))) for name in RAW}
    assert f"generated {sum(counts.values()):,} rows of 120 people below {ours.raw}" in lines
    bronze = ", ".join(f"{name}_bronze {counts[name]:,}" for name in sorted(counts))
    assert f"bronze: {bronze}" in lines
    for layer, tables in (("silver", SILVER), ("gold", GOLD)):
        rows = {name: len(read_csv(ours.table_file(layer, name))) for name in sorted(tables)}
        assert f"{layer}: " + ", ".join(f"{name} {count:,}" for name, count in rows.items()) in lines
    assert f"published release {ours.current()}, as of 2026-06-30T23:59:59Z" in lines
    for measure in measures.audit(ours.current_release(), ours.manifest(), ours.truth()):
        assert [measure.name, measure.value] in [line.split()[:2] for line in lines]
    assert lines[-1].startswith("quality: ")
    assert (root / "reports" / "customer360_quality_report.md").exists()
    assert lines[-1].endswith(str(root / "reports" / "customer360_quality_report.md"))


def test_a_run_repeated_says_the_same(root: Path, done: tuple[Path, Result]) -> None:
    """It works twice in one folder."""
    told = call("run", str(root), "--customers", "120", *FAST)
    assert 0 == told.exit_code
    assert done[1].stdout.replace(str(done[0]), "") == told.stdout.replace(str(root), "")


def test_the_folder_is_the_current_one_unless_named(tmp_path: Path) -> None:
    """`c360 generate` without ROOT writes below the folder it is started in, silently, as no terminal looks on."""
    told = process("generate", "--customers", "3", cwd=tmp_path)
    assert (0, "") == (told.returncode, told.stderr)
    assert {f"{name}.csv" for name in RAW} == {path.name for path in (tmp_path / "data" / "raw").iterdir()}


def test_progress_is_drawn_for_a_terminal_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere standard error stays empty, so that a log holds nothing but words."""
    assert "" == call("build", str(root), *FAST).stderr

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    main(["build", str(root), *FAST], standalone_mode=False)
    assert "build on polars" in terminal.getvalue()
    assert "100%" in terminal.getvalue()


def test_options_reach_generate(tmp_path: Path) -> None:
    """People, seed, day and faults: each makes other data, the recipe is kept, and faults are told."""
    call("generate", str(tmp_path), "--customers", "30")
    before = (tmp_path / "data" / "raw" / "customers.csv").read_bytes()
    for options in (
        ["--customers", "31"],
        ["--seed", "1"],
        ["--as-of", "2025-12-31T23:59:59Z"],
        ["--faults", "bad_lsn"],
    ):
        told = call("generate", str(tmp_path), "--customers", "30", *options)
        assert 0 == told.exit_code
        assert before != (tmp_path / "data" / "raw" / "customers.csv").read_bytes()
    assert "bad_lsn: customers.csv, row" in told.stdout
    recipe = read_json(tmp_path / "data" / ".generated.json")
    assert ["bad_lsn"] == recipe["faults"]


def test_faults_list_shows_the_table_and_writes_nothing(tmp_path: Path) -> None:
    """Every fault, its source, what it does and what must detect it."""
    for verb in ("generate", "run"):
        told = call(verb, str(tmp_path), "--faults", "list")
        assert 0 == told.exit_code
        expected = [[f.name, f.source, f.detected_by] for f in FAULTS]
        assert expected == [[*line.split()[:2], line.split()[-1]] for line in told.stdout.splitlines()]
    assert [] == list(tmp_path.iterdir())


def test_faults_all_takes_those_that_do_not_stop_the_run(tmp_path: Path) -> None:
    """Then the gate closes: status 1, the measure is named, nothing is published, the failed release is kept."""
    told = call("run", str(tmp_path), "--customers", "400", "--faults", "all", *FAST)
    assert 1 == told.exit_code
    assert "fail: unattributable_consent_events_rows is 1, expected at most 0" in told.stderr
    assert "c360: not published" in told.stderr
    assert Workspace(tmp_path).current() is None
    kept = told.stderr.split("kept in ")[1].strip()
    assert (Path(kept) / "reports").is_dir()


def test_format_and_memory_limit_reach_the_build(root: Path) -> None:
    """Parquet files; a limit that duckdb takes."""
    told = call("build", str(root), "--engine", "duckdb", "--memory-limit", "1GB", "--format", "parquet")
    assert (0, "") == (told.exit_code, told.stderr)
    assert (root / "data" / "gold" / "customer_360.parquet").exists()
    assert not (root / "data" / "gold" / "customer_360.csv").exists()
    assert 0 == call("validate", str(root)).exit_code
    assert "120" in call("sql", "select 120 as n from customer_360 limit 1", str(root)).stdout.split()


def test_as_of_reaches_the_build(root: Path) -> None:
    """An earlier day is built and published, where no later one was: since then people have refused."""
    told = call("build", str(root), *FAST, "--as-of", "2026-03-31")
    assert 1 == told.exit_code
    assert "fail: opened_without_grant is" in told.stderr
    remove_tree(Workspace(root).releases)
    Workspace(root).current_file.unlink()
    told = call("build", str(root), *FAST, "--as-of", "2026-03-31")
    assert 0 == told.exit_code
    assert "as of 2026-03-31T23:59:59Z" in told.stdout


# --- validate and verify ----------------------------------------------------------------------------------------------
def forced(path: Path, change: object) -> None:
    """Change a published file, read-only or not."""
    path.chmod(stat.S_IREAD | stat.S_IWRITE)
    text = path.read_text("utf-8")
    path.write_text(change(text), "utf-8", newline="")  # type: ignore[operator]


def test_validate_measures_what_is_published(root: Path) -> None:
    """0 on pass or warn; 1 once a published file fails a measure."""
    assert 0 == call("validate", str(root)).exit_code
    forced(Workspace(root).table_file("gold", "customer_360"), lambda text: text.rpartition("\nP-")[0] + "\n")
    told = call("validate", str(root))
    assert 1 == told.exit_code
    assert "profile_coverage_rate" in told.stdout
    assert "quality: fail" in told.stdout


def test_verify_tells_which_file_is_damaged(root: Path) -> None:
    """0 and the release where all is well, 1 and the file where not; a build does not hide it."""
    told = call("verify", str(root))
    count = len(RAW) + len(SILVER) + len(GOLD) + 2
    expected = f"release {Workspace(root).current()}: all {count} files are as they were written\n"
    assert (0, expected) == (told.exit_code, told.stdout)
    forced(Workspace(root).table_file("silver", "orders"), str.upper)
    told = call("verify", str(root))
    assert 1 == told.exit_code
    assert "orders.csv: its content is not what the manifest promises" in told.stdout
    assert "1 of the published files" in told.stderr
    assert 0 == call("build", str(root), *FAST).exit_code
    assert 0 == call("verify", str(root)).exit_code


@pytest.mark.parametrize("verb", ["validate", "verify", "explain", "sql", "evaluate"])
def test_nothing_published_is_told(verb: str, tmp_path: Path) -> None:
    """How to get a release."""
    words = {"explain": ["P-x"], "sql": ["select 1"]}.get(verb, [])
    refused(call(verb, *words, str(tmp_path)), "nothing is published here yet; run `c360 run` or `c360 build` first")


@pytest.mark.parametrize("verb", ["validate", "verify", "explain", "sql", "evaluate", "build"])
def test_a_release_that_was_deleted_is_told_in_a_sentence(verb: str, root: Path) -> None:
    """Never a traceback; and a build may simply put it right."""
    shutil.rmtree(root / "data" / "releases")
    words = {"explain": ["P-x"], "sql": ["select 1"], "build": []}.get(verb, [])
    told = call(verb, *words, str(root), *(FAST if verb == "build" else ()))
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    assert "Traceback" not in told.stderr
    assert told.exit_code in ((0, 2) if verb == "build" else (2,))


# --- sql --------------------------------------------------------------------------------------------------------------
def test_sql_sees_every_table_by_name(root: Path) -> None:
    """Alone or with its layer; a name alone is the highest layer's; times, numbers and truth values are such."""
    for layer, names in (("raw", RAW), ("silver", SILVER), ("gold", GOLD), ("bronze", [f"{n}_bronze" for n in RAW])):
        counts = [f"(select count(*) from {layer}.{name}) + (select count(*) from {name})" for name in names]
        assert 0 == call("sql", f"select {' + '.join(counts)}", str(root)).exit_code
    query = """
        select sum(net_amount_cents) as cents, max(event_ts) > timestamp '2000-01-01' as late,
            bool_or(is_deleted) as gone
        from orders
    """
    cells = call("sql", query, str(root)).stdout
    rows = read_csv(Workspace(root).table_file("silver", "orders")).to_pylist()
    assert str(sum(int(row["net_amount_cents"] or 0) for row in rows)) in cells
    assert 2 == cells.count("true")


def test_sql_equals_what_python_counts(root: Path) -> None:
    """A grouped count over gold."""
    with (root / "data" / "gold" / "customer_360.csv").open(encoding="utf-8", newline="") as stream:
        champions = sum(row["segment"] == "champion" for row in csv.DictReader(stream))
    told = call(
        "sql", "select segment, count(*) as n from customer_360 where segment = 'champion' group by all", str(root)
    )
    assert str(champions) in told.stdout


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select * from nobody", "nobody"),
        ("select nothing from customer_360", "nothing"),
        ("selec 1", "syntax error"),
        ("select 1; select 2 from", "syntax error"),
        ("select cast('x' as int)", "x"),
        ("select cast(first_name as int) from customer_360", "sql: "),
    ],
)
def test_sql_that_cannot_run_is_told(query: str, words: str, root: Path) -> None:
    """One sentence with what the engine found."""
    refused(call("sql", query, str(root)), "c360: sql: ", words)


def test_sql_changes_no_file(root: Path) -> None:
    """A query that would change a table does not change what is published."""
    for query in ("drop view customer_360", "create table x as select 1", "delete from customer_360", ""):
        told = call("sql", query, str(root))
        assert told.exception is None or isinstance(told.exception, SystemExit)
    assert [] == Workspace(root).verify()


# --- explain and reset ------------------------------------------------------------------------------------------------
def test_explain_tells_of_a_profile(root: Path) -> None:
    """The profile, its release and where its cells come from; an unknown one is told with one that exists."""
    profile = read_csv(Workspace(root).table_file("gold", "customer_360"))["profile_id"][0].as_py()
    told = call("explain", profile, str(root))
    assert 0 == told.exit_code
    assert told.stdout.startswith(f"{profile}, release {Workspace(root).current()}")
    refused(call("explain", "P-nobody", str(root)), "P-nobody: no such profile in release", "one that exists is P-")


def test_reset_removes_what_c360_made(root: Path) -> None:
    """Twice: first it says how much, then that there is nothing; the user's notes stay."""
    (root / "reports" / "notes.md").write_text("mine", "utf-8")
    told = call("reset", str(root), "--yes")
    assert 0 == told.exit_code
    assert told.stdout.startswith("removed ")
    assert "nothing to remove\n" == call("reset", str(root)).stdout
    left = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} - {"data/.lock"}
    assert {"reports/notes.md"} == left


# --- misuse -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["generat"], "No such command 'generat'"),
        (["build", "--engin", "polars"], "--engin"),
        (["build", "--engine", "dask"], "'dask' is not one of 'polars', 'duckdb', 'spark'"),
        (["build", "--format", "xlsx"], "'xlsx' is not one of 'csv', 'parquet'"),
        (["build", "--as-of", "tomorrow"], "--as-of: expected a day such as 2026-06-30"),
        (["build", "--memory-limit", "2GB"], "--memory-limit: only the engine duckdb can keep one"),
        (["build", "--engine", "duckdb", "--memory-limit", "much"], "--memory-limit: expected a size such as 2GB"),
        (["build"], "customers.csv: not found; customers.csv is the one file that must be there"),
        (["generate", "--customers", "0"], "customers: expected a whole number from 1 to 100,000,000, got 0"),
        (["generate", "--customers", "-5"], "customers: expected a whole number from 1"),
        (["generate", "--customers", "many"], "'many' is not a valid integer"),
        (["generate", "--customers", "1e3"], "'1e3' is not a valid integer"),
        (["generate", "--seed", "-1"], "seed: expected a whole number from 0"),
        (["generate", "--seed", "99999999999999999999"], "seed: expected a whole number from 0"),
        (["generate", "--as-of", "2026-06-31T23:59:59Z"], "as_of: expected the last second of a real day"),
        (["run", "--as-of", "soon"], "as_of: expected the last second of a real day"),
        (["generate", "--customers", "5", "--faults", "gremlins"], "unknown fault: gremlins; expected one of "),
        (["evaluate", "--reviews", "-1"], "-1 is not in the range x>=0"),
        (["sql"], "Missing argument 'QUERY'"),
        (["explain"], "Missing argument 'PROFILE_ID'"),
    ],
    ids=" ".join,
)
def test_misuse_is_told_in_a_sentence(words: list[str], expected: str, tmp_path: Path) -> None:
    """What was expected and what was found, status 2, no traceback, and no raw file is left behind."""
    root = [] if len(words) == 1 and words[0] not in ("build",) else [str(tmp_path)]
    refused(call(*words, *root), expected)
    assert not (tmp_path / "data" / "raw" / "customers.csv").exists()


@pytest.mark.parametrize("words", [["build", "--engine", "dask"], ["generate", "--customers", "0"], ["validate"]])
def test_misuse_of_the_module_is_told_too(words: list[str], tmp_path: Path) -> None:
    """The same words in a process of its own."""
    refused(process(*words, str(tmp_path)))


def test_a_file_in_place_of_a_folder_is_told(tmp_path: Path) -> None:
    """ROOT must be a folder."""
    (tmp_path / "file").write_text("x", "utf-8")
    refused(call("build", str(tmp_path / "file")), "is a file")


def test_a_foreign_raw_file_is_told(tmp_path: Path) -> None:
    """`c360 run` does not write over a user's own data."""
    raw = tmp_path / "data" / "raw"
    raw.mkdir(parents=True)
    (raw / "customers.csv").write_text("mine\n", "utf-8")
    refused(call("run", str(tmp_path)), "not generated by c360, or was changed since, and is left alone")
    assert "mine\n" == (raw / "customers.csv").read_text("utf-8")


# --- import -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("module", ["c360lib", "c360lib.cli", "c360lib.__main__", "c360lib.schemas", "c360lib.rules"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    """No engine, no Arrow, no array library until a verb needs it."""
    heavy = ("pandas", "pyarrow", "narwhals", "numpy", "polars", "duckdb", "pyspark")
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(Path(c360lib.__file__).parents[1])}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "[]\n" == told.stdout


CORE_ALONE = """
import sys
from importlib import metadata

extras, found = ("duckdb", "jupytext", "matplotlib", "pyspark", "splink"), metadata.distribution
sys.modules.update(dict.fromkeys(extras))  # neither imported nor found


class WithoutPandas:  # which others look for in sys.modules
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}")


sys.meta_path.insert(0, WithoutPandas())


def distribution(name):
    if name in extras:
        raise metadata.PackageNotFoundError(name)
    return found(name)


metadata.distribution = distribution
from c360lib.cli import main

main()
"""


@pytest.mark.parametrize(("mode", "told"), [("deterministic", ""), ("probabilistic", "identity_model")])
def test_the_core_alone_carries_data_to_the_report(tmp_path: Path, mode: str, told: str) -> None:
    """What `make run` does in a fresh clone: no extra is installed, and a model that is asked for is only missed."""
    words = ["run", str(tmp_path), "--customers", "40", "--identity", mode]
    environment = {**os.environ, "PYTHONPATH": str(Path(c360lib.__file__).parents[1])}
    command = [sys.executable, "-c", CORE_ALONE, *words]
    ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, env=environment)
    assert (0, "") == (ran.returncode, ran.stderr)
    assert "quality: " in ran.stdout
    assert told in ran.stdout
