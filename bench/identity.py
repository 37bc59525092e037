"""Who is who, alone: the model's step beside plain Splink, and the declared rules beside SQL by hand.

`python -m bench.identity --accounts 100000 1000000 --write docs/bench-identity.md`
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import feather

from bench import report
from bench.run import AS_OF, ROOT, SEED, say, warm
from c360lib.generate import BLOCK_PEOPLE, HISTORY_DAYS, accounts
from c360lib.generate.arrival import deliver
from c360lib.generate.people import Span, population
from c360lib.rules import SECONDS_PER_DAY
from c360lib.schemas import RAW, TRUTH
from c360lib.sources.moments import end_of_day
from c360lib.storage.files import CsvWriter

WEIGHED, DECLARED = ("splink", "scores"), ("peer_duckdb", "polars", "duckdb")
STEPS = ("fields", "model")  # what the weighed candidates start from; measured once
NAMES = {
    "splink": "plain Splink: prepare, predict",
    "scores": "c360lib: match_scores",
    "peer_duckdb": "DuckDB SQL by hand",
    "polars": "c360lib on polars",
    "duckdb": "c360lib on duckdb",
    "fields": "accounts, key_holders, match_fields (polars)",
    "model": "identity_model, trained here",
}
MOST_OF_SPLINK, MOST_OF_PEER = 1.1, 1.0


@dataclass
class Result:
    """The best of all runs of a candidate; `note` says why there is none."""

    candidate: str
    seconds: float = math.inf
    cpu: float = math.inf
    megabytes: float = math.inf
    rows: int = 0
    note: str = ""
    told: dict[str, Any] = field(default_factory=dict)


def main() -> int:
    """Measure and print; 1 if a candidate failed or gave another answer."""
    options, load = arguments(), report.load()
    results = {size: measured(size, options) for size in sorted(options.accounts)}
    text = markdown(results, options.runs, load)
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    return int(any(result.note for found in results.values() for result in found.values()))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.identity", description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="+", default=[1_000_000], metavar="N", help="source records")
    parser.add_argument("--runs", type=int, default=2, metavar="N", help="runs of each candidate; the best counts")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the report as Markdown")
    default = Path(tempfile.gettempdir()) / "c360-bench"
    parser.add_argument("--work", type=Path, default=default, metavar="FOLDER", help="where the data are kept")
    return parser.parse_args()


def measured(size: int, options: argparse.Namespace) -> dict[str, Result]:
    """Every candidate at one size: the steps before, then both groups, each compared before it is timed again."""
    root = made(size, options.work)
    results = {name: Result(name) for name in (*STEPS, *WEIGHED, *DECLARED)}
    for name in STEPS:
        run(results[name], root)
    for group in (WEIGHED, DECLARED):
        for name in group:
            run(results[name], root)
        for name in group[1:]:
            if not results[name].note and differs(root, group[0], name):
                results[name].note = f"another answer than {NAMES[group[0]]}"
        for _ in range(options.runs - 1):
            for name in group:
                run(results[name], root)
    return results


def made(size: int, work: Path) -> Path:
    """A folder with customers.csv and the truth of at least so many accounts, made unless it is there.

    The other sources have a header only.
    """
    root = work / f"accounts-{size}"
    if (root / "done").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    (root / "data" / "raw").mkdir(parents=True)
    say(f"{size:,} accounts: making the data in {root}")
    end = end_of_day(AS_OF)
    span, count = Span(end + 1 - HISTORY_DAYS * SECONDS_PER_DAY, end), 0
    files = {name: root / "data" / "raw" / f"{name}.csv" for name in RAW} | {TRUTH.name: root / "truth.csv"}
    schemas = {
        name: pa.schema([(c, pa.string()) for c in t.column_names]) for name, t in {**RAW, TRUTH.name: TRUTH}.items()
    }
    for name in RAW:
        files[name].write_text(",".join(schemas[name].names) + "\n", encoding="utf-8")
    with (
        CsvWriter(files["customers"], schemas["customers"]) as customers,
        CsvWriter(files[TRUTH.name], schemas[TRUTH.name]) as truth,
    ):
        first = 0
        while count < size:
            people = population(SEED, first, BLOCK_PEOPLE, span)
            opened = accounts.open_accounts(people, span, BLOCK_PEOPLE)
            customers.write_table(deliver(accounts.customers(people, opened, span), SEED, span))
            known = accounts.truth(people, opened)
            truth.write_table(known)
            first, count = first + BLOCK_PEOPLE, count + len(known)
    (root / "done").touch()
    return root


def run(result: Result, root: Path) -> None:
    """One run of one candidate in a process of its own, on files that are all in the cache."""
    if result.note:
        return
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        warm(path)
    command = [sys.executable, "-m", "bench.identity_child", result.candidate, str(root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        result.note = "failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1]
    else:
        found = json.loads(done.stdout.strip().splitlines()[-1])
        for name in ("seconds", "cpu", "megabytes"):
            setattr(result, name, min(getattr(result, name), found[name]))
        result.rows, result.told = found["rows"], found["told"]
    say(f"  {root.name} {result.candidate}: {result.note or report_line(result)}")


def report_line(result: Result) -> str:
    """Progress in a line."""
    return f"{result.seconds:.2f} s, {result.cpu:.2f} s of CPU, {result.megabytes:.0f} MB, {result.rows:,} rows"


def differs(root: Path, one: str, other: str) -> bool:
    """Whether two candidates left different tables."""
    tables = [root / f"{name}.arrow" for name in (one, other)]
    return not all(path.exists() for path in tables) or not feather.read_table(tables[0]).equals(
        feather.read_table(tables[1])
    )


def markdown(results: dict[int, dict[str, Result]], runs: int, load: str) -> str:
    """The whole report."""
    parts = ["# Benchmark of identity", "", *report.machine(), *([f"- {load}"] if load else []), ""]
    parts += [
        "Each candidate runs in a process of its own, on files in the cache; seconds run after imports, CPU is that of",
        "all threads (a busy machine stretches seconds, and CPU far less), MB is the peak of the whole process.",
        f"Runs of each: {runs}; the best counts. Answers were compared first, and are equal.",
        "",
        "- **Weighed**: both begin with the accounts' fields in memory and prepare the table that is compared by the",
        "  same SQL. Plain Splink then is `Linker(...).inference.predict`, with the model, blocking rules, threads and",
        "  memory limit of c360lib. match_scores is that whole layer: also leaving out pairs that a declared rule",
        "  decides, the findings in words, in order. Neither clusters.",
        "- **Declared**: customers.csv to the profile of every account, by the declared rules.",
        "",
    ]
    for size, found in results.items():
        parts += [f"## {size:,} accounts", ""]
        for title, names in (("Before", STEPS), ("Weighed", WEIGHED), ("Declared", DECLARED)):
            rows = [cells(found[name], found[names[0]] if title != "Before" else None) for name in names]
            head = ("candidate", "seconds", "CPU seconds", "MB", "rows", "time", "CPU")
            parts += [f"### {title}", "", *report.table(head, rows), ""]
        told = found["model"].told
        parts += [f"Blocking rules used: {told.get('used')}; too wide here: {', '.join(told.get('too_wide', []))}.", ""]
    return "\n".join([*parts, "## Targets", "", *targets(results[max(results)], max(results)), ""])


def cells(result: Result, base: Result | None) -> tuple[str, ...]:
    """A line of a table; ratios to the base."""
    if result.note:
        return (f"{NAMES[result.candidate]}: {result.note}", *[""] * 6)
    ratios = [report.ratio(getattr(result, n), base and getattr(base, n)) for n in ("seconds", "cpu")]
    numbers = f"{result.seconds:.2f}", f"{result.cpu:.2f}", f"{result.megabytes:.0f}", f"{result.rows:,}"
    return (NAMES[result.candidate], *numbers, *ratios)


def targets(found: dict[str, Result], size: int) -> list[str]:
    """Both targets at the largest size, in CPU seconds and in seconds."""
    best = min(found["polars"].cpu, found["duckdb"].cpu), min(found["polars"].seconds, found["duckdb"].seconds)
    rows = [
        ("match_scores", MOST_OF_SPLINK, "plain Splink", found["scores"].cpu, found["scores"].seconds, found["splink"]),
        ("polars or duckdb", MOST_OF_PEER, "SQL by hand", *best, found["peer_duckdb"]),
    ]
    return [
        f"- {what} at most {most} times {base}, at {size:,}: "
        f"CPU {cpu / peer.cpu:.2f}, {report.verdict(not peer.note, cpu <= most * peer.cpu)}; "
        f"seconds {seconds / peer.seconds:.2f}, {report.verdict(not peer.note, seconds <= most * peer.seconds)}"
        for what, most, base, cpu, seconds, peer in rows
    ]


if __name__ == "__main__":
    raise SystemExit(main())
