"""Measurements to Markdown."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Protocol

NAMES = {
    "peer_duckdb": "DuckDB SQL by hand",
    "peer_pandas": "pandas by hand",
    **{f"c360lib_{engine}": f"c360lib on {engine}" for engine in ("polars", "duckdb", "spark")},
}
PACKAGES = ("numpy", "pyarrow", "pandas", "duckdb", "polars", "narwhals")
MOST_OF_FASTEST_PEER = 1.6
MOST_GROWTH = 11.0


class Measured(Protocol):
    """One candidate at one size."""

    candidate: str
    seconds: float
    megabytes: float
    note: str

    @property
    def is_measured(self) -> bool:
        """True where there is a time to show."""


Results = dict[int, Sequence[Measured]]


def markdown(results: Results, startup: dict[str, float | str], runs: int, load: str = "") -> str:
    """The whole report."""
    parts = [
        "# Benchmark",
        "",
        *machine(),
        *([f"- {load}"] if load else []),
        "",
        "The core of gold (identity, paid value with RFM and CLV, activity, consent state) from the raw CSV files. All",
        "candidates gave tables that are equal to the last cell, or they have no time here. Seconds are those of the",
        "core inside its process, after imports; MB is the peak of the whole process. No candidate carries over what",
        "an erased account had refused to the accounts that it was tied to: the peers do not know that rule.",
        f"Runs of each: {runs}, on files in the cache; the best counts, of time and of memory.",
        "",
    ]
    for size, rows in results.items():
        parts += [f"## {size:,} people", "", *sizes_table(rows), ""]
    parts += ["## Growth", "", "Factor in time for ten times the people.", "", *growth_table(results), ""]
    parts += ["## Targets", "", *targets(results), ""]
    if startup:
        rows = [(f"`{name}`", f"{value:.2f}" if isinstance(value, float) else value) for name, value in startup.items()]
        parts += ["## Start", "", *table(("command", "seconds"), rows), ""]
    return "\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, first column to the left, columns of equal width.

    >>> print("\\n".join(table(("a", "b"), [("x", "10")])))
    | a |  b |
    |---|---:|
    | x | 10 |
    """
    lines = [list(head), *(list(row) for row in rows)]
    wide = [max(len(line[place]) for line in lines) for place in range(len(head))]
    text = [
        "| "
        + " | ".join(
            cell.rjust(w) if place else cell.ljust(w) for place, (cell, w) in enumerate(zip(line, wide, strict=True))
        )
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (w + 1) + (":" if place else "-") for place, w in enumerate(wide)) + "|"
    return [text[0], rule, *text[1:]]


def sizes_table(rows: Sequence[Measured]) -> list[str]:
    """Time and memory, and both as ratios to the fastest peer; who has no time stands below."""
    peer = fastest_peer(rows)
    lines = [
        (
            NAMES[row.candidate],
            f"{row.seconds:.2f}",
            f"{row.megabytes:.0f}",
            ratio(row.seconds, peer and peer.seconds),
            ratio(row.megabytes, peer and peer.megabytes),
        )
        for row in rows
        if row.is_measured
    ]
    head = ("candidate", "seconds", "MB", "time / fastest peer", "memory / fastest peer")
    without = [f"{NAMES[row.candidate]}: {row.note}." for row in rows if row.note]
    return [*table(head, lines), *(["", *without] if without else [])]


def fastest_peer(rows: Sequence[Measured]) -> Measured | None:
    """The peer that took the least time."""
    peers = [row for row in rows if row.candidate.startswith("peer_") and row.is_measured]
    return min(peers, key=lambda row: row.seconds, default=None)


def ratio(value: float, base: float | None) -> str:
    """Two places, or a dash where there is nothing to compare with."""
    return f"{value / base:.2f}" if base else "-"


def growth(results: Results, candidate: str) -> list[float]:
    """Factors per ten times the people between neighbouring sizes; nan where a time is missing."""
    sizes = sorted(results)
    times = [
        next((r.seconds for r in results[size] if r.candidate == candidate and r.is_measured), math.nan)
        for size in sizes
    ]
    steps = zip(pairwise(sizes), pairwise(times), strict=True)
    return [(after / before) ** (1 / math.log10(many / few)) for (few, many), (before, after) in steps]


def growth_table(results: Results) -> list[str]:
    """One line per candidate, one column per step."""
    sizes = sorted(results)
    names = dict.fromkeys(row.candidate for rows in results.values() for row in rows if row.is_measured)
    head = ("candidate", *(f"{few:,} to {many:,}" for few, many in pairwise(sizes)))
    lines = [(NAMES[name], *("-" if math.isnan(f) else f"{f:.1f}" for f in growth(results, name))) for name in names]
    return table(head, lines)


def targets(results: Results) -> list[str]:
    """The targets at the largest size, each met, missed or not measured."""
    largest = max(results)
    rows = {row.candidate: row for row in results[largest] if row.is_measured}
    peer, own = fastest_peer(results[largest]), rows.get("c360lib_polars")
    steps = {name: growth(results, name) for name in rows if name.startswith("c360lib_")}
    return [
        f"- polars at most {MOST_OF_FASTEST_PEER} times the fastest peer, at {largest:,}: "
        + verdict(bool(own and peer), bool(own and peer and own.seconds <= MOST_OF_FASTEST_PEER * peer.seconds)),
        f"- ten times the people, at most {MOST_GROWTH:g} times the time: "
        + verdict(
            any(steps.values()), all(f <= MOST_GROWTH for found in steps.values() for f in found if not math.isnan(f))
        ),
    ]


def verdict(is_measured: bool, is_met: bool) -> str:
    """A word."""
    return ("met" if is_met else "missed") if is_measured else "not measured"


def machine() -> list[str]:
    """Where and when, with what."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"- {datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.release()}",
        f"- {processor()}, {os.cpu_count()} cores, {memory()}",
        f"- Python {platform.python_version()}, {versions}",
    ]


def load() -> str:
    """How busy the machine is with other work now; times taken on a busy machine say little."""
    return f"load average before the start: {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def version(name: str) -> str:
    """The installed version of a package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def processor() -> str:
    """The model name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor() or "?"
    )


def memory() -> str:
    """Memory of the machine, where the system or psutil tells."""
    try:
        import psutil

        return f"{psutil.virtual_memory().total / (1 << 30):.0f} GB"
    except ImportError:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
        return f"{pages / (1 << 30):.0f} GB" if pages else "? GB"
