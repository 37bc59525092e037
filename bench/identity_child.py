"""One candidate of bench.identity, once, in a process of its own: `python -m bench.identity_child CANDIDATE ROOT`.

Prints one line of JSON: seconds, CPU seconds, megabytes, rows. The clock runs after all imports; what the candidate
found goes to ROOT/CANDIDATE.arrow after clock and memory have been read.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd  # noqa: F401 - pyarrow imports it at its first exchange with numpy, whoever asks
import pyarrow as pa
from pyarrow import feather

from bench import peer_duckdb
from bench.child import peak_megabytes
from bench.library import USED
from bench.run import AS_OF
from bench.tables import KEYS, SCHEMAS
from c360lib.engines.base import Engine
from c360lib.engines.open import open_engine
from c360lib.identity.model import prepare, score, train
from c360lib.layers.layer import Moment
from c360lib.layers.run import run_layers
from c360lib.rules import MODEL_REVIEW_WEIGHT_MILLIBITS
from c360lib.sources.load import Loader
from c360lib.sources.moments import end_of_day
from c360lib.storage.workspace import Workspace

SOURCES = ("customers", "erasure_requests")
PAIR = pa.schema([("left", pa.int64()), ("right", pa.int64()), ("millibits", pa.int64())])


def layers(engine: Engine, root: Path, asked: str, keep: dict[str, tuple[str, ...]], targets: tuple[str, ...]) -> Any:
    """Layers of identity from customers.csv alone."""
    loader = Loader(engine, Workspace(root), keep=keep)
    inputs: dict[str, Any] = {f"{name}_rows": partial(loader.source, name) for name in SOURCES}
    inputs["decisions_rows"] = loader.decisions
    if asked:
        wanted = score.asked(asked)
        inputs["model_asked"] = engine.load_table(wanted)
    else:
        inputs["match_scores"] = engine.load(score.SCORES_SCHEMA, [])
    end = end_of_day(AS_OF)
    return run_layers(engine, inputs, Moment(end, end), targets)


def fields(root: Path) -> tuple[pa.Table, dict[str, Any]]:
    """What the weighed candidates start from, kept in ROOT."""
    keep = {name: USED[name] for name in SOURCES}
    keep["customers"] = (*keep["customers"], "city", "postcode")
    with open_engine("polars") as engine:
        for name, frame in layers(engine, root, "train", keep, ("key_holders", "match_fields")):
            table = engine.table(frame)
            feather.write_feather(table, root / f"{name}.arrow", compression="uncompressed")
    return table, {}


def model(root: Path) -> tuple[pa.Table, dict[str, Any]]:
    """A model trained here and fitted to these accounts, kept in ROOT."""
    table = score.model(feather.read_table(root / "match_fields.arrow"), score.asked("train"))
    feather.write_feather(table, root / "model.arrow")
    made = json.loads(table["model"][0].as_py())
    used = len(made["settings"]["blocking_rules_to_generate_predictions"])
    return table, {"used": used, "too_wide": made["too_wide"]}


def scores(root: Path) -> dict[str, Any]:
    """Measure the layer match_scores, on tables that are in memory before the clock starts, as in a build."""
    tables = [
        feather.read_table(root / f"{n}.arrow", memory_map=False) for n in ("match_fields", "model", "key_holders")
    ]
    start, cpu = time.perf_counter(), time.process_time()
    found = score.scores(*tables)
    return kept(measures(start, cpu), root, "scores", found, {})


def declared(root: Path, name: str) -> tuple[pa.Table, dict[str, Any]]:
    """customer_identity by declared rules, on one engine."""
    with open_engine(name) as engine:
        for _, frame in layers(engine, root, "", {n: USED[n] for n in SOURCES}, ("customer_identity",)):
            batches = list(engine.batches(frame.select(SCHEMAS["identity"].names), KEYS["identity"]))
        table = pa.Table.from_batches(batches).select(SCHEMAS["identity"].names)
    return table.cast(SCHEMAS["identity"]), {}


def peer(root: Path) -> tuple[pa.Table, dict[str, Any]]:
    """The same by hand."""
    return peer_duckdb.identity(root / "data" / "raw", AS_OF).cast(SCHEMAS["identity"]), {}


def splink(root: Path) -> dict[str, Any]:
    """Measure plain Splink, on tables that are in memory before the clock starts."""
    held, made, holders = (
        feather.read_table(root / f"{n}.arrow", memory_map=False) for n in ("match_fields", "model", "key_holders")
    )
    settings = json.loads(made["model"][0].as_py())["settings"]
    start, cpu = time.perf_counter(), time.process_time()
    with prepare.prepared(held) as connection:
        linker = train.duckdb_linker(connection, "prepared", settings)
        found = linker.inference.predict(threshold_match_weight=MODEL_REVIEW_WEIGHT_MILLIBITS / 1000)
        taken = measures(start, cpu)
        connection.register("holders", holders)
        open_pairs = connection.sql(f"""
            select node_l as "left", node_r as "right", round(match_weight * 1000)::bigint as millibits
            from {found.physical_name} anti join (
                select a.node as node_l, b.node as node_r from holders a join holders b using (rule, root)
            ) using (node_l, node_r) order by place_l, place_r
        """).to_arrow_table()
    return kept(taken, root, "splink", open_pairs, {})


def measures(start: float, cpu: float) -> dict[str, float]:
    """What has been taken since."""
    taken = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    return {**taken, "megabytes": peak_megabytes()}


def kept(taken: dict[str, float], root: Path, name: str, table: pa.Table, told: dict[str, Any]) -> dict[str, Any]:
    """Keep what was found where the candidates of a group are compared."""
    if name in ("scores", "splink"):
        table = table.select(PAIR.names).cast(PAIR)
    if name not in ("fields", "model"):
        feather.write_feather(table, root / f"{name}.arrow", compression="uncompressed")
    return {**taken, "rows": len(table), "told": told}


def main(candidate: str, root: Path) -> None:
    """Print what was measured."""
    importlib.import_module("splink" if candidate in ("splink", "model", "scores") else "duckdb")
    importlib.import_module("polars")
    steps: dict[str, Callable[[Path], tuple[pa.Table, dict[str, Any]]]] = {
        "fields": fields,
        "model": model,
        "peer_duckdb": peer,
        "polars": partial(declared, name="polars"),
        "duckdb": partial(declared, name="duckdb"),
    }
    if candidate in ("splink", "scores"):
        print(json.dumps({"splink": splink, "scores": scores}[candidate](root)))
        return
    start, cpu = time.perf_counter(), time.process_time()
    table, told = steps[candidate](root)
    print(json.dumps(kept(measures(start, cpu), root, candidate, table, told)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
