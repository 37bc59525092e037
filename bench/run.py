"""This library on each engine beside two hand-written peers: equal first, then time, memory and growth."""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bench import report
from bench.tables import SCHEMAS, differences
from bench.watch import peak_of_tree

ROOT = Path(__file__).resolve().parent.parent
AS_OF = "2026-06-30T23:59:59Z"
SEED = 360
SIZES = (10_000, 100_000, 1_000_000)
PEERS = ("peer_duckdb", "peer_pandas")
ENGINES = ("polars", "duckdb", "spark")


@dataclass
class Result:
    """What became of one candidate at one size; `note` says why there is no time."""

    candidate: str
    seconds: float = math.inf
    megabytes: float = math.inf
    note: str = ""
    is_wrong: bool = False

    @property
    def is_measured(self) -> bool:
        """True where there is a time to show."""
        return math.isfinite(self.seconds) and not self.note

    def take(self, seconds: float, megabytes: float) -> None:
        """Keep the best of all runs, of time and of memory."""
        self.seconds, self.megabytes = min(self.seconds, seconds), min(self.megabytes, megabytes)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="numbers of people")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each candidate; the best counts")
    parser.add_argument(
        "--engines", nargs="*", default=ENGINES, choices=ENGINES, help="engines of the library; none: peers only"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "c360-bench",
        metavar="FOLDER",
        help="where the data are made and kept for the next time",
    )
    parser.add_argument("--spark-python", default="", metavar="PATH", help="interpreter that has pyspark")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the report as Markdown")
    return parser.parse_args()


def main() -> int:
    """Measure and print; 1 if a candidate failed or gave another answer."""
    options, load = arguments(), report.load()
    results = {size: measure(size, options) for size in sorted(options.sizes)}
    startup = {} if not options.engines else start_times(options)
    text = report.markdown(results, startup, options.runs, load)
    print(text)
    if options.write:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        options.write.write_text(text, encoding="utf-8")
    return int(any(result.is_wrong for size in results.values() for result in size))


def measure(size: int, options: argparse.Namespace) -> list[Result]:
    """Every candidate at one size, interleaved: the first round is also compared."""
    root = made(size, options.work)
    results = [Result(candidate) for candidate in (*PEERS, *(f"c360lib_{engine}" for engine in options.engines))]
    compare(results, root, options)
    for _ in range(options.runs - 1):
        for result in results:
            if result.is_measured:
                run(result, root, options)
    return results


def made(size: int, work: Path) -> Path:
    """The folder with data for that many people, made unless it is there."""
    root, settings = work / str(size), {"customers": size, "seed": SEED, "as_of": AS_OF}
    done = root / "bench.json"
    if done.exists() and json.loads(done.read_text(encoding="utf-8")) == settings:
        return root
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    say(f"{size:,} people: making the data in {root}")
    command = ["generate", str(root), "--customers", str(size), "--seed", str(SEED), "--as-of", AS_OF]
    subprocess.run([sys.executable, "-m", "c360lib", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    done.write_text(json.dumps(settings), encoding="utf-8")
    return root


def compare(results: list[Result], root: Path, options: argparse.Namespace) -> None:
    """Run each once and hold its tables against those of the first that ran."""
    expected: dict[str, pa.Table] = {}
    for result in results:
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            run(result, root, options, Path(folder))
            if not result.is_measured:
                continue
            found = dict(tables(Path(folder)))
            expected = expected or found
            unequal = differences(expected, found)
        if unequal:
            result.note, result.is_wrong = "differs: " + "; ".join(unequal), True
            say(f"  {result.candidate} {result.note}")


def tables(folder: Path) -> Iterator[tuple[str, pa.Table]]:
    """The tables that a child left."""
    for name in SCHEMAS:
        if (folder / f"{name}.arrow").exists():
            with pa.OSFile(str(folder / f"{name}.arrow")) as file:
                yield name, pa.ipc.open_file(file).read_all()


def run(result: Result, root: Path, options: argparse.Namespace, folder: Path | None = None) -> None:
    """One run of one candidate in a process of its own, on files that are all in the cache."""
    is_spark = result.candidate.endswith("_spark")
    python = options.spark_python if is_spark else sys.executable
    if not python or not shutil.which(python):
        result.note = f"skipped: no interpreter {python}" if python else "skipped: needs --spark-python PATH"
        return
    for path in sorted((root / "data" / "raw").iterdir()):
        warm(path)
    command = [python, "-m", "bench.child", result.candidate, str(root), AS_OF, *([str(folder)] if folder else [])]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with peak_of_tree(child.pid if is_spark else None) as tree:
        out, err = child.communicate()
    say(f"  {root.name} {result.candidate}: {record(result, child.returncode, out, err, tree.megabytes)}")


def warm(path: Path) -> None:
    """Read a file once."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def record(result: Result, status: int, out: str, err: str, tree_megabytes: float) -> str:
    """Take what the child printed (its last line is the JSON) and say it in words."""
    if status:
        last = (err.strip().splitlines() or ["no message"])[-1]
        result.note, result.is_wrong = f"failed: {last}", True
        return result.note
    found = json.loads(out.strip().splitlines()[-1])
    if "skipped" in found:
        result.note = f"skipped: {found['skipped']}"
        return result.note
    megabytes = max(found["megabytes"], tree_megabytes)
    result.take(found["seconds"], megabytes)
    return f"{found['seconds']:.2f} s, {megabytes:.0f} MB"


def start_times(options: argparse.Namespace) -> dict[str, float | str]:
    """Seconds of `c360 run` on the default sample and of the bare imports, whole processes."""
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        fresh = Path(folder)
        return {
            "python -c 'import pandas, pyarrow'": best(["-c", "import pandas, pyarrow"], options.runs),
            "c360 run (1,000 people)": best(["-m", "c360lib", "run", str(fresh)], options.runs),
        }


def best(command: list[str], runs: int) -> float | str:
    """The shortest of several runs, or why there is none; the first leaves compiled modules for the others."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode:
            return "failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1]
        times.append(time.perf_counter() - start)
    return min(times)


def say(text: str) -> None:
    """Progress, beside the report."""
    print(text, file=sys.stderr, flush=True)
