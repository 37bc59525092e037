"""Print the SHA-256 of every published table of three data sets, for each engine: run it before and after, and compare.

    .venv/bin/python tools/published_bytes.py [ENGINE ...] > before.txt

The data sets are the sample, 3,000 people, and 1,500 with every fault, whose release is built and set aside.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

DATA = {"sample": (), "3000": ("--customers", "3000"), "faults": ("--customers", "1500", "--faults", "all")}
LAYERS = ("bronze", "silver", "gold")


def c360(*words: str) -> int:
    """Run a verb of the library beside this script; gives its exit status."""
    return subprocess.run([sys.executable, "-m", "c360lib", *words], capture_output=True, check=False).returncode


def digests(root: Path, engine: str) -> Iterator[str]:
    """A line for each table of the release that a build gives, published or not."""
    c360("build", str(root), "--engine", engine)
    releases = list((root / "data").glob("[rf]*/2*"))
    if not releases:
        raise SystemExit(f"{root.name} on {engine}: the build stopped")
    [release] = releases
    for layer in LAYERS:
        for path in sorted((release / layer).iterdir()):
            yield f"{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}  {root.name} {engine} {layer}/{path.name}"


def main(engines: list[str]) -> None:
    """Generate each data set once and build it on each engine."""
    with tempfile.TemporaryDirectory() as folder:
        for name, options in DATA.items():
            for engine in engines:
                root = Path(folder) / engine / name
                if c360("generate", str(root), *options):
                    raise SystemExit(f"{name}: nothing was generated")
                for line in digests(root, engine):
                    print(line)


if __name__ == "__main__":
    main(sys.argv[1:] or ["polars", "duckdb"])
