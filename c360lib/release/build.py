"""From a ROOT's raw files to a published release: load, date, ask, run the layers, judge, publish or keep aside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from c360lib.engines.base import Engine, Frame
from c360lib.engines.open import open_engine
from c360lib.errors import UsageError
from c360lib.identity.model import score
from c360lib.layers.layer import Moment
from c360lib.layers.pipeline import PUBLISHED
from c360lib.layers.run import run_layers
from c360lib.quality import measures as quality
from c360lib.quality import report
from c360lib.quality.leaks import DECISIONS_FILE
from c360lib.release import at_rest, predecessor
from c360lib.release.manifest import finish_manifest, inputs_sha256, record_of, release_id
from c360lib.release.models import MODEL_FILE, model_asked, write_model
from c360lib.rules import DEFAULT_ENGINE, DEFAULT_IDENTITY
from c360lib.schemas import GOLD, RAW, SILVER
from c360lib.sources import moments
from c360lib.sources.load import Loaded, Progress, load
from c360lib.sources.moments import end_of_day
from c360lib.storage.files import FORMATS, replace_bytes
from c360lib.storage.workspace import Workspace

STEPS = len(RAW) + len(PUBLISHED) + 1


@dataclass(frozen=True)
class Result:
    """What a build came to. `kept` is the folder of a release that was not published, else None."""

    release: str
    as_of: str
    rows: dict[str, dict[str, int]]
    measures: list[quality.Measure]
    status: str
    kept: Path | None


class _Job(NamedTuple):
    """What every step works with."""

    workspace: Workspace
    stage: Path
    runner: Engine
    engine: str
    suffix: str
    identity: str
    progress: Progress


def build(
    workspace: Workspace,
    engine: str = DEFAULT_ENGINE,
    as_of: str | None = None,
    suffix: str = "csv",
    memory_limit: str | None = None,
    now: int | None = None,
    progress: Progress = lambda step: None,
    identity: str = DEFAULT_IDENTITY,
) -> Result:
    """Build a release from data/raw and publish it unless a measure fails.

    `as_of` is the last second of a UTC day (default: the day of the latest arrival); `now`, seconds since 1970, makes
    the build refuse arrivals after it when no as_of is given. `identity` is deterministic, or probabilistic: then pairs
    that no declared rule decides are weighed by data/models/identity.json, or by a model trained on these data.
    """
    if suffix not in FORMATS:
        raise UsageError(f"--format: expected one of {', '.join(FORMATS)}, got {suffix!r}")
    day = None if as_of is None else end_of_day(as_of)
    with workspace.locked(), open_engine(engine, memory_limit) as runner, workspace.staged() as stage:
        job = _Job(workspace, stage, runner, engine, suffix, identity, progress)
        loaded = load(runner, workspace, stage, suffix, progress=progress)
        at = _date(job, loaded, day, now)
        asked = _ask(job, loaded, at)
        dispositions, counts = _run(job, loaded, at)
        record = _record(job, loaded, at, asked, dispositions)
        measures = _judge(job, record)
        return _publish_or_keep(job, record, measures, counts)


# --- the steps --------------------------------------------------------------------------------------------------------
def _date(job: _Job, loaded: Loaded, day: int | None, now: int | None) -> Moment:
    """What is known of time: the end of the day asked for, or of the latest arrival's, and how far the data reach."""
    if day is None:
        _refuse_future(job.workspace, loaded, now)
        day = end_of_day(moments.moment_text(loaded.reach))
    return Moment(day, loaded.reach)


def _refuse_future(workspace: Workspace, loaded: Loaded, now: int | None) -> None:
    """A clock that runs ahead would move as_of for everybody; ask rather than guess."""
    for name, source in loaded.sources.items():
        if now is not None and source.latest_ingest is not None and source.latest_ingest > now:
            raise UsageError(
                f"{workspace.raw_file(name)}, row {source.latest_row}: ingest_ts "
                f"{moments.moment_text(source.latest_ingest)} is in the future; "
                "correct the row, or name the day to build for with --as-of YYYY-MM-DD"
            )


def _ask(job: _Job, loaded: Loaded, at: Moment) -> dict[str, Any]:
    """Load what the layers ask for beside the sources, a model and the predecessor; gives the id that comes of it."""
    wanted = model_asked(job.workspace, job.identity)
    inputs = inputs_sha256(loaded, job.workspace, at, job.suffix, score.fingerprint(wanted, job.engine))
    before = predecessor.find(job.workspace, inputs)
    loaded.frames.update(beside_sources(job.runner, wanted, before))
    release = release_id(at, inputs, before.sha256)
    return {"release": release, "inputs_sha256": inputs, "predecessor": before.told()}


def beside_sources(engine: Engine, wanted: str, before: predecessor.Predecessor) -> dict[str, Frame]:
    """What the layers take beside the sources, by name: the model asked for, and the release that this one follows."""
    tables = {"model_asked": score.asked(wanted), "profiles_before": before.profiles, "events_before": before.events}
    return {name: engine.load_table(table) for name, table in tables.items()}


def _run(job: _Job, loaded: Loaded, at: Moment) -> tuple[pa.Table, dict[str, int]]:
    """Run every layer and write each published table, sorted by key; gives the dispositions and rows per file."""
    counts = {f"{name}_bronze": source.rows for name, source in loaded.sources.items()}
    dispositions = None
    for name, frame in run_layers(job.runner, loaded.frames, at, ("identity_model", *PUBLISHED)):
        if name == "identity_model":
            write_model(job.runner.table(frame), job.stage / MODEL_FILE)
            continue
        job.progress(name)
        if name == "dispositions":
            dispositions = job.runner.table(frame)
            continue
        table = SILVER.get(name) or GOLD[name]
        counts[name] = at_rest.write(job.runner.batches(frame, table.key), table, job.stage, job.suffix)
        del frame  # or what it reads would be held while the next layers are made
    assert dispositions is not None
    return dispositions, counts


def _record(job: _Job, loaded: Loaded, at: Moment, asked: dict[str, Any], dispositions: pa.Table) -> dict[str, Any]:
    """The manifest, still without its files."""
    record = asked | record_of(loaded, at, dispositions, job.engine, job.suffix)
    identity = score.told(job.identity, job.stage / MODEL_FILE)
    return record | {"identity": identity, "recipe": job.workspace.generated.recipe()}


def _judge(job: _Job, record: dict[str, Any]) -> list[quality.Measure]:
    """Measure the files as they were written, and report."""
    _keep_decisions(job.workspace, job.stage)
    job.progress("quality")
    measures = quality.audit(job.stage, record, job.workspace.truth(), job.workspace.release_before(record))
    report.write(job.stage / "reports", record, measures)
    return measures


def _keep_decisions(workspace: Workspace, stage: Path) -> None:
    """Keep what the stewards had decided, so that the next release can tell what is new."""
    if workspace.steward_file.exists():
        replace_bytes(stage / DECISIONS_FILE, workspace.steward_file.read_bytes())


def _publish_or_keep(
    job: _Job, record: dict[str, Any], measures: list[quality.Measure], counts: dict[str, int]
) -> Result:
    """Make it the published release, or set it aside where a measure fails."""
    rows = finish_manifest(job.stage, record, counts)
    release, status = record["release"], quality.status(measures)
    kept = job.workspace.keep_failed(release) if status == quality.FAIL else None
    if kept is None:
        job.workspace.publish(release)
    return Result(release, record["as_of"], rows, measures, status, kept)
