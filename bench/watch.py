"""Peak memory of a process and its children, for a candidate whose work happens in another process (Spark's Java)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Peak:
    """The most memory seen so far; 0 where nothing was watched."""

    megabytes: float = 0


@contextmanager
def peak_of_tree(pid: int | None) -> Iterator[Peak]:
    """Look at the process tree ten times a second; no pid, or no psutil: nothing is watched."""
    peak, stop = Peak(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(pid, peak, stop), daemon=True)
    if pid is not None:
        watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        if pid is not None:
            watcher.join()


def _watch(pid: int, peak: Peak, stop: threading.Event) -> None:
    try:
        import psutil
    except ImportError:
        return
    while not stop.wait(0.1):
        try:
            process = psutil.Process(pid)
            held = sum(member.memory_info().rss for member in (process, *process.children(recursive=True)))
        except psutil.Error:
            continue
        peak.megabytes = max(peak.megabytes, held / (1 << 20))
