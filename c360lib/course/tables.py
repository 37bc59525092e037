"""The tables that a lesson starts from, made once and kept, so that any notebook runs alone and in seconds."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from filelock import FileLock

from c360lib import bronze, cells, faults, quality
from c360lib.build import build, code_fingerprint
from c360lib.course.source import FOLDER
from c360lib.errors import UsageError
from c360lib.files import read_json, read_table, remove_tree
from c360lib.generate import DEFAULT_AS_OF, generate
from c360lib.report import NAME
from c360lib.schemas import GOLD, RAW, SILVER, Column
from c360lib.workspace import Workspace, open_raw

LAYERS = ("raw", "bronze", "silver", "gold")
DEFAULT_CUSTOMERS, DEFAULT_SEED = 1000, 360


class LessonWorkspace:
    """Tables of one built workspace as pandas tables, up to the layer that the lesson starts from."""

    def __init__(self, root: Path, layer: str) -> None:
        self.root = root
        self.layer = layer
        workspace = Workspace(root)
        self.release = (
            workspace.current_release() if workspace.current() else next(iter(sorted(workspace.failed.iterdir())))
        )
        self.as_of = pd.Timestamp(read_json(self.release / "manifest.json")["as_of"])

    def __repr__(self) -> str:
        return f"lesson workspace up to {self.layer}, as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC"

    def table(self, name: str) -> pd.DataFrame:
        """A silver or gold table with pandas types: times in UTC, whole numbers Int64, text str."""
        table = SILVER.get(name) or GOLD.get(name)
        if table is None:
            raise UsageError(f"there is no silver or gold table {name!r}; there are {', '.join([*SILVER, *GOLD])}")
        self._allow(table.layer, name)
        text = read_table(self.release / table.layer / f"{name}.csv")
        return pd.DataFrame({column.name: _typed(text[column.name], column) for column in table.columns})

    def raw(self, source: str) -> pd.DataFrame:
        """The readable rows of a raw file, every column text as it stands."""
        self._known(source)
        header, blocks = open_raw(self.raw_path(source), RAW[source])
        parsed = [bronze.parse(block, header.columns) for block in blocks]
        table = (
            pa.concat_tables(parsed)
            if parsed
            else pa.table({name: pa.array([], pa.string()) for name in header.columns})
        )
        rows = _text(table)
        if "_raw_base64" in rows:
            rows = rows[rows["_raw_base64"] == ""].drop(columns="_raw_base64").reset_index(drop=True)
        return rows

    def raw_path(self, source: str) -> Path:
        """Where the raw file of a source stands."""
        return Workspace(self.root).raw_file(source)

    def bronze(self, source: str) -> pd.DataFrame:
        """Bronze rows of a source, every column text, lineage columns last."""
        self._known(source)
        self._allow("bronze", f"{source}_bronze")
        return _text(read_table(self.release / "bronze" / f"{source}_bronze.csv"))

    def truth(self) -> pd.DataFrame:
        """Who really is who, all text; '' where the person is no hard case."""
        table = Workspace(self.root).truth()
        assert table is not None
        return _text(table)

    def report(self) -> pd.DataFrame:
        """The quality report: (name, value, threshold, status, meaning), all text."""
        self._allow("gold", "the quality report")
        measures = read_json(self.release / "reports" / f"{NAME}.json")["measures"]
        return pd.DataFrame(measures, columns=list(quality.Measure._fields))

    def manifest(self) -> dict[str, Any]:
        """The manifest of the release."""
        return read_json(self.release / "manifest.json")

    def _known(self, source: str) -> None:
        if source not in RAW:
            raise UsageError(f"there is no source {source!r}; there are {', '.join(RAW)}")

    def _allow(self, layer: str, name: str) -> None:
        if LAYERS.index(layer) > LAYERS.index(self.layer):
            raise UsageError(
                f"{name} is in {layer}, which this lesson has not reached: it starts from {self.layer}; "
                f'lesson_workspace("{layer}") gives it'
            )


def lesson_workspace(
    layer: str = "gold", customers: int = DEFAULT_CUSTOMERS, seed: int = DEFAULT_SEED, faults: str = ""
) -> LessonWorkspace:
    """A built workspace for a lesson that starts from `layer` (raw, bronze, silver or gold).

    The first call builds it, which takes a few seconds; later calls, in any notebook, find it. `faults` injects named
    defects (docs/faults.md), as `c360 generate --faults` does.
    """
    if layer not in LAYERS:
        raise UsageError(f"lesson_workspace: expected one of {', '.join(LAYERS)}, got {layer!r}")
    return LessonWorkspace(_built(customers, seed, faults), layer)


@cache
def _built(customers: int, seed: int, names: str) -> Path:
    """The folder of a built workspace, made unless it is there; each version of the code has folders of its own."""
    home, version = _home(), code_fingerprint()[:12]
    label = f"-{hashlib.sha256(names.encode()).hexdigest()[:8]}" if names else ""
    root = home / version / f"{customers}-{seed}{label}"
    done = root / "done"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        if not done.exists():
            remove_tree(root)
            root.mkdir(parents=True)
            _make(Workspace(root), customers, seed, names)
            done.touch()
    return root


def _home() -> Path:
    """Beside the data of the clone; without a clone, in the folder for temporary files."""
    clone = FOLDER.parent
    if (clone / "pyproject.toml").exists():
        return Workspace(clone).lessons
    return Path(tempfile.gettempdir()) / "c360-lessons"


def _make(workspace: Workspace, customers: int, seed: int, names: str) -> None:
    chosen = faults.chosen(names)
    recipe = {"customers": customers, "seed": seed, "as_of": DEFAULT_AS_OF, "faults": list(chosen)}
    workspace.write_generated(generate(customers, seed), recipe, lambda raw: faults.inject(raw, chosen, seed))
    build(workspace, as_of=DEFAULT_AS_OF)


def _text(table: pa.Table) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(table[name].to_pylist(), dtype="str") for name in table.column_names})


def _typed(text: pa.ChunkedArray, column: Column) -> pd.Series:
    """A column of text as its kind in pandas."""
    array = cells.typed(cells.trimmed(text.combine_chunks()), column)
    match column.kind:
        case "ts":
            return pd.Series(
                array.cast(pa.timestamp("s", tz="UTC")).to_numpy(zero_copy_only=False), dtype="datetime64[s]"
            ).dt.tz_localize("UTC")
        case "date":
            return pd.Series(
                array.cast(pa.int32()).cast(pa.date32()).to_numpy(zero_copy_only=False), dtype="datetime64[s]"
            )
        case "int" | "cents":
            return pd.Series(array.to_pylist(), dtype="Int64")
        case "bool":
            return pd.Series(array.to_pylist(), dtype="boolean")
        case "ratio":
            return pd.Series(array.to_pylist(), dtype="float64")
        case _:
            return pd.Series(array.to_pylist(), dtype="str")
