"""From a ROOT's raw files to a published release: load, run the layers, write, audit, publish."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import c360lib
from c360lib import bronze, cells, contract, quality, rules
from c360lib.engine import Engine, Frame, open_engine
from c360lib.errors import ContractError, UsageError
from c360lib.pipeline import PUBLISHED, Moment, run_layers
from c360lib.schemas import BRONZE, GOLD, RAW, SILVER, STEWARD, Table
from c360lib.workspace import (
    FORMATS,
    Workspace,
    file_sha256,
    in_order,
    open_raw,
    read_table,
    table_writer,
    write_json,
    write_table,
)

Progress = Callable[[str], object]
STEPS = len(RAW) + len(PUBLISHED) + 1


@dataclass
class Source:
    """What loading one raw file told: rows, columns outside and absent, the latest arrival and its row."""

    rows: int = 0
    present: bool = True
    extra_columns: tuple[str, ...] = ()
    absent_columns: tuple[str, ...] = ()
    latest_ingest: int | None = None
    latest_row: int = 0
    sha256: str = ""
    usable: int = 0

    def note(self, batch: pa.RecordBatch) -> None:
        """Count a typed batch and keep its latest arrival."""
        self.rows += len(batch)
        self.usable += batch["_fault"].null_count
        latest = pc.max(batch["ingest_ts"]).as_py()
        if latest is not None and (self.latest_ingest is None or latest > self.latest_ingest):
            self.latest_ingest = latest
            self.latest_row = batch["_row_number"][pc.index(batch["ingest_ts"], latest).as_py()].as_py()


@dataclass
class Loaded:
    """Typed rows of every source in the engine, and what was seen on the way."""

    frames: dict[str, Frame] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    unusable_decisions: int = 0

    @property
    def reach(self) -> int:
        """The latest arrival of any row."""
        known = [source.latest_ingest for source in self.sources.values() if source.latest_ingest is not None]
        if not known:
            raise ContractError("no row of any source has a readable ingest_ts, so there is no moment to build for")
        return max(known)


# --- loading ----------------------------------------------------------------------------------------------------------
def load(
    engine: Engine,
    workspace: Workspace,
    stage: Path | None,
    suffix: str = "csv",
    keep: Mapping[str, Sequence[str]] | None = None,
    sources: Sequence[str] = tuple(RAW),
    progress: Progress = lambda step: None,
) -> Loaded:
    """Read raw files once: bronze rows into `stage` (None: not written), typed rows into the engine.

    `keep` names the only columns wanted of a source (with them alone are two rows of one key compared).
    """
    loaded = Loaded()
    for name in sources:
        table = RAW[name]
        path = workspace.raw_file(name)
        source = loaded.sources[name] = Source(present=path.exists() and path.stat().st_size > 0)
        chosen = (keep or {}).get(name)
        rows = (
            iter(())
            if not source.present and name != "customers"
            else _typed_batches(path, table, source, stage, suffix, chosen)
        )
        loaded.frames[f"{name}_rows"] = engine.load(contract.typed_schema(table, chosen), rows)
        if stage is not None and not source.present:
            _write_bronze(stage, BRONZE[name].column_names, name, suffix, iter(()))
        if name == "customers" and source.usable == 0:
            raise ContractError(_no_usable_rows(path, source))
        progress(name)
    loaded.frames["decisions_rows"] = engine.load(contract.typed_schema(STEWARD), _decisions(workspace, loaded))
    return loaded


def _no_usable_rows(path: Path, source: Source) -> str:
    if source.rows == 0:
        return f"{path}: the file has a header but no rows; expected at least one customer"
    return (
        f"{path}: all {source.rows} rows are unusable, so no customer can be built; "
        "check the first rows against docs/data-dictionary.md (times, op, lsn, source_system)"
    )


def _typed_batches(
    path: Path, table: Table, source: Source, stage: Path | None, suffix: str, keep: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    if not path.exists():
        raise ContractError(
            f"{path}: not found; customers.csv is the one file that must be there (see README, 'Your own files')"
        )
    header, blocks = open_raw(path, table)
    source.extra_columns, source.absent_columns = header.extra, header.absent
    source.sha256 = file_sha256(path)
    hashed = [name for name in table.column_names if name in header.columns and name != "ingest_ts"]
    wanted = None if keep is None else [name for name in header.columns if name in keep]

    def work(block: bytes) -> tuple[pa.Table | None, pa.RecordBatch]:
        parsed = bronze.parse(block, header.columns, wanted)
        if stage is None:
            numbered = parsed.append_column("_row_number", pa.array(range(1, len(parsed) + 1), pa.int64()))
            return None, contract.typed_rows(numbered, table, keep)
        rows = bronze.with_lineage(parsed, path.name, 1, hashed)
        return rows, contract.typed_rows(rows, table, keep)

    results = _numbered(in_order(work, blocks), source)
    if stage is None:
        yield from (typed for _, typed in results)
        return
    schema = pa.schema(
        [(name, pa.int64() if name == "_row_number" else pa.string()) for name in bronze.bronze_columns(header)]
    )
    file = stage / "bronze" / f"{table.name}_bronze.{suffix}"
    yield from _written_on_the_way(results, file, schema)


def _numbered(
    results: Iterator[tuple[pa.Table | None, pa.RecordBatch]], source: Source
) -> Iterator[tuple[pa.Table | None, pa.RecordBatch]]:
    """Blocks count their rows from 1; make the numbers those of the file."""
    for rows, typed in results:
        typed = typed.set_column(0, "_row_number", pc.add(typed["_row_number"], source.rows))
        if rows is not None:
            at = rows.column_names.index("_row_number")
            rows = rows.set_column(at, "_row_number", pc.add(rows["_row_number"], source.rows))
        source.note(typed)
        yield rows, typed


def _written_on_the_way(
    results: Iterator[tuple[Any, pa.RecordBatch]], file: Path, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Give typed batches on while their bronze rows are written."""
    with table_writer(file, schema) as writer:
        for rows, typed in results:
            writer.write_table(rows.cast(schema))
            yield typed


