"""The core of gold as c360lib computes it: the layers of the product, on one engine, without writing files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import narwhals as nw
import pyarrow as pa

from bench.tables import KEYS, SCHEMAS
from c360lib import rules
from c360lib.engines.base import Engine, Frame
from c360lib.engines.kernels import with_columns_of
from c360lib.engines.open import open_engine
from c360lib.identity.erased import LARGER_SCHEMA
from c360lib.identity.model.score import SCORES_SCHEMA
from c360lib.layers.layer import Moment
from c360lib.layers.run import run_layers
from c360lib.sources import moments
from c360lib.sources.load import Loader
from c360lib.storage.workspace import Workspace

ARRIVAL = ("event_ts", "ingest_ts")
CHANGE = (*ARRIVAL, "op", "lsn")
PERSON = ("first_name", "last_name", "email", "phone", "date_of_birth", "street", "loyalty_id")
USED = {  # the columns that the core needs, as the peers read only what they need
    "customers": (*CHANGE, "source_system", "customer_id", *PERSON),
    "orders": (*CHANGE, "status", "ordered_ts", "currency", "net_amount_cents"),
    "clickstream": (*ARRIVAL, "event_id"),
    "support_tickets": (),
    "campaign_events": (*ARRIVAL, "event_id", "channel", "event_name"),
    "consent_events": (*ARRIVAL, "event_id", "purpose", "channel", "status", "expires_ts"),
    "erasure_requests": (*ARRIVAL, "request_id"),
}
LAYERS = ("live_people", "customer_identity", "value", "activity", "activation_candidates")


def core(root: Path, engine: str, as_of: str) -> dict[str, pa.Table]:
    """The four tables of `bench.tables.SCHEMAS`, from ROOT/data/raw."""
    sources = [name for name, columns in USED.items() if columns]
    with open_engine(engine) as runner:
        loader = Loader(runner, Workspace(root), keep=USED)
        inputs: dict[str, Callable[[], Frame] | Frame] = {
            f"{name}_rows": partial(loader.source, name) for name in sources
        }
        inputs["decisions_rows"] = loader.decisions
        for name in ("match_scores", "erased_scores"):  # declared rules alone, as in the peers
            inputs[name] = runner.load(SCORES_SCHEMA, iter(()))
        inputs["larger"] = runner.load(LARGER_SCHEMA, iter(()))  # nor do the peers know what an erasure leaves behind
        end = moments.end_of_day(as_of)
        frames: dict[str, Frame] = {}
        tables: dict[str, pa.Table] = {}
        for name, frame in run_layers(runner, inputs, Moment(end, end), LAYERS):
            if name == "live_people":
                frames[name] = frame
            elif name in ("value", "activity"):
                tables[name] = _table(runner, _of_everybody(frames["live_people"], frame), name)
            else:
                short = {"customer_identity": "identity", "activation_candidates": "consent"}[name]
                tables[short] = _table(runner, frame, short)
            del frame  # or what it reads would be held while the next layers are made
        return tables


def _of_everybody(live_people: Frame, measures: Frame) -> Frame:
    """Measures of every live person, in the order of profile_id; zero where there was nothing to count."""
    rows = with_columns_of(live_people, measures, "person")
    zeros = {"order_count", "lifetime_value_cents", "rfm_frequency", "rfm_monetary_cents", "sessions_30d", "events_30d"}
    names = rows.collect_schema().names()
    rows = rows.with_columns(nw.col(name).fill_null(0) for name in names if name in zeros)
    if "rfm_score" in names:
        rows = rows.with_columns(nw.col("rfm_score").fill_null(rules.RFM_SCORE_WITHOUT_ORDER))
    return rows


def _table(runner: Engine, frame: Frame, name: str) -> pa.Table:
    schema = SCHEMAS[name]
    batches = runner.batches(frame.select(schema.names), KEYS[name])
    return pa.concat_tables([schema.empty_table(), *(pa.Table.from_batches([b]).cast(schema) for b in batches)])
