"""LAYERS, the one definition of every table, and what runs it.

A layer is `(moment, tables) -> table`. The batch build, the incremental stream and Spark read the same literal.
Inputs of the first layers are typed rows of the raw sources, named `<source>_rows`, what was found wrong with them,
`<source>_findings`, the stewards' decisions, and who was who in the release published before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, NamedTuple

import narwhals as nw

from c360lib.engines.base import Engine, Frame, Parts
from c360lib.identity import clusters, deterministic, erased, evidence, history, review
from c360lib.identity.model import score
from c360lib.layers import carried, consent, gold, silver
from c360lib.rules import LABEL_WINDOW_DAYS, SECONDS_PER_DAY
from c360lib.schemas import GOLD, RAW, SILVER, Table


class Moment(NamedTuple):
    """What a layer may know of time, in seconds since 1970: the moment asked for, and how far the data reach."""

    as_of: int
    reach: int


class Layer(NamedTuple):
    """A table, the function that makes it and the tables that it takes.

    `on_driver`: it takes and gives Arrow tables instead of frames, but where `on_spark` makes it from frames of Spark.
    `kept`: it is computed once and kept, because the layers that take it read it more than once. `view`: cheap to make
    and not worth a copy, so that a lazy engine makes it within each layer that takes it.
    """

    name: str
    make: Callable[..., Any]
    inputs: tuple[str, ...]
    on_driver: bool = False
    kept: bool = False
    view: bool = False
    on_spark: Callable[..., Any] | None = None


def _of(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """A layer that looks at its tables only."""
    return lambda at, *tables: function(*tables, **fixed)


def _at(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """A layer that looks at its tables and at as_of."""
    return lambda at, *tables: function(*tables, as_of=at.as_of, **fixed)


def _source(name: str, directory: str = "directory") -> Layer:
    """The layer that gives every row of a raw source its disposition."""
    marked = _at(silver.marked, table=RAW[name])
    return Layer(f"{name}_marked", marked, (f"{name}_rows", directory), kept=RAW[name].is_cdc)


def _each_source(function: Callable[..., Frame]) -> Callable[..., Frame]:
    """A layer that tells the same of every source, of one table of each or several: all of a kind, then the next."""
    return lambda at, *tables: nw.concat(
        [function(*tables[number :: len(RAW)], table) for number, table in enumerate(RAW.values())]
    )


def _current(rows: Frame) -> Frame:
    return rows.filter(nw.col("disposition") == silver.CURRENT)


def _later_orders(at: Moment, rows: Frame, directory: Frame) -> Frame | None:
    """Orders as they will stand when the label window is over; None while the data do not reach that far."""
    later = at.as_of + LABEL_WINDOW_DAYS * SECONDS_PER_DAY
    if at.reach < later:
        return None
    return silver.states(silver.marked(rows, directory, RAW["orders"], later))


def _columns(rows: Frame, table: Table) -> Frame:
    return rows.select(table.column_names)


_MARKED = tuple(f"{source}_marked" for source in RAW)
_FINDINGS = tuple(f"{source}_findings" for source in RAW)

LAYERS: tuple[Layer, ...] = (
    # who is who
    Layer("erased", _at(silver.erased_accounts), ("erasure_requests_rows",)),
    Layer("erased_marked", _at(silver.erased_rows), ("customers_rows", "erased"), kept=True),
    Layer("erased_states", _of(silver.account_states), ("erased_marked",), kept=True),
    Layer("erased_doubts", _of(silver.doubts), ("erased_marked", "erased_states"), kept=True),
    _source("customers", "erased"),
    Layer("account_states", _of(silver.account_states), ("customers_marked",)),
    Layer("accounts", _of(silver.accounts), ("account_states",)),
    Layer("doubts", _of(silver.doubts), ("customers_marked", "account_states"), kept=True),
    Layer("steward_pairs", _at(deterministic.steward_pairs), ("decisions_rows", "accounts")),
    Layer("match_keys", _of(deterministic.match_keys), ("account_states",), view=True),
    Layer(
        "shared_keys",
        _of(deterministic.shared_keys),
        ("match_keys",),
        on_driver=True,
        on_spark=_of(deterministic.shared_keys_on_spark),
    ),
    Layer("blocked_identity_keys", _of(deterministic.blocked_keys), ("shared_keys", "match_keys")),
    Layer(
        "key_holders",
        _of(deterministic.key_holders),
        ("shared_keys", "match_keys", "blocked_identity_keys"),
        on_driver=True,
        on_spark=_of(deterministic.key_holders_on_spark),
    ),
    Layer("model_asked", _of(score.asked), (), on_driver=True),
    Layer("match_fields", _of(score.fields), ("account_states", "model_asked")),
    Layer("identity_model", _of(score.model), ("match_fields", "model_asked"), on_driver=True),
    Layer(
        "match_scores",
        _of(score.scores),
        ("match_fields", "identity_model", "key_holders"),
        on_driver=True,
        on_spark=_of(score.scores_on_spark),
    ),
    Layer("linked", _of(deterministic.linked_accounts), ("accounts", "key_holders", "steward_pairs", "match_scores")),
    Layer(
        "refused",
        _of(clusters.refused_edges),
        ("key_holders", "linked", "steward_pairs", "match_scores"),
        on_driver=True,
    ),
    Layer("review_keys", _of(review.keys), ("account_states", "refused", "match_scores"), kept=True),
    Layer(
        "clusters",
        _of(clusters.clusters),
        ("key_holders", "linked", "steward_pairs", "match_scores", "refused"),
        on_driver=True,
    ),
    # who is who with the accounts that are erased
    Layer("erased_pairs", _at(erased.pairs), ("decisions_rows", "accounts", "erased_states")),
    Layer("erased_fields", _of(erased.fields), ("match_fields", "erased_states", "model_asked")),
    Layer("erased_scores", _of(erased.scores), ("erased_fields", "erased_states", "identity_model"), on_driver=True),
    Layer("near_erased", _of(erased.near), ("account_states", "erased_states", "erased_pairs", "erased_scores")),
    Layer(
        "larger",
        _of(erased.larger),
        (
            *("near_erased", "erased_states", "blocked_identity_keys", "key_holders", "linked"),
            *("steward_pairs", "erased_pairs", "match_scores", "erased_scores"),
        ),
        on_driver=True,
    ),
    # who is who
    Layer("identified", _of(silver.identified), ("accounts", "clusters"), view=True),
    Layer("people", _of(silver.people), ("identified",)),
    Layer("live_people", _of(silver.live_people), ("people",), kept=True),
    Layer("directory", _of(silver.directory), ("identified", "erased", "doubts")),
    Layer("contacts", _of(consent.contacts), ("accounts", "doubts"), kept=True),
    Layer("erased_directory", _of(carried.directory), ("erased_states", "erased_doubts"), kept=True),
    Layer("erased_contacts", _of(consent.contacts), ("erased_states", "erased_doubts")),
    # what is published of that, at once, so that what it was found by is freed
    Layer("customer_identity", _of(evidence.customer_identity), ("identified", "people")),
    Layer(
        "bridge_pairs",
        _of(clusters.bridge_pairs),
        ("key_holders", "linked", "steward_pairs", "match_scores", "refused"),
        on_driver=True,
    ),
    Layer(
        "identity_edges",
        _of(evidence.edges),
        ("key_holders", "accounts", "steward_pairs", "match_scores", "refused", "bridge_pairs"),
    ),
    Layer("erased_ids", _of(history.erased_ids), ("erased", "erasure_requests_rows")),
    Layer(
        "identity_events",
        _at(history.identity_events),
        ("profiles_before", "events_before", "customer_identity", "identity_edges", "erased_ids"),
        on_driver=True,
    ),
    Layer("review_pairs", _of(review.pairs), ("refused", "match_scores", "clusters", "steward_pairs"), kept=True),
    # what they did and what they are worth, source by source, so that one is freed before the next is loaded
    _source("orders"),
    Layer("order_states", _of(silver.states), ("orders_marked",)),
    Layer("value", _at(gold.value), ("order_states",)),
    _source("clickstream"),
    Layer("shared_devices", _of(silver.shared_devices), ("clickstream_marked",)),
    Layer("blocked_devices", _of(silver.blocked_devices), ("shared_devices", "clickstream_marked")),
    Layer("visits", _of(silver.visits), ("clickstream_marked", "shared_devices"), kept=True),
    Layer("stitched", _of(silver.stitched), ("visits", "clickstream_marked")),
    Layer("activity", _at(gold.activity), ("stitched",)),
    _source("support_tickets"),
    Layer("tickets", _of(silver.assigned_tickets), ("support_tickets_marked", "identified")),
    Layer("support", _at(gold.support), ("tickets",)),
    _source("campaign_events"),
    Layer("campaign_touches", _of(_current), ("campaign_events_marked",)),
    _source("consent_events"),
    Layer("consent_choices", _of(_current), ("consent_events_marked",)),
    _source("erasure_requests"),
    # what they allow
    Layer("choices", _of(consent.choices), ("consent_events_marked", "campaign_events_marked"), kept=True),
    Layer("erased_choices", _at(carried.said), ("consent_events_rows", "campaign_events_rows", "erased_directory")),
    Layer("larger_choices", _of(carried.of_larger), ("larger", "choices", "erased_choices"), kept=True),
    Layer("larger_shut", _at(carried.shut), ("larger_choices", "contacts", "erased_contacts")),
    Layer("carried", _of(carried.carried), ("larger", "larger_choices", "identified")),
    Layer("held", _of(carried.held), ("larger", "larger_shut", "identified")),
    Layer("consent_spoken", lambda at, *said: consent.spoken(nw.concat(said)), ("choices", "carried"), kept=True),
    Layer("consent_latest", _of(consent.latest), ("consent_spoken",), kept=True),
    Layer("consent_overtaken", _of(consent.overtaken), ("consent_latest", "consent_spoken"), kept=True),
    Layer("consent_unreadable", _of(consent.unreadable), ("consent_spoken",), kept=True),
    Layer("consent_own", _at(consent.state), ("consent_latest", "consent_overtaken", "consent_unreadable")),
    Layer("consent_state", _of(consent.held_back), ("consent_own", "held")),
    Layer("consent_summary", _of(consent.summary), ("people", "consent_state")),
    # what is known of a person
    Layer("used", _of(gold.freshness), ("order_states", "stitched", "tickets", "campaign_touches", "consent_choices")),
    Layer("profile_base", _of(gold.profile_base), ("identified", "people")),
    Layer(
        "customers",
        _at(gold.customer_360),
        ("profile_base", "value", "activity", "support", "consent_summary", "used"),
    ),
    Layer("later_orders", _later_orders, ("orders_rows", "directory")),
    # what is published: silver
    Layer("customer_profile_base", _of(_columns, table=SILVER["customer_profile_base"]), ("profile_base",)),
    Layer("orders", _of(silver.conformed, table=SILVER["orders"]), ("order_states", "people")),
    Layer("clickstream", _of(silver.clickstream), ("clickstream_marked", "stitched", "people")),
    Layer("support_tickets", _of(silver.conformed, table=SILVER["support_tickets"]), ("tickets", "people")),
    Layer("campaign_events", _of(silver.conformed, table=SILVER["campaign_events"]), ("campaign_touches", "people")),
    Layer("consent_events", _of(silver.conformed, table=SILVER["consent_events"]), ("consent_choices", "people")),
    Layer(
        "erasure_requests",
        lambda at, rows: _columns(_current(rows), SILVER["erasure_requests"]),
        ("erasure_requests_marked",),
    ),
    Layer("review_records", _of(review.records), ("review_pairs", "review_keys", "identified", "people", "value")),
    Layer("identity_review_queue", _of(review.queue), ("review_pairs", "review_records"), on_driver=True),
    Layer("blocked_keys", lambda at, *tables: nw.concat(tables), ("blocked_identity_keys", "blocked_devices")),
    Layer("field_issues", _each_source(silver.field_issues), (*_MARKED, *_FINDINGS)),
    Layer("quarantine", _each_source(silver.quarantine), (*_MARKED, *_FINDINGS)),
    Layer("dispositions", _each_source(silver.dispositions), _MARKED),
    # what is published: gold
    Layer("customer_360", _of(_columns, table=GOLD["customer_360"]), ("customers",)),
    Layer("consent_slots", _of(consent.slots), (), on_driver=True),
    Layer(
        "activation_candidates",
        _at(consent.activation),
        ("live_people", "consent_slots", "consent_state", "contacts"),
    ),
    Layer("segment_summary", _of(gold.segment_summary), ("customers",)),
    Layer("customer_features", _of(gold.features), ("customers",)),
    Layer("customer_labels", _at(gold.labels), ("customers", "later_orders")),
)

Input = Frame | Callable[[], Frame] | None
INPUTS = (*(f"{source}_rows" for source in RAW), *_FINDINGS, "decisions_rows", "profiles_before", "events_before")
PUBLISHED = (*SILVER, *GOLD, "dispositions")
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