def _write_bronze(
    stage: Path, columns: Sequence[str], name: str, suffix: str, batches: Iterator[pa.RecordBatch]
) -> None:
    schema = pa.schema([(c, pa.int64() if c == "_row_number" else pa.string()) for c in columns])
    write_table(stage / "bronze" / f"{name}_bronze.{suffix}", schema, batches)


def _decisions(workspace: Workspace, loaded: Loaded) -> Iterator[pa.RecordBatch]:
    path = workspace.steward_file
    if not path.exists():
        return
    header, blocks = open_raw(path, STEWARD)
    for block in blocks:
        parsed = bronze.parse(block, header.columns)
        numbered = parsed.append_column("_row_number", pa.array(range(1, len(parsed) + 1), pa.int64()))
        typed = contract.typed_rows(numbered, STEWARD)
        loaded.unusable_decisions += len(typed) - typed["_fault"].null_count
        yield typed


# --- building ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Result:
    """What a build came to. `kept` is the folder of a release that was not published, else None."""

    release: str
    as_of: str
    rows: dict[str, dict[str, int]]
    measures: list[quality.Measure]
    status: str
    kept: Path | None


def build(
    workspace: Workspace,
    engine: str = "pandas",
    as_of: str | None = None,
    suffix: str = "csv",
    memory_limit: str | None = None,
    now: int | None = None,
    progress: Progress = lambda step: None,
) -> Result:
    """Build a release from data/raw and publish it unless a measure fails.

    `as_of` is the last second of a UTC day (default: the day of the latest arrival); `now`, seconds since 1970, makes
    the build refuse arrivals after it when no as_of is given.
    """
    if suffix not in FORMATS:
        raise UsageError(f"--format: expected one of {', '.join(FORMATS)}, got {suffix!r}")
    asked = None if as_of is None else end_of_day(as_of)
    with workspace.locked(), open_engine(engine, memory_limit) as runner:
        workspace.repair()
        stage = workspace.begin()
        loaded = load(runner, workspace, stage, suffix, progress=progress)
        if asked is None:
            _refuse_future(workspace, loaded, now)
        at = Moment(asked if asked is not None else end_of_day(cells.moment_text(loaded.reach)), loaded.reach)
        release = _release_id(loaded, workspace, at, suffix)
        dispositions, counts = _write_layers(runner, loaded, at, stage, suffix, progress)
        record = _record(loaded, at, release, dispositions, engine, suffix)
        progress("quality")
        measures = quality.audit(stage, record, workspace.truth())
        quality.write_report(stage / "reports", record, measures)
        rows = _finish_manifest(stage, record, counts)
        status = quality.status(measures)
        if status == "fail":
            return Result(release, record["as_of"], rows, measures, status, workspace.keep_failed(release))
        workspace.publish(release)
        return Result(release, record["as_of"], rows, measures, status, None)


