"""Any table of LAYERS, made again from the sources of a lesson, so that each step up to gold can be looked at."""

from __future__ import annotations

import difflib
from pathlib import Path

import pyarrow as pa

from c360lib.engines.base import Engine, Frame
from c360lib.engines.open import open_engine
from c360lib.errors import UsageError
from c360lib.layers.dispositions import ORPHAN, told
from c360lib.layers.pipeline import LAYERS
from c360lib.layers.run import run_layers
from c360lib.release import predecessor, replay
from c360lib.release.build import beside_sources
from c360lib.release.models import model_asked
from c360lib.sources.load import load
from c360lib.storage.files import read_json
from c360lib.storage.workspace import Workspace

_WORDS = pa.array([told(number) for number in range(ORPHAN + 1)])  # of the number that a row carries


def known_layer(name: str) -> None:
    """UsageError that names the near ones where LAYERS has no such table."""
    names = [layer.name for layer in LAYERS]
    if name not in names:
        near = difflib.get_close_matches(name, names, 3, 0.3)
        asked = f"did you mean {', '.join(near)}? " if near else ""
        raise UsageError(f"there is no layer {name!r}; {asked}LAYERS in c360lib/layers/pipeline.py lists them all")


def layer_table(workspace: Workspace, release: Path, name: str) -> pa.Table:
    """A table of LAYERS as the build of that release made it: sorted by its columns, a disposition as its word."""
    manifest = read_json(release / "manifest.json")
    with open_engine() as engine:
        given = _inputs(engine, workspace, manifest["identity"]["asked"], manifest["inputs_sha256"])
        frame = {**given, **dict(run_layers(engine, given, replay.moment(manifest), [name]))}[name]
        if frame is None:
            raise UsageError(f"layer {name} has no table here: the data do not reach far enough to make it")
        return _in_words(engine.table(frame.sort(frame.collect_schema().names())))


def _inputs(engine: Engine, workspace: Workspace, identity: str, inputs_sha256: str) -> dict[str, Frame]:
    """What the build gave its layers: typed rows, what was found wrong with them, a model, the release before."""
    before = predecessor.find(workspace, inputs_sha256)
    return {**load(engine, workspace, None).frames, **beside_sources(engine, model_asked(workspace, identity), before)}


def _in_words(table: pa.Table) -> pa.Table:
    """The same rows, each disposition as its word where it is a number.

    >>> _in_words(pa.table({"disposition": pa.array([0, 6], pa.int8())}))["disposition"].to_pylist()
    ['current', 'quarantined']
    """
    index = table.column_names.index("disposition") if "disposition" in table.column_names else -1
    if index < 0 or not pa.types.is_integer(table.schema.types[index]):
        return table
    return table.set_column(index, "disposition", _WORDS.take(table["disposition"]))
