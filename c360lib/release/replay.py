"""The published release as inputs of the layers, so that they can be run on it again: its bronze rows, typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.engines.base import Engine, Frame
from c360lib.engines.open import open_engine
from c360lib.identity.model import score
from c360lib.layers.behaviour import shared_devices_among
from c360lib.layers.layer import Moment
from c360lib.layers.run import run_layers
from c360lib.layers.slice import DEVICE, reachable
from c360lib.quality.leaks import DECISIONS_FILE
from c360lib.release import models
from c360lib.schemas import RAW, SILVER, STEWARD, Table
from c360lib.sources import cells, load, moments
from c360lib.sources import typed as contract
from c360lib.sources.ids import Numbers
from c360lib.storage.files import read_table, table_batches
from c360lib.storage.workspace import Workspace

Sources = Mapping[str, tuple[pa.Table, pa.Table]]
_ENDS = ("left_record_id", "right_record_id")


def moment(manifest: Mapping[str, Any]) -> Moment:
    """What the layers of a release knew of time, from its manifest; IntegrityError where a time cannot be read."""
    arrivals = [moments.latest_arrival(manifest, name) for name in manifest["sources"]]
    return Moment(moments.as_of(manifest), max(at for at in arrivals if at is not None))


def source_rows(workspace: Workspace, name: str) -> tuple[pa.Table, pa.Table]:
    """The rows of one source, typed from the bronze table of the release, and what was found wrong with them."""
    batches = table_batches(workspace.table_file("bronze", f"{name}_bronze"))
    typed = [_typed(batch, RAW[name]) for batch in batches]
    return (
        pa.Table.from_batches([batch.rows for batch in typed], contract.typed_schema(RAW[name])),
        pa.Table.from_batches([batch.findings for batch in typed], contract.FINDINGS),
    )


def every_source(workspace: Workspace) -> Sources:
    """`source_rows` of every source."""
    return {name: source_rows(workspace, name) for name in RAW}


def _typed(batch: pa.RecordBatch, table: Table) -> contract.Typed:
    at = batch.schema.names.index("_row_number")
    numbers = batch["_row_number"].cast(pa.int64())
    return contract.typed_rows(pa.Table.from_batches([batch]).set_column(at, "_row_number", numbers), table)


def decisions(workspace: Workspace) -> Iterator[pa.RecordBatch]:
    """The stewards' decisions that the release was built with, typed."""
    return load.decisions(workspace.current_release() / DECISIONS_FILE)


def inputs(engine: Engine, workspace: Workspace) -> dict[str, Callable[[], Frame]]:
    """What the layers take, each loaded when it is first read: `<source>_rows` and `decisions_rows`."""
    numbers = Numbers()

    def loads(name: str) -> Callable[[], Frame]:
        return lambda: engine.load_table(numbers.numbered(source_rows(workspace, name)[0], RAW[name]))

    def decided() -> Frame:
        return engine.load(contract.typed_schema(STEWARD), decisions(workspace))

    return {**{f"{name}_rows": loads(name) for name in RAW}, f"{STEWARD.name}_rows": decided}


# --- a slice of it ----------------------------------------------------------------------------------------------------
def slice_tables(
    workspace: Workspace,
    accounts: Iterable[str],
    targets: Iterable[str],
    decided: Iterable[pa.RecordBatch] | None = None,
    sources: Sources | None = None,
) -> dict[str, pa.Table]:
    """The target tables from the bronze rows of the release that what becomes of the accounts can depend on.

    `decided`, typed rows of decisions.csv, count in place of those that the release was built with. `sources` are all
    rows, where somebody asks more than once.
    """
    choices = list(decisions(workspace) if decided is None else decided)
    typed = every_source(workspace) if sources is None else sources
    blocked = _blocked(workspace)
    rows = reachable(
        {name: rows for name, (rows, _) in typed.items()},
        accounts,
        [(row["kind"], row["key"]) for row in blocked.to_pylist()],
        [*_edges(workspace), *(pair for batch in choices for pair in _pairs(batch.to_pylist()))],
        _profiles(workspace),
    )
    with open_engine() as engine:
        numbers, frames = Numbers(), dict[str, Frame]()
        for name, table in rows.items():
            frames[f"{name}_rows"] = engine.load_table(numbers.numbered(table, RAW[name]))
            frames[f"{name}_findings"] = engine.load_table(typed[name][1])
        frames[f"{STEWARD.name}_rows"] = engine.load(contract.typed_schema(STEWARD), choices)
        model = models.model(workspace)  # as the release used it: which pairs were compared depends on all accounts
        frames["model_asked"] = engine.load_table(score.asked(model))
        frames["identity_model"] = engine.load_table(score.ready(model))
        is_device = pc.equal(blocked["kind"], DEVICE)
        frames["blocked_devices"] = engine.load_table(blocked.filter(is_device))
        frames["blocked_identity_keys"] = engine.load_table(blocked.filter(pc.invert(is_device)))
        frames["shared_devices"] = shared_devices_among(frames["clickstream_rows"], frames["blocked_devices"])
        at = moment(workspace.manifest())
        return {name: engine.table(frame) for name, frame in run_layers(engine, frames, at, targets)}


def _blocked(workspace: Workspace) -> pa.Table:
    texts, table = read_table(workspace.table_file("silver", "blocked_keys")), SILVER["blocked_keys"]
    return pa.table({c.name: cells.restored(texts[c.name], c) for c in table.columns})


def _edges(workspace: Workspace) -> Iterator[tuple[str, str]]:
    return _pairs(read_table(workspace.table_file("silver", "identity_edges"), _ENDS).to_pylist())


def _pairs(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    return ((row[_ENDS[0]], row[_ENDS[1]]) for row in rows if row[_ENDS[0]] and row[_ENDS[1]])


def _profiles(workspace: Workspace) -> Iterator[tuple[str, str]]:
    names = ["record_id", "profile_id"]
    table = read_table(workspace.table_file("silver", "customer_identity"), names)
    return zip(*(table[name].to_pylist() for name in names), strict=True)
