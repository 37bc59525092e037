"""LAYERS and what runs it: well formed, no more work than asked for, nothing held longer than needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from c360lib.engines.base import Engine, Frame
from c360lib.engines.open import open_engine
from c360lib.engines.polars import Polars
from c360lib.errors import EngineError, UsageError
from c360lib.layers import run
from c360lib.layers.layer import Layer, Moment
from c360lib.layers.pipeline import INPUTS, LAYERS, PUBLISHED
from c360lib.layers.run import HOW, ON_CLUSTER, run_layers
from c360lib.schemas import GOLD, RAW, SILVER
from tests.support import (
    AS_OF,
    FAST,
    Row,
    account,
    before,
    click,
    consent,
    decision,
    erasure,
    frames,
    made,
    order,
    seconds,
    ticket,
    touch,
)

BEFORE = {"crm:a": "P-crm:a", "crm:b": "P-crm:b", "crm:gone": "P-crm:gone", "crm:😀": "P-crm:é", "crm:é": "P-crm:é"}
AT = Moment(seconds(AS_OF), seconds(AS_OF))
ROWS = [
    account(
        "a",
        email="Ada@x.y",
        first_name="Ada",
        last_name="Ğül\u00a0",
        date_of_birth="1980-02-29",
        loyalty_id="L",
        country="NA",
    ),
    account("b", "2026-02-01", email="b@x.y", first_name="ADA", date_of_birth="1980-02-29", loyalty_id="l"),
    account("é", "2026-02-01", email="z@x.y"),
    account("😀", "2026-02-01", email="Z@x.y"),
    account("z", op="d"),
    account("x", lsn="?"),
    account("gone"),
    account("c", date_of_birth="1990-01-01"),
    erasure("r", "gone"),
    decision("crm:c", "crm:é", "cannot_link"),
    decision("crm:c", "crm:😀", "must_link"),
    order("1", "a", "150"),
    order("2", "b", "150", ordered="2025-01-01"),
    order("2", "b", "150", ordered="2025-01-01"),
    order("3", "nobody"),
    order("4", "a", "-1"),
    order("5", "c", lsn="1"),
    order("5", "", op="d", lsn="2", status="", cents="").but(currency=""),
    order("6", "gone"),
    order("7", "a", at="2026-07-09"),
    order("8", "a", "1"),
    order("8", "a", "2"),
    click("1", "2026-06-20T10:00:00Z", device="d"),
    click("é", "2026-06-20T10:10:00Z", "a", "d"),
    click("z", "2026-06-20T10:10:00Z", device="d"),
    click("2", "2026-06-20T10:40:01Z", device="d"),
    *(click(f"t{n}", "2026-06-21", who, "till") for n, who in enumerate(["a", "b", "é", "😀", "c", "z"])),
    click("t9", "2026-06-21T00:01:00Z", device="till"),
    ticket("1", email="ada@X.y", status="closed", resolved="2026-06-10", csat="4"),
    ticket("2", "c", csat="9"),
    ticket("3", email="z@x.y"),
    ticket("4", op="d"),
    touch("1", "a", "unsubscribed", at="2026-06-10"),
    touch("2", "c", "sent"),
    touch("3", "c", "?"),
    consent("1", "a", "granted", channel="any"),
    consent("2", "b", "granted", "2026-06-02", "analytics", expires="2026-06-30"),
    consent("3", "c", "maybe"),
    consent("4", "é", "granted", "2026-06-02"),
    consent("4", "é", "denied", "2026-06-01"),
    consent("5", "z", "granted"),
]


# --- the literal ------------------------------------------------------------------------------------------------------
def test_every_layer_comes_after_its_inputs() -> None:
    """Inputs are raw rows or tables that were made before; nothing is made twice or named like an input."""
    known = list(INPUTS)
    for layer in LAYERS:
        assert [] == [name for name in layer.inputs if name not in known]
        assert layer.name not in known
        known.append(layer.name)


def test_every_published_table_is_made_and_every_layer_is_needed() -> None:
    """Silver, gold and dispositions; a layer that leads to none of them is dead."""
    names = {layer.name for layer in LAYERS}
    assert set() == set(PUBLISHED) - names
    assert {*SILVER, *GOLD, "dispositions"} == set(PUBLISHED)
    assert names - set(PUBLISHED) == {name for layer in LAYERS for name in layer.inputs} & names - set(PUBLISHED)


def test_every_raw_source_is_an_input() -> None:
    """And what was found wrong with it, the steward's decisions, and what the release before tells."""
    of_sources = {f"{name}_{what}" for name in RAW for what in ("rows", "findings")}
    assert of_sources | {"decisions_rows", "profiles_before", "events_before"} == set(INPUTS)
    assert set(INPUTS) == {name for layer in LAYERS for name in layer.inputs} & set(INPUTS)


