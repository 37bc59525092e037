"""One candidate, once, in a process of its own: `python -m bench.child CANDIDATE ROOT AS_OF [FOLDER]`.

Prints one line of JSON: seconds and megabytes, or why the candidate was skipped. The clock runs after all imports;
the tables go to FOLDER, where one is given, after clock and memory have been read.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from c360lib.errors import UsageError

LIBRARY = {"pandas": "pandas", "polars": "polars", "duckdb": "duckdb", "spark": "pyspark"}
Core = Callable[[Path, str], dict[str, pa.Table]]


def loaded(candidate: str) -> Core:
    """The `core` of `peer_NAME` or `c360lib_ENGINE`, all it needs imported; an error says what is not."""
    family, _, name = candidate.partition("_")
    if family == "peer":
        importlib.import_module(LIBRARY[name])
        core = importlib.import_module(f"bench.peer_{name}").core
        return lambda root, as_of: core(root / "data" / "raw", as_of)
    core = importlib.import_module("bench.library").core
    importlib.import_module("c360lib.engines.base").import_engine(LIBRARY[name], name if name == "spark" else "engines")
    return lambda root, as_of: core(root, name, as_of)


def peak_megabytes() -> int:
    """The most memory this process has held.

    On Linux `ru_maxrss` would begin with the peak of the process that started this one, which compares large tables.
    """
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset) >> 20
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) >> 10
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> 20 if sys.platform == "darwin" else peak >> 10


def measured(core: Core, root: Path, as_of: str, folder: Path | None) -> dict[str, float]:
    """Run once; seconds and megabytes."""
    start = time.perf_counter()
    tables = core(root, as_of)
    found = {"seconds": time.perf_counter() - start, "megabytes": peak_megabytes()}
    if folder:
        for name, table in tables.items():
            with pa.OSFile(str(folder / f"{name}.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
    return found


def main(candidate: str, root: str, as_of: str, folder: str = "") -> None:
    """Print what was measured, or the reason for none."""
    try:
        core = loaded(candidate)
    except (ImportError, UsageError) as error:
        print(json.dumps({"skipped": str(error)}))
        return
    print(json.dumps(measured(core, Path(root), as_of, Path(folder) if folder else None)))


if __name__ == "__main__":
    main(*sys.argv[1:])
