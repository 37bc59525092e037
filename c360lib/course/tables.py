"""The tables that a lesson starts from, made once and cached, so that any notebook runs alone and in seconds."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from filelock import FileLock

from c360lib.course.layers import known_layer, layer_table
from c360lib.course.source import FOLDER
from c360lib.errors import UsageError
from c360lib.generate import faults, generate
from c360lib.identity.model import score
from c360lib.quality import measures as quality
from c360lib.quality.report import NAME
from c360lib.release.build import build
from c360lib.release.manifest import code_fingerprint
from c360lib.release.models import MODEL_FILE
from c360lib.rules import DEFAULT_AS_OF, DEFAULT_CUSTOMERS, DEFAULT_IDENTITY, DEFAULT_SEED
from c360lib.schemas import GOLD, RAW, SILVER, STEWARD, Column
from c360lib.sources import cells
from c360lib.sources import raw as bronze
from c360lib.sources.raw import open_raw
from c360lib.storage.files import read_json, read_table, remove_tree
from c360lib.storage.workspace import Workspace

STARTS = ("raw", "bronze", "silver", "gold")
_TABLES = (*RAW.values(), *SILVER.values(), *GOLD.values())
_TIMES = {c.name: c.kind for table in _TABLES for c in table.columns if c.kind in ("ts", "date")}
WITHOUT_SPLINK = (
    "weighing pairs needs Splink, which is not installed: in the folder of the course, "
    '`python -m pip install -e ".[identity]"`, then restart the kernel'
)


class LessonWorkspace:
    """Tables of one built workspace as pandas tables, up to where the lesson starts from, which is `reached`.

    `customers` and `seed` are those that its data were generated with.
    """

    def __init__(self, root: Path, reached: str, customers: int, seed: int) -> None:
        self.root = root
        self.reached = reached
        self.customers, self.seed = customers, seed
        workspace = Workspace(root)
        self.release = (
            workspace.current_release() if workspace.current() else next(iter(sorted(workspace.failed.iterdir())))
        )
        self.as_of = pd.Timestamp(read_json(self.release / "manifest.json")["as_of"])

    def __repr__(self) -> str:
        return f"lesson workspace up to {self.reached}, as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC"

    def table(self, name: str) -> pd.DataFrame:
        """A silver or gold table with pandas types: times in UTC, whole numbers Int64, text str."""
        table = SILVER.get(name) or GOLD.get(name)
        if table is None:
            raise UsageError(f"there is no silver or gold table {name!r}; there are {', '.join([*SILVER, *GOLD])}")
        self._allow(table.layer, name)
        text = read_table(self.release / table.layer / f"{name}.csv")
        return pd.DataFrame({column.name: _typed(text[column.name], column) for column in table.columns})

    def layer(self, name: str) -> pd.DataFrame:
        """Any table of LAYERS (c360lib/layers/pipeline.py), run again on the data of the lesson, sorted by its columns.

        Types as those of `table`; a column is a time if the data dictionary or its ending `_ts` says so, and any other
        number (such as `at`, in seconds since 1970) is a whole number. What a `node` or a `person` is called means
        nothing in other data. What gold publishes needs a lesson that has reached gold, all else one in silver.
        """
        known_layer(name)
        self._allow("gold" if name in GOLD else "silver", name)
        table = layer_table(Workspace(self.root), self.release, name)
        return pd.DataFrame({f.name: _in_pandas(table[f.name], _kind(f)) for f in table.schema})

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

    def model(self) -> dict[str, Any]:
        """The model that pairs were weighed by, as it stands in the release; UsageError where there is none."""
        if not (self.release / MODEL_FILE).exists():
            raise UsageError('no pair was weighed here; lesson_workspace(..., identity="probabilistic") weighs them')
        return read_json(self.release / MODEL_FILE)

    def _known(self, source: str) -> None:
        if source not in RAW:
            raise UsageError(f"there is no source {source!r}; there are {', '.join(RAW)}")

    def _allow(self, layer: str, name: str) -> None:
        if STARTS.index(layer) > STARTS.index(self.reached):
            raise UsageError(
                f"{name} is in {layer}, which this lesson has not reached: it starts from {self.reached}; "
                f'lesson_workspace("{layer}") gives it'
            )


def lesson_workspace(
    layer: str = "gold",
    customers: int = DEFAULT_CUSTOMERS,
    seed: int = DEFAULT_SEED,
    faults: str = "",
    identity: str = DEFAULT_IDENTITY,
    decisions: pd.DataFrame | None = None,
) -> LessonWorkspace:
    """A built workspace for a lesson that starts from `layer` (raw, bronze, silver or gold).

    The first call builds it, which takes a few seconds; later calls, in any notebook, find it. `faults` injects named
    defects (docs/faults.md), as `c360 generate --faults` does. With `identity="probabilistic"` the model of the default
    data weighs the pairs that no rule decides, whatever the data. `decisions` are a steward's, columns as in
    data/steward/decisions.csv; there is a release before the first and one after each, the last of which is given.
    """
    if layer not in STARTS:
        raise UsageError(f"lesson_workspace: expected one of {', '.join(STARTS)}, got {layer!r}")
    if identity not in score.MODES:
        raise UsageError(f"lesson_workspace: expected one of {', '.join(score.MODES)}, got {identity!r}")
    if identity == "probabilistic" and not score.is_installed():
        raise UsageError(WITHOUT_SPLINK)
    steward = "" if decisions is None else _steward_text(decisions)
    return LessonWorkspace(_built(customers, seed, faults, identity, steward), layer, customers, seed)


def _steward_text(decisions: pd.DataFrame) -> str:
    """Decisions as the file that a steward's tool leaves; UsageError where a column is missing."""
    missing = [name for name in STEWARD.column_names if name not in decisions]
    if missing:
        raise UsageError(f"decisions: missing column {', '.join(missing)}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(STEWARD.column_names)
    writer.writerows(zip(*(decisions[name].tolist() for name in STEWARD.column_names), strict=True))
    return text.getvalue()


@cache
def _built(customers: int, seed: int, names: str, identity: str, steward: str) -> Path:
    """The folder of a built workspace, made unless it is there; each version of the code has folders of its own."""
    told = "\n".join([names, "" if identity == DEFAULT_IDENTITY else identity, steward]).strip("\n")
    model = _lesson_model() if identity == "probabilistic" and _is_other(customers, seed, names, steward) else None
    home, version = _home(), _version()
    label = f"-{hashlib.sha256(told.encode()).hexdigest()[:8]}" if told else ""
    root = home / version / f"{customers}-{seed}{label}"
    done = root / "done"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        if not done.exists():
            remove_tree(root)
            root.mkdir(parents=True)
            workspace = Workspace(root)
            if model is not None:
                workspace.model_file.parent.mkdir(parents=True)
                shutil.copyfile(model, workspace.model_file)
            _make(workspace, customers, seed, names, identity)
            for log in _as_it_grew(steward):
                workspace.steward_file.parent.mkdir(parents=True, exist_ok=True)
                workspace.steward_file.write_text(log, encoding="utf-8", newline="\n")
                build(workspace, as_of=DEFAULT_AS_OF, identity=identity)
            done.touch()
    return root


def _as_it_grew(steward: str) -> Iterator[str]:
    """The log after each of its decisions, in the order in which they were made; none for no log.

    >>> [log.splitlines()[1:] for log in _as_it_grew("...,decided_ts\\nb,2026-02-01\\na,2026-01-01\\n")]
    [['a,2026-01-01'], ['a,2026-01-01', 'b,2026-02-01']]
    """
    header, *rows = list(csv.reader(io.StringIO(steward))) or [[]]
    rows.sort(key=lambda row: row[-1])
    for count in range(1, len(rows) + 1):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows[:count]])
        yield text.getvalue()