# --- the runner -------------------------------------------------------------------------------------------------------
class Watched(Polars):
    """The polars engine, with a record of the frames that it has computed and still holds."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[int, Frame] = {}
        self.most = 0
        self.made = 0

    def load_table(self, table: pa.Table) -> Frame:
        return self._noted(super().load_table(table))

    def materialise(self, frame: Frame) -> Frame:
        return self._noted(super().materialise(frame))

    def _noted(self, frame: Frame) -> Frame:
        self.made += 1
        self.held[id(frame)] = frame
        self.most = max(self.most, len(self.held))
        return frame

    def release(self, frame: Frame) -> None:
        self.held.pop(id(frame), None)  # or it was a plan, and nothing is held for it


def test_only_needed_layers_run() -> None:
    """Targets decide; inputs that they do not need may be absent."""
    rows = [account("a", "2026-01-01")]
    with Watched() as engine:
        inputs = {
            name: frame
            for name, frame in frames(engine, rows).items()
            if name in ("customers_rows", "erasure_requests_rows", "decisions_rows")
        }
        before = engine.made
        assert ["customer_identity"] == [name for name, _ in run_layers(engine, inputs, AT, ["customer_identity"])]
        assert engine.made - before < len(LAYERS) / 2


def test_a_layer_that_is_given_does_not_run() -> None:
    """Nor do the layers that only it needs."""
    rows = [account("a"), account("b")]
    with open_engine() as engine:
        [(_, first)] = run_layers(engine, frames(engine, rows), AT, ["customer_profile_base"])
        table = engine.table(first).sort_by("profile_id")
        [(name, given)] = run_layers(engine, {"profile_base": first}, AT, ["customer_profile_base"])
        assert ("customer_profile_base", table) == (name, engine.table(given).sort_by("profile_id"))


def test_targets_come_as_soon_as_they_are_ready_in_the_order_of_the_layers() -> None:
    """Whatever order they are asked for in, each once."""
    with open_engine() as engine:
        names = [
            name
            for name, _ in run_layers(engine, frames(engine, ROWS), AT, ["customer_360", "orders", "customer_identity"])
        ]
    order_of = [layer.name for layer in LAYERS]
    assert sorted(names, key=order_of.index) == names
    assert Counter(["customer_360", "orders", "customer_identity"]) == Counter(names)


def test_frames_are_released_after_their_last_use() -> None:
    """None is forgotten, and never are all of them held at once."""
    with Watched() as engine:
        for _ in run_layers(engine, frames(engine, ROWS), AT):
            pass
        assert {} == engine.held
        findings = len(RAW)  # a few rows each, held until all sources are judged
        assert engine.most - findings < (engine.made - findings) / 2


class Trial:
    """Layers and inputs of a test, given to the runner in place of the real ones: what was made, in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        self._monkeypatch = monkeypatch
        self._engine = open_engine(FAST)
        self._table = self._engine.load_table(pa.table({"n": [1]}))

    def step(self, name: str) -> Callable[..., Frame]:
        """A function that tells when it runs."""

        def do(*_: object) -> Frame:
            self.told.append(name)
            return self._table

        return do

    def run(self, layers: Sequence[Layer], inputs: dict[str, Any], targets: list[str]) -> list[str]:
        """The names that the runner gives."""
        self._monkeypatch.setattr(run, "LAYERS", tuple(layers))
        return [name for name, _ in run_layers(self._engine, inputs, AT, targets)]


def test_an_input_is_loaded_once_and_just_before_its_first_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that no target needs is not loaded."""
    trial = Trial(monkeypatch)
    inputs = {name: trial.step(name) for name in ("x", "y", "other")}
    layers = [
        Layer("of_x", trial.step("of_x"), ("x",)),
        Layer("of_both", trial.step("of_both"), ("x", "y")),
        Layer("idle", trial.step("idle"), ("other",)),
    ]
    assert ["of_both"] == trial.run(layers, inputs, ["of_both"])
    assert ["x", "y", "of_both"] == trial.told
    trial.told.clear()
    assert ["of_x", "of_both"] == trial.run(layers, inputs, ["of_both", "of_x"])
    assert ["x", "of_x", "y", "of_both"] == trial.told


def test_what_a_layer_raises_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was raised, and nothing that needs the layer begins; an input that is missing is told before all else."""
    trial = Trial(monkeypatch)

    def broken(*_: object) -> Frame:
        raise UsageError("broken on purpose")

    layers = [
        Layer("a", trial.step("a"), ()),
        Layer("b", broken, ("a",)),
        Layer("c", trial.step("c"), ("b",)),
    ]
    with pytest.raises(UsageError, match=r"^broken on purpose$"):
        trial.run(layers, {}, ["c"])
    assert ["a"] == trial.told
    with pytest.raises(KeyError, match="missing"):
        trial.run([*layers[:1], Layer("d", trial.step("d"), ("a", "missing"))], {}, ["d"])
    assert ["a"] == trial.told