def end_of_day(text: str) -> int:
    """The last second of a UTC day, from a date or a timestamp; UsageError for anything else.

    >>> end_of_day("1970-01-01"), end_of_day("1970-01-01T10:00:00Z")
    (86399, 86399)
    """
    at = cells.moment(f"{text}T00:00:00Z" if len(text) == len("2026-01-31") else text)
    if at is None:
        raise UsageError(f"--as-of: expected a day such as 2026-06-30 or 2026-06-30T23:59:59Z, got {text!r}")
    return at - at % rules.SECONDS_PER_DAY + rules.SECONDS_PER_DAY - 1


def _refuse_future(workspace: Workspace, loaded: Loaded, now: int | None) -> None:
    """A clock that runs ahead would move as_of for everybody; ask rather than guess."""
    for name, source in loaded.sources.items():
        if now is not None and source.latest_ingest is not None and source.latest_ingest > now:
            raise UsageError(
                f"{workspace.raw_file(name)}, row {source.latest_row}: ingest_ts "
                f"{cells.moment_text(source.latest_ingest)} is in the future; "
                "correct the row, or name the day to build for with --as-of YYYY-MM-DD"
            )


def _release_id(loaded: Loaded, workspace: Workspace, at: Moment, suffix: str) -> str:
    """Inputs, moment, rules and code, hashed: the same of all gives the same id. The engine does not count."""
    steward = file_sha256(workspace.steward_file) if workspace.steward_file.exists() else ""
    parts = {
        "inputs": {name: source.sha256 for name, source in loaded.sources.items()},
        "steward": steward,
        "as_of": at.as_of,
        "format": suffix,
        "rules": rules.RULES_VERSION,
        "code": code_fingerprint(),
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{cells.moment_text(at.as_of)[:10]}-{digest[:12]}"


def code_fingerprint() -> str:
    """SHA-256 over the library's own source, so that a changed rule makes another release."""
    digest = hashlib.sha256()
    folder = Path(c360lib.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def _write_layers(
    runner: Engine, loaded: Loaded, at: Moment, stage: Path, suffix: str, progress: Progress
) -> tuple[pa.Table, dict[str, int]]:
    """Run every layer and write each published table, sorted by key; gives the dispositions and rows per file."""
    counts = {f"{name}_bronze": source.rows for name, source in loaded.sources.items()}
    dispositions = None
    for name, frame in run_layers(runner, loaded.frames, at, PUBLISHED):
        progress(name)
        if name == "dispositions":
            dispositions = runner.table(frame)
            continue
        table = SILVER.get(name) or GOLD[name]
        batches: Iterator[pa.RecordBatch] = runner.batches(frame, table.key)
        if name in ("quarantine", "field_issues"):
            batches = _with_bronze_cells(batches, stage, suffix)
        rest = (at_rest(batch, table) for batch in batches)
        counts[name] = write_table(stage / table.layer / f"{name}.{suffix}", at_rest_schema(table), rest)
    assert dispositions is not None
    return dispositions, counts


def at_rest_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a published file: times and dates are text."""
    kinds = {"int": pa.int64(), "cents": pa.int64(), "bool": pa.bool_(), "ratio": pa.float64()}
    return pa.schema([(c.name, kinds.get(c.kind, pa.string())) for c in table.columns])


def at_rest(batch: pa.RecordBatch, table: Table) -> pa.RecordBatch:
    """A batch of a layer as it is written."""
    arrays = [cells.rendered(batch[c.name], c) for c in table.columns]
    return pa.record_batch(arrays, schema=at_rest_schema(table))


def _with_bronze_cells(batches: Iterator[pa.RecordBatch], stage: Path, suffix: str) -> Iterator[pa.RecordBatch]:
    """Add what bronze holds of each row: the whole `row` as JSON, and the `value` of the column named."""
    for batch in batches:
        rows: list[dict[str, Any]] = batch.to_pylist()
        wanted: dict[str, set[int]] = {}
        for row in rows:
            wanted.setdefault(row["source"], set()).add(row["row_number"])
        found = {
            name: _bronze_rows(stage / "bronze" / f"{name}_bronze.{suffix}", numbers)
            for name, numbers in wanted.items()
        }
        kept = [found[row["source"]][row["row_number"]] for row in rows]
        texts = [
            json.dumps(
                {k: v for k, v in cell.items() if not k.startswith("_") or (v and k == "_raw_base64")},
                ensure_ascii=False,
            )
            for cell in kept
        ]
        values = [cell.get(row.get("column", ""), "") for row, cell in zip(rows, kept, strict=True)]
        yield pa.RecordBatch.from_arrays(
            [*batch.columns, pa.array(texts, pa.string()), pa.array(values, pa.string())],
            [*batch.schema.names, "row", "value"],
        )


def _bronze_rows(file: Path, numbers: set[int]) -> dict[int, dict[str, Any]]:
    table = read_table(file)
    chosen = table.filter(pc.is_in(table["_row_number"], pa.array([str(n) for n in sorted(numbers)])))
    return {int(row["_row_number"]): row for row in chosen.to_pylist()}


# --- the record -------------------------------------------------------------------------------------------------------
def _record(
    loaded: Loaded, at: Moment, release: str, dispositions: pa.Table, engine: str, suffix: str
) -> dict[str, Any]:
    """The manifest of a release, still without its files."""
    sources = {
        name: {
            "present": source.present,
            "rows": source.rows,
            "sha256": source.sha256,
            "extra_columns": list(source.extra_columns),
            "absent_columns": list(source.absent_columns),
            "latest_ingest_ts": None if source.latest_ingest is None else cells.moment_text(source.latest_ingest),
            "dispositions": {
                row["disposition"]: row["row_count"] for row in dispositions.to_pylist() if row["source"] == name
            },
        }
        for name, source in loaded.sources.items()
    }
    packages = ("narwhals", "pyarrow", "pandas")
    return {
        "release": release,
        "as_of": cells.moment_text(at.as_of),
        "engine": engine,
        "format": suffix,
        "rules_version": rules.RULES_VERSION,
        "contract_version": rules.CONTRACT_VERSION,
        "versions": {"c360": c360lib.__version__, **{name: version(name) for name in packages}},
        "sources": sources,
        "unusable_decisions": loaded.unusable_decisions,
    }


def _finish_manifest(stage: Path, record: dict[str, Any], counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Write the manifest with rows and SHA-256 of every file; gives rows per layer and table."""
    rows: dict[str, dict[str, int]] = {}
    files = {}
    for path in sorted(p for p in stage.rglob("*") if p.is_file()):
        layer = path.parent.name
        count = counts.get(path.stem)
        files[path.relative_to(stage).as_posix()] = {"rows": count, "sha256": file_sha256(path)}
        if count is not None:
            rows.setdefault(layer, {})[path.stem] = count
    write_json(stage / "manifest.json", {**record, "files": files})
    return rows