def _is_other(customers: int, seed: int, names: str, steward: str) -> bool:
    """Whether data are other than those that the model of the lessons is trained on."""
    return (customers, seed, names, steward) != (DEFAULT_CUSTOMERS, DEFAULT_SEED, "", "")


def _lesson_model() -> Path:
    """The one model of the lessons: trained once, used again on other data, as a kept model is."""
    return lesson_workspace(identity="probabilistic").release / MODEL_FILE


def _version() -> str:
    """Changes with the code of the data product, and with this module, which says how a workspace is made."""
    made_by = Path(__file__).read_bytes().replace(b"\r\n", b"\n")
    return hashlib.sha256(code_fingerprint().encode() + made_by).hexdigest()[:12]


def _home() -> Path:
    """Beside the data of the clone; without a clone, in the folder for temporary files."""
    clone = FOLDER.parent
    if (clone / "pyproject.toml").exists():
        return Workspace(clone).lessons
    return Path(tempfile.gettempdir()) / "c360-lessons"


def _make(workspace: Workspace, customers: int, seed: int, names: str, identity: str) -> None:
    chosen = faults.chosen(names)
    recipe = {"customers": customers, "seed": seed, "as_of": DEFAULT_AS_OF, "faults": list(chosen)}
    workspace.generated.write(generate(customers, seed), recipe, lambda raw: faults.inject(raw, chosen, seed))
    build(workspace, as_of=DEFAULT_AS_OF, identity=identity)


def _text(table: pa.Table) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(table[name].to_pylist(), dtype="str") for name in table.column_names})


def _typed(text: pa.ChunkedArray, column: Column) -> pd.Series:
    """A column of text as its kind in pandas."""
    return _in_pandas(cells.restored(text, column), column.kind)


def _kind(field: pa.Field) -> str:
    """The kind of a column of a layer: that of its name, if it says a time or a date, else that of its cells.

    >>> _kind(pa.field("date_of_birth", pa.int64())), _kind(pa.field("used_ingest_ts", pa.int64()))
    ('date', 'ts')
    >>> _kind(pa.field("at", pa.int64())), _kind(pa.field("is_link", pa.bool_()))
    ('int', 'bool')
    """
    if pa.types.is_integer(field.type):
        return _TIMES.get(field.name) or ("ts" if field.name.endswith("_ts") else "int")
    return {"bool": "bool", "double": "ratio"}.get(str(field.type), "text")


def _in_pandas(array: pa.Array | pa.ChunkedArray, kind: str) -> pd.Series:
    """A column of Arrow as its kind in pandas."""
    match kind:
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