def test_an_engine_that_breaks_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polars panics with what is no Exception; the layer is named, and another engine."""
    polars = pytest.importorskip("polars")

    def broken(*_: object) -> Frame:
        raise polars.exceptions.PanicException("called `Option::unwrap()` on a `None` value\nand more")

    with pytest.raises(EngineError, match=r"in the layer b \(called .* value\);.* --engine duckdb"):
        Trial(monkeypatch).run([Layer("b", broken, ())], {}, ["b"])


def test_an_unknown_engine_is_a_misuse() -> None:
    """The message names the choices."""
    with pytest.raises(UsageError, match="expected one of polars, duckdb, spark, got 'excel'"):
        open_engine("excel")
    with pytest.raises(UsageError, match="only the engine duckdb can keep one"):
        open_engine("polars", "1GB")


# --- one answer -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")  # not of the module: tests are run engine by engine, so it is left and entered again
def expected() -> dict[str, list[dict[str, Any]]]:
    """What polars gives."""
    with open_engine() as engine:
        return made(engine, ROWS, PUBLISHED, given=before(engine, BEFORE))


def unordered(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Tables whose rows stand in one order."""
    return {name: sorted(rows, key=str) for name, rows in tables.items()}


def test_every_engine_gives_the_same_tables(engine: Engine, expected: dict[str, list[dict[str, Any]]]) -> None:
    """To the last cell, on rows that hold one of everything."""
    assert unordered(expected) == unordered(made(engine, ROWS, PUBLISHED, given=before(engine, BEFORE)))


def test_the_rows_hold_one_of_everything(expected: dict[str, list[dict[str, Any]]]) -> None:
    """So that the comparison of engines compares something: no table is empty, no disposition is missing."""
    assert [] == [name for name, rows in expected.items() if not rows and name != "identity_review_queue"]
    assert {"current", "superseded", "duplicate", "quarantined", "not_yet", "erased"} == {
        row["disposition"] for row in expected["dispositions"]
    }


def test_batches_come_in_the_order_of_their_key(engine: Engine) -> None:
    """Text by code point, on every engine."""
    texts = ["z", "é", "Z", "😀", "\uffff", "a", "10", "9"]
    table = pa.table({"key": texts})
    frame = engine.load(table.schema, table.to_batches())
    assert sorted(texts) == [row["key"] for batch in engine.batches(frame, ["key"]) for row in batch.to_pylist()]


def test_tables_have_the_columns_and_types_of_the_contract_with_and_without_rows(engine: Engine) -> None:
    """One line that cannot be read, and one account that never did anything: most tables are empty, most cells null."""
    kinds = {
        "int": pa.int64(),
        "cents": pa.int64(),
        "ts": pa.int64(),
        "date": pa.int64(),
        "bool": pa.bool_(),
        "ratio": pa.float64(),
    }
    filled = []
    for name, frame in run_layers(
        engine, frames(engine, [Row("customers", {"_raw_base64": "eA=="}), account("a")]), AT
    ):
        table, schema = engine.table(frame), SILVER.get(name) or GOLD.get(name)
        filled += [name] if len(table) else []
        if schema is not None:
            late = {"quarantine": {"row"}, "field_issues": {"value"}}.get(
                name, set()
            )  # these come from bronze, on writing
            expected = {c.name: kinds.get(c.kind, pa.string()) for c in schema.columns if c.name not in late}
            assert (name, expected) == (
                name,
                {
                    c: _plain(t)
                    for c, t in zip(table.column_names, table.schema.types, strict=True)
                    if not c.startswith("_")  # a place in the order of the key; the writer leaves it out
                },
            )
    assert [
        "customer_identity",
        "customer_profile_base",
        "quarantine",
        "dispositions",
        "customer_360",
        "activation_candidates",
        "segment_summary",
        "customer_features",
        "customer_labels",
    ] == filled


def _plain(kind: pa.DataType) -> pa.DataType:
    """Engines have several kinds of text."""
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind


def test_how_a_layer_is_run_is_said_of_layers_alone() -> None:
    """Each name in the second literal is one of LAYERS, and nothing but the runner reads it."""
    assert set() == {*HOW, *ON_CLUSTER} - {layer.name for layer in LAYERS}
