"""From a ROOT's raw files to a published release: load, run the layers, write, audit, publish."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.engines.base import Engine
from c360lib.engines.open import DEFAULT_ENGINE, open_engine
from c360lib.errors import UsageError
from c360lib.identity.model import score
from c360lib.layers.layer import Moment
from c360lib.layers.pipeline import PUBLISHED
from c360lib.layers.run import run_layers
from c360lib.quality import measures as quality
from c360lib.quality import report
from c360lib.quality.leaks import DECISIONS_FILE
from c360lib.release import predecessor
from c360lib.release.manifest import finish_manifest, inputs_sha256, record_of, release_id
from c360lib.release.models import MODEL_FILE, model_asked, write_model
from c360lib.schemas import GOLD, RAW, SILVER, Table
from c360lib.sources import cells, moments
from c360lib.sources.load import Loaded, Progress, load
from c360lib.sources.moments import end_of_day
from c360lib.storage.files import FORMATS, replace_bytes, table_batches, write_table
from c360lib.storage.workspace import Workspace

STEPS = len(RAW) + len(PUBLISHED) + 1


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
    engine: str = DEFAULT_ENGINE,
    as_of: str | None = None,
    suffix: str = "csv",
    memory_limit: str | None = None,
    now: int | None = None,
    progress: Progress = lambda step: None,
    identity: str = "deterministic",
) -> Result:
    """Build a release from data/raw and publish it unless a measure fails.

    `as_of` is the last second of a UTC day (default: the day of the latest arrival); `now`, seconds since 1970, makes
    the build refuse arrivals after it when no as_of is given. `identity` is deterministic, or probabilistic: then pairs
    that no declared rule decides are weighed by data/models/identity.json, or by a model trained on these data.
    """
    if suffix not in FORMATS:
        raise UsageError(f"--format: expected one of {', '.join(FORMATS)}, got {suffix!r}")
    asked = None if as_of is None else end_of_day(as_of)
    with workspace.locked(), open_engine(engine, memory_limit) as runner, workspace.staged() as stage:
        loaded = load(runner, workspace, stage, suffix, progress=progress)
        if asked is None:
            _refuse_future(workspace, loaded, now)
        at = Moment(asked if asked is not None else end_of_day(moments.moment_text(loaded.reach)), loaded.reach)
        wanted = model_asked(workspace, identity)
        loaded.frames["model_asked"] = runner.load_table(score.asked(wanted))
        inputs = inputs_sha256(loaded, workspace, at, suffix, score.fingerprint(wanted, engine))
        before = predecessor.find(workspace, inputs)
        loaded.frames["profiles_before"] = runner.load_table(before.profiles)
        loaded.frames["events_before"] = runner.load_table(before.events)
        release = release_id(at, inputs, before.sha256)
        dispositions, counts = _write_layers(runner, loaded, at, stage, suffix, progress)
        record = record_of(loaded, at, release, dispositions, engine, suffix)
        record |= {"inputs_sha256": inputs, "predecessor": before.told()}
        record |= {"identity": score.told(identity, stage / MODEL_FILE), "recipe": workspace.generated.recipe()}
        _keep_decisions(workspace, stage)
        progress("quality")
        measures = quality.audit(stage, record, workspace.truth(), workspace.release_before(record))
        report.write(stage / "reports", record, measures)
        rows = finish_manifest(stage, record, counts)
        status = quality.status(measures)
        kept = workspace.keep_failed(release) if status == quality.FAIL else None
        if kept is None:
            workspace.publish(release)
        return Result(release, record["as_of"], rows, measures, status, kept)


def _refuse_future(workspace: Workspace, loaded: Loaded, now: int | None) -> None:
    """A clock that runs ahead would move as_of for everybody; ask rather than guess."""
    for name, source in loaded.sources.items():
        if now is not None and source.latest_ingest is not None and source.latest_ingest > now:
            raise UsageError(
                f"{workspace.raw_file(name)}, row {source.latest_row}: ingest_ts "
                f"{moments.moment_text(source.latest_ingest)} is in the future; "
                "correct the row, or name the day to build for with --as-of YYYY-MM-DD"
            )


def _write_layers(
    runner: Engine, loaded: Loaded, at: Moment, stage: Path, suffix: str, progress: Progress
) -> tuple[pa.Table, dict[str, int]]:
    """Run every layer and write each published table, sorted by key; gives the dispositions and rows per file."""
    counts = {f"{name}_bronze": source.rows for name, source in loaded.sources.items()}
    dispositions = None
    for name, frame in run_layers(runner, loaded.frames, at, ("identity_model", *PUBLISHED)):
        if name == "identity_model":
            write_model(runner.table(frame), stage / MODEL_FILE)
            continue
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
        del frame  # or what it reads would be held while the next layers are made
    assert dispositions is not None
    return dispositions, counts


def _keep_decisions(workspace: Workspace, stage: Path) -> None:
    """Keep what the stewards had decided, so that the next release can tell what is new."""
    if workspace.steward_file.exists():
        replace_bytes(stage / DECISIONS_FILE, workspace.steward_file.read_bytes())


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
    wanted = pa.array([str(number) for number in sorted(numbers)])
    chosen = (batch.filter(pc.is_in(batch["_row_number"], wanted)) for batch in table_batches(file))
    return {int(row["_row_number"]): row for batch in chosen for row in batch.to_pylist()}
