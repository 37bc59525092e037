"""What runs LAYERS: plans backwards from the tables that are wanted, and frees each after its last use.

LAYERS says what a table is; HOW, beside it, says how a run makes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from c360lib.engines.base import Engine, Frame
from c360lib.errors import EngineError
from c360lib.identity.model import score
from c360lib.layers.layer import Layer, Moment, from_tables
from c360lib.layers.pipeline import LAYERS, PUBLISHED

Input = Frame | Callable[[], Frame] | None
KEPT, ON_DRIVER = "kept", "on_driver"
HOW = {  # a layer that several others read is computed once; for any other that is not here, its reader computes it
    **dict.fromkeys(("erased_directory", "review_keys", "live_people", "visits", "consent_latest"), KEPT),
    **dict.fromkeys(("model_asked", "identity_model", "match_scores", "refused", "accepted", "clusters"), ON_DRIVER),
    **dict.fromkeys(("erased_scores", "larger", "bridge_pairs", "identity_events", "identity_review_queue"), ON_DRIVER),
}
ON_CLUSTER = {"match_scores": from_tables(score.scores_on_spark)}  # what stands in for a layer where nothing is local


def run_layers(
    engine: Engine, inputs: Mapping[str, Input], at: Moment, targets: Iterable[str] = PUBLISHED
) -> Iterator[tuple[str, Frame]]:
    """Make the target tables, each as soon as it is ready, in the order of LAYERS; a frame is freed after its last use.

    `inputs` are frames of INPUTS, or functions that load them when they are first read; it may also give any layer its
    table, which then is not computed (what the full build blocks, for a slice). KeyError where an input is missing.
    """
    wanted = set(targets)
    plan = _plan(wanted, inputs)
    uses = Counter(name for layer in plan for name in layer.inputs) + Counter(wanted)
    held = _Held(engine, inputs, uses)
    for layer in plan:
        is_computed = uses[layer.name] > 1 or layer.name in HOW
        try:
            made = _made(engine, layer, at, is_computed, [held.frame(name) for name in layer.inputs])
        except engine.panics as error:
            raise EngineError(
                f"the engine broke in the layer {layer.name} ({str(error).splitlines()[0]}); this is a fault of the "
                "engine, not of your data: build with --engine duckdb, and please report it"
            ) from None
        is_free = is_computed or engine.frees_by_reference
        held.put(layer.name, made, () if is_free else layer.inputs)
        for name in layer.inputs if is_free else ():
            held.done_with(name)
        if layer.name in wanted:
            yield layer.name, made  # type: ignore[misc]
            del made  # or what it reads would be held while the next layers are made
            held.done_with(layer.name)


class _Held:
    """Frames that some layer still reads. Each is freed after its last use."""

    def __init__(self, engine: Engine, inputs: Mapping[str, Input], uses: Mapping[str, int]) -> None:
        self._engine = engine
        self._inputs = inputs
        self._uses = dict(uses)
        self._frames: dict[str, Frame | None] = {}
        self._reads: dict[str, tuple[str, ...]] = {}  # what a plan that is not computed yet still reads

    def frame(self, name: str) -> Frame | None:
        """The frame of that name; an input is loaded when it is first asked for."""
        if name not in self._frames:
            given = self._inputs[name]
            self._frames[name] = given() if callable(given) else given
        return self._frames[name]

    def put(self, name: str, frame: Frame | None, reads: tuple[str, ...]) -> None:
        """Hold a frame; `reads` are held until it is done with."""
        self._frames[name], self._reads[name] = frame, reads

    def done_with(self, name: str) -> None:
        """Count one use of a frame; after its last it is freed."""
        self._uses[name] -= 1
        if self._uses[name] <= 0:
            frame = self._frames.pop(name, None)
            if frame is not None:
                self._engine.release(frame)
            for read in self._reads.pop(name, ()):
                self.done_with(read)


def _plan(targets: set[str], given: Mapping[str, Input]) -> list[Layer]:
    """The layers that the targets need, in order; KeyError where one needs an input that is not given."""
    needed = set(targets)
    plan: list[Layer] = []
    for layer in reversed(LAYERS):
        if layer.name in needed and layer.name not in given:
            plan.append(layer)
            needed.update(layer.inputs)
    made = {layer.name for layer in plan}
    for name in (name for layer in reversed(plan) for name in layer.inputs):
        if name not in made:
            given[name]
    return plan[::-1]


def _made(engine: Engine, layer: Layer, at: Moment, is_computed: bool, frames: list[Frame | None]) -> Frame | None:
    if engine.is_cluster and layer.name in ON_CLUSTER:
        return engine.materialise(ON_CLUSTER[layer.name](at, *frames))
    if HOW.get(layer.name) == ON_DRIVER:
        table = layer.make(at, *(engine.table(frame) for frame in frames if frame is not None))
        return engine.load_table(table)
    made: Frame | None = layer.make(at, *frames)
    return engine.materialise(made) if made is not None and is_computed else made
