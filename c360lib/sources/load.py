"""Raw files into an engine: each is read once, its bronze rows written on the way, its typed rows loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.engines.base import Engine, Frame
from c360lib.errors import ContractError
from c360lib.schemas import BRONZE, RAW, STEWARD, Table
from c360lib.sources import bronze, raw
from c360lib.sources import typed as contract
from c360lib.sources.ids import DEVICE, Numbers
from c360lib.sources.raw import in_order, open_raw
from c360lib.sources.typed import REFERENCE
from c360lib.storage.files import file_sha256, table_writer, write_table
from c360lib.storage.workspace import Workspace

Progress = Callable[[str], object]


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
        self.usable += batch["_is_usable"].true_count
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


@dataclass
class Loader:
    """Reads raw files into an engine, each once: bronze rows into `stage` (None: not written), typed rows as a frame.

    `keep` names the only columns wanted of a source (with them alone are two rows of one key compared); what is
    numbered is read as well, and stays as its number: key, device, and record_id but that of an account itself.
    """

    engine: Engine
    workspace: Workspace
    stage: Path | None = None
    suffix: str = "csv"
    keep: Mapping[str, Sequence[str]] | None = None
    loaded: Loaded = field(default_factory=Loaded)
    numbers: Numbers = field(default_factory=Numbers)
    found: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)

    def source(self, name: str) -> Frame:
        """The rows of one source; what was found wrong with them is then in `findings`."""
        return self.engine.load_table(self._rows(name))

    def _rows(self, name: str) -> pa.Table:
        """Typed rows with their numbers; nobody else holds them, so that an engine may free what it has taken."""
        table, path = RAW[name], self.workspace.raw_file(name)
        source = self.loaded.sources[name] = Source(present=path.exists() and path.stat().st_size > 0)
        keep = None if self.keep is None else self.keep[name]
        chosen = None if keep is None else (*keep, *table.key, *REFERENCE, DEVICE)
        rows, found = iter(()), self.found.setdefault(name, [])
        if source.present or name == "customers":
            typed = _typed_batches(path, table, source, self.stage, self.suffix, chosen)
            rows = _findings_apart(typed, found)
        whole = pa.Table.from_batches(rows, contract.typed_schema(table, chosen))
        if self.stage is not None and not source.present:
            _write_bronze(self.stage, BRONZE[name].column_names, name, self.suffix, iter(()))
        if name == "customers" and source.usable == 0:
            raise ContractError(_no_usable_rows(path, source))
        return self.numbers.numbered(whole, table, keep)

    def findings(self, name: str) -> Frame:
        """What was found wrong with the rows of a source that has been loaded, as `contract.FINDINGS`."""
        return self.engine.load(contract.FINDINGS, self.found.pop(name))

    def decisions(self) -> Frame:
        """The rows of the stewards' decisions."""
        return self.engine.load(contract.typed_schema(STEWARD), self._counted(decisions(self.workspace.steward_file)))

    def _counted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for typed in batches:
            self.loaded.unusable_decisions += len(typed) - typed["_is_usable"].true_count
            yield typed


def load(
    engine: Engine,
    workspace: Workspace,
    stage: Path | None,
    suffix: str = "csv",
    progress: Progress = lambda step: None,
) -> Loaded:
    """Every source, loaded; see `Loader`."""
    loader = Loader(engine, workspace, stage, suffix)
    for name in RAW:
        loader.loaded.frames |= {f"{name}_rows": loader.source(name), f"{name}_findings": loader.findings(name)}
        progress(name)
    loader.loaded.frames["decisions_rows"] = loader.decisions()
    return loader.loaded


def _no_usable_rows(path: Path, source: Source) -> str:
    if source.rows == 0:
        return f"{path}: the file has a header but no rows; expected at least one customer"
    return (
        f"{path}: all {source.rows} rows are unusable, so no customer can be built; "
        "check the first rows against docs/data-dictionary.md (times, op, lsn, source_system)"
    )


def _typed_batches(
    path: Path,
    table: Table,
    source: Source,
    stage: Path | None,
    suffix: str,
    keep: Sequence[str] | None,
) -> Iterator[contract.Typed]:
    if not path.exists():
        raise ContractError(
            f"{path}: not found; customers.csv is the one file that must be there (see README, 'Your own files')"
        )
    header, blocks = open_raw(path, table)
    source.extra_columns, source.absent_columns = header.extra, header.absent
    source.sha256 = "" if stage is None else file_sha256(path)
    hashed = [name for name in table.column_names if name in header.columns and name != "ingest_ts"]
    wanted = None if keep is None else [name for name in header.columns if name in keep]

    def work(block: bytes) -> tuple[pa.Table | None, contract.Typed]:
        parsed = raw.parse(block, header.columns, wanted)
        rows = None if stage is None else bronze.with_lineage(parsed, path.name, 1, hashed)
        return rows, contract.typed_rows(raw.numbered(parsed) if rows is None else rows, table, keep)

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
    results: Iterator[tuple[pa.Table | None, contract.Typed]], source: Source
) -> Iterator[tuple[pa.Table | None, contract.Typed]]:
    """Blocks count their rows from 1; make the numbers those of the file."""
    for rows, (typed, findings) in results:
        typed = _counted_on(typed, "_row_number", source.rows)
        findings = _counted_on(findings, "row_number", source.rows)
        rows = None if rows is None else _counted_on(rows, "_row_number", source.rows)
        source.note(typed)
        yield rows, contract.Typed(typed, findings)


def _counted_on(rows: Any, name: str, before: int) -> Any:
    """A batch or table with that many added to its row numbers."""
    return rows.set_column(rows.schema.names.index(name), name, pc.add(rows[name], before))


def _findings_apart(typed: Iterator[contract.Typed], found: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows; what was found wrong with them goes into a list."""
    for rows, findings in typed:
        found.append(findings)
        yield rows


def _written_on_the_way(
    results: Iterator[tuple[Any, contract.Typed]], file: Path, schema: pa.Schema
) -> Iterator[contract.Typed]:
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


def decisions(path: Path) -> Iterator[pa.RecordBatch]:
    """Typed rows of the stewards' decisions, in the order of the file; none where there is no file."""
    if not path.exists():
        return
    header, blocks = open_raw(path, STEWARD)
    for block in blocks:
        parsed = raw.parse(block, header.columns)
        yield contract.typed_rows(raw.numbered(parsed), STEWARD).rows
