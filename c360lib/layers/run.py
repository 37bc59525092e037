"""What runs LAYERS: plans backwards from the tables that are wanted, and frees each after its last use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, NamedTuple

from c360lib.engines.base import Engine, Frame, Parts
from c360lib.layers.layer import Layer, Moment
from c360lib.layers.pipeline import LAYERS, PUBLISHED

Input = Frame | Callable[[], Frame] | None
_SHORT_SECONDS = 0.2  # a shorter step is mostly Python, where two threads only take turns


def run_layers(
    engine: Engine, inputs: Mapping[str, Input], at: Moment, targets: Iterable[str] = PUBLISHED
) -> Iterator[tuple[str, Frame | Parts]]:
    """Make the target tables, each as soon as it is ready, in the order of LAYERS; a frame is freed after its last use.

    A large one that no layer reads comes in parts, each made when it is asked for.

    `inputs` are frames of INPUTS, or functions that load them when they are first read; it may also give any layer its
    table, which then is not computed (what the full build blocks, for a slice). Where the engine can make several
    layers at once, a long one has another at its side that does not wait for it, or the next input is loaded meanwhile.
    """
    wanted = list(targets)
    run = _Run(engine, inputs, at, wanted)
    with engine.making(), _workers(engine.layers_at_once) as workers:
        for name in run.in_order(wanted):
            while name not in run.frames:
                run.go_on(workers)
            yield name, run.frames[name]  # type: ignore[misc]
            run.done_with(name)


class _Step(NamedTuple):
    """What is done in one go: an input is loaded, or a layer is made of the tables that it needs.

    `is_computed`: what it gives is no plan that would still read those tables.
    """

    name: str
    needs: tuple[str, ...]
    do: Callable[..., Frame | Parts | None]
    is_input: bool = False
    is_computed: bool = True


class _Run:
    """Layers in the making: steps to come, those going on, and the frames that somebody still reads."""

    def __init__(self, engine: Engine, inputs: Mapping[str, Input], at: Moment, wanted: list[str]) -> None:
        plan = _plan(wanted, inputs)
        self.frames: dict[str, Frame | Parts | None] = {
            name: frame for name, frame in inputs.items() if not callable(frame)
        }
        self._engine = engine
        self._uses = Counter(name for layer in plan for name in layer.inputs) + Counter(wanted)
        self._steps = self._to_do(plan, inputs, at)
        self._going_on: dict[Future[Frame | Parts | None], _Step] = {}
        self._read_through: dict[str, tuple[str, ...]] = {}  # what a frame that is not computed yet still reads
        self._unread: set[str] = set()  # inputs that are loaded, or being loaded, before their first layer

    def _to_do(self, plan: list[Layer], inputs: Mapping[str, Input], at: Moment) -> dict[str, _Step]:
        """Every layer of the plan, each input before the first that needs it; KeyError where one is not given."""
        steps: dict[str, _Step] = {}
        for layer in plan:
            for name in layer.inputs:
                given = inputs[name] if name in inputs else steps[name]
                if callable(given):
                    steps.setdefault(name, _Step(name, (), given, is_input=True))
            read_twice = layer.kept or (self._uses[layer.name] > 1 and not layer.view)
            make = partial(_made, self._engine, layer, at, read_twice)
            is_computed = read_twice or layer.on_driver or self._engine.frees_by_reference
            steps[layer.name] = _Step(layer.name, layer.inputs, make, is_computed=is_computed)
        return steps

    def in_order(self, wanted: list[str]) -> list[str]:
        """The targets in the order in which they are made."""
        return [name for name in self._steps if name in wanted]

    def go_on(self, workers: Executor) -> None:
        """Begin a step, and another if it takes long; wait until one is done; free what nobody will read any more."""
        done: set[Future[Frame | Parts | None]] = set()
        while not done:
            step = self._next() if len(self._going_on) < self._engine.layers_at_once else None
            if step is not None:
                self._begin(step, workers)
            done = wait(self._going_on, _SHORT_SECONDS if step else None, FIRST_COMPLETED).done
        for future in done:
            step = self._going_on.pop(future)
            self.frames[step.name] = future.result()
            if step.is_computed:
                for name in step.needs:
                    self.done_with(name)
            else:
                self._read_through[step.name] = step.needs

    def _begin(self, step: _Step, workers: Executor) -> None:
        del self._steps[step.name]
        self._unread.difference_update(step.needs)
        if step.is_input:
            self._unread.add(step.name)
        self._going_on[workers.submit(step.do, *(self.frames[name] for name in step.needs))] = step

    def _next(self) -> _Step | None:
        """The first step that waits for nothing. One input is loaded ahead of its layers: more would all be held."""
        for step in self._steps.values():
            is_too_early = step.is_input and self._unread and self._going_on
            if not is_too_early and all(name in self.frames for name in step.needs):
                return step
        return None

    def done_with(self, name: str) -> None:
        """Count one use of a frame; after its last it is freed."""
        self._uses[name] -= 1
        if self._uses[name] <= 0 and name in self.frames:
            frame = self.frames.pop(name)
            if frame is not None and not isinstance(frame, Iterator):
                self._engine.release(frame)
            for read in self._read_through.pop(name, ()):
                self.done_with(read)


class _Here(Executor):
    """Does what it is given at once, in the thread that gives it."""

    def submit(self, do: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(do(*args, **kwargs))
        return done


def _workers(count: int) -> Executor:
    return _Here() if count == 1 else ThreadPoolExecutor(count, "layer")


def _plan(targets: Iterable[str], given: Mapping[str, Any]) -> list[Layer]:
    """The layers that the targets need, in order."""
    needed = set(targets)
    plan = []
    for layer in reversed(LAYERS):
        if layer.name in needed and layer.name not in given:
            plan.append(layer)
            needed.update(layer.inputs)
    return plan[::-1]


def _made(engine: Engine, layer: Layer, at: Moment, read_twice: bool, *frames: Frame | None) -> Frame | Parts | None:
    if layer.on_spark and engine.is_cluster:
        return engine.materialise(layer.on_spark(at, *frames))
    if layer.on_driver:
        table = layer.make(at, *(engine.table(frame) for frame in frames if frame is not None))
        return engine.load_table(table)
    made: Frame | Parts | None = layer.make(at, *frames)
    if isinstance(made, Iterator):
        return (engine.settle(part, read_twice) for part in made)
    return None if made is None else engine.settle(made, read_twice)
