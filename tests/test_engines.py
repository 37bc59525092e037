"""Four engines, one answer: every silver and gold file has the same bytes whatever engine built it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from c360lib.engines.duckdb import DuckDB
from c360lib.engines.open import ENGINES, open_engine
from c360lib.errors import UsageError
from c360lib.generate import generate
from c360lib.generate.faults import FAULTS, inject
from c360lib.quality.measures import FAIL
from c360lib.release.build import build
from c360lib.rules import DEFAULT_AS_OF, DEFAULT_CUSTOMERS, DEFAULT_SEED
from c360lib.storage.files import read_json
from c360lib.storage.workspace import Workspace

LOCAL = ("duckdb",)
SPARK = pytest.param("spark", marks=pytest.mark.spark)
SLOW_SPARK = pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])
RUNNING = [fault.name for fault in FAULTS if not fault.stops_run]
Files = dict[str, str]


def sample(root: Path) -> Workspace:
    """The sample: what `c360 generate` makes without options."""
    ours = Workspace(root)
    ours.generated.write(generate(DEFAULT_CUSTOMERS, DEFAULT_SEED, DEFAULT_AS_OF), {})
    return ours


def faulty(root: Path) -> Workspace:
    """Four hundred people, every fault that does not stop the run, and steward decisions that contradict each other."""
    ours = Workspace(root)
    ours.generated.write(generate(400, 7), {}, lambda raw: inject(raw, RUNNING, 7) and None)
    accounts = sorted(
        {
            ":".join(line.split(",")[2:4])
            for line in ours.raw_file("customers").read_text("utf-8", "replace").splitlines()[1:40]
        }
    )
    links = [(a, b, "must_link") for a, b in pairwise(accounts[:6])]
    links += [(accounts[0], accounts[3], "cannot_link"), ("x", "y", "perhaps")]
    rows = [
        f"{a},{b},{decision},steward,a reason,2026-05-0{n % 9 + 1}T00:00:00Z"
        for n, (a, b, decision) in enumerate(links)
    ]
    ours.steward_file.parent.mkdir()
    header = "left_record_id,right_record_id,decision,reviewer_role,reason,decided_ts"
    ours.steward_file.write_text("\n".join([header, *rows, ""]), "utf-8")
    return ours


def built(ours: Workspace, engine: str, **options: Any) -> tuple[str, Files]:
    """The release that an engine makes of the workspace's raw files: its id, and each file's SHA-256."""
    ours.reset()
    result = build(ours, engine, **options)
    folder = result.kept or ours.current_release()
    files = read_json(folder / "manifest.json")["files"]
    return result.release, {name: entry["sha256"] for name, entry in files.items()}


@pytest.fixture(scope="module")
def answer_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Callable[[Path], Workspace], str], tuple[str, Files]]:
    """What an engine makes of a data set, built once."""
    roots: dict[str, Workspace] = {}
    answers: dict[tuple[str, str], tuple[str, Files]] = {}

    def answer(make: Callable[[Path], Workspace], engine: str) -> tuple[str, Files]:
        name = make.__name__
        if name not in roots:
            roots[name] = make(tmp_path_factory.mktemp(name))
            roots[name].generated.record_file.unlink()  # its files are the test's from here on
        if (name, engine) not in answers:
            answers[name, engine] = built(roots[name], engine)
        return answers[name, engine]

    return answer


def opened_or_skipped(engine: str) -> None:
    """Skip where the engine's package is not installed."""
    try:
        open_engine(engine).close()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("engine", [*LOCAL, SPARK])
def test_the_sample_is_the_same_on_every_engine(engine: str, answer_of: Callable[..., tuple[str, Files]]) -> None:
    """Release id and every file, to the last byte, as polars makes them."""
    opened_or_skipped(engine)
    expected, found = answer_of(sample, "polars"), answer_of(sample, engine)
    assert 28 == len(expected[1])
    assert {} == {name: digest for name, digest in found[1].items() if expected[1].get(name) != digest}
    assert expected == found


