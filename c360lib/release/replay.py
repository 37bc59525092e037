"""The published release as inputs of the layers, so that they can be run on it again: its bronze rows, typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from c360lib.engines.base import Engine, Frame
from c360lib.layers.layer import Moment
from c360lib.schemas import RAW, STEWARD, Table
from c360lib.sources import load, moments
from c360lib.sources import typed as contract
from c360lib.sources.ids import Numbers
from c360lib.storage.files import table_batches
from c360lib.storage.workspace import Workspace


def moment(manifest: Mapping[str, Any]) -> Moment:
    """What the layers of a release knew of time, from its manifest."""
    latest = [moments.moment(s["latest_ingest_ts"]) for s in manifest["sources"].values() if s["latest_ingest_ts"]]
    return Moment(moments.moment(manifest["as_of"]) or 0, max(value for value in latest if value is not None))


def source_rows(workspace: Workspace, name: str) -> tuple[pa.Table, pa.Table]:
    """The rows of one source, typed from the bronze table of the release, and what was found wrong with them."""
    batches = table_batches(workspace.table_file("bronze", f"{name}_bronze"))
    typed = [_typed(batch, RAW[name]) for batch in batches]
    return (
        pa.Table.from_batches([batch.rows for batch in typed], contract.typed_schema(RAW[name])),
        pa.Table.from_batches([batch.findings for batch in typed], contract.FINDINGS),
    )


def _typed(batch: pa.RecordBatch, table: Table) -> contract.Typed:
    at = batch.schema.names.index("_row_number")
    numbers = batch["_row_number"].cast(pa.int64())
    return contract.typed_rows(pa.Table.from_batches([batch]).set_column(at, "_row_number", numbers), table)


def inputs(engine: Engine, workspace: Workspace) -> dict[str, Callable[[], Frame]]:
    """What the layers take, each loaded when it is first read: `<source>_rows` and `decisions_rows`."""
    numbers = Numbers()

    def loads(name: str) -> Callable[[], Frame]:
        return lambda: engine.load_table(numbers.numbered(source_rows(workspace, name)[0], RAW[name]))

    def decided() -> Frame:
        return engine.load(contract.typed_schema(STEWARD), load.decisions(workspace))

    return {**{f"{name}_rows": loads(name) for name in RAW}, f"{STEWARD.name}_rows": decided}