@pytest.mark.parametrize("engine", [*LOCAL, SLOW_SPARK])
def test_faulty_data_give_the_same_on_every_engine(engine: str, answer_of: Callable[..., tuple[str, Files]]) -> None:
    """Also where rows are broken, keys shared and steward decisions contradict each other."""
    opened_or_skipped(engine)
    expected, found = answer_of(faulty, "polars"), answer_of(faulty, engine)
    assert {} == {name: digest for name, digest in found[1].items() if expected[1].get(name) != digest}
    assert expected == found


def test_the_faulty_data_are_faulty(tmp_path: Path) -> None:
    """Quarantine, field issues, blocked keys, refused edges and blocks of unreadable consent are all there."""
    ours = faulty(tmp_path)
    result = build(ours, "polars")
    assert result.kept is not None
    assert ["unattributable_consent_events_rows"] == [m.name for m in result.measures if m.status == FAIL]
    silver = result.rows["silver"]
    names = ("quarantine", "field_issues", "blocked_keys", "identity_review_queue", "erasure_requests")
    assert [] == [name for name in names if silver[name] == 0]
    measures = {measure.name: measure.value for measure in result.measures}
    assert ("1", "1") == (measures["unusable_steward_decisions"], measures["steward_links_overruled"])
    assert "consent_unreadable" in (result.kept / "gold" / "activation_candidates.csv").read_text("utf-8")


# --- memory -----------------------------------------------------------------------------------------------------------
PEOPLE, MEMORY, THREADS = 20_000, "220MB", 2  # each thread needs memory of its own


@pytest.mark.slow
def test_duckdb_spills_rather_than_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is too small for the data in memory gives the same files; without a disk it would not do."""
    ours = Workspace(tmp_path)
    ours.generated.write(generate(PEOPLE), {})
    ours.generated.record_file.unlink()
    really, disk = DuckDB.__init__, "10GB"

    def few_threads(self: DuckDB, memory_limit: str | None = None) -> None:
        really(self, memory_limit)
        self._connection.execute(f"set threads = {THREADS}; set max_temp_directory_size = '{disk}'")

    monkeypatch.setattr(DuckDB, "__init__", few_threads)
    assert built(ours, "polars") == built(ours, "duckdb", memory_limit=MEMORY)
    disk = "0KB"
    with pytest.raises(Exception, match="Out of Memory Error: failed to offload"):
        build(ours, "duckdb", memory_limit=MEMORY)


def test_duckdb_removes_what_it_spilled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving the engine, also by an error, leaves no folder behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with open_engine("duckdb"):
        assert 1 == len(list(tmp_path.iterdir()))
    assert [] == list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="--memory-limit"):
        open_engine("duckdb", "plenty")
    assert [] == list(tmp_path.iterdir())


# --- misuse -----------------------------------------------------------------------------------------------------------
def test_an_unknown_engine_is_told() -> None:
    """The message lists the engines that there are."""
    with pytest.raises(UsageError, match="--engine: expected one of polars, duckdb, spark, got 'dask'"):
        open_engine("dask")
    assert ["polars", "duckdb", "spark"] == list(ENGINES)


@pytest.mark.parametrize("limit", ["plenty", "", "2 parsecs", "GB"])
def test_a_limit_that_is_no_size_is_told(limit: str) -> None:
    """The message shows what a size looks like."""
    with pytest.raises(UsageError, match="--memory-limit: expected a size such as 2GB, got "):
        open_engine("duckdb", limit)


@pytest.mark.parametrize("engine", ["polars", "spark"])
def test_only_duckdb_keeps_a_limit(engine: str) -> None:
    """A promise that cannot be kept is not made."""
    with pytest.raises(UsageError, match=f"only the engine duckdb can keep one, got --engine {engine}"):
        open_engine(engine, "2GB")


def test_an_engine_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to install it."""
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(
        UsageError, match=r"the package duckdb is not installed; install it with: pip install 'c360\[engines\]'"
    ):
        open_engine("duckdb")
