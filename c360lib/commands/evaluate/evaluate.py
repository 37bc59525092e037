"""Identity measured against the truth: how well, at which threshold, after how many reviews, and what mistakes cost.

The published release is measured as it stands. A threshold and a steward's answers are tried with the layers
themselves, run again on the release's bronze rows, so that there is no second definition of a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from c360lib import rules
from c360lib.commands.evaluate import costs
from c360lib.commands.evaluate.costs import Cost, Marts
from c360lib.commands.steward import CANNOT_LINK, MUST_LINK
from c360lib.engines.base import Engine
from c360lib.engines.open import open_engine
from c360lib.errors import UsageError
from c360lib.identity import metrics
from c360lib.identity.model import score
from c360lib.layers import measures
from c360lib.layers.layer import Moment
from c360lib.layers.run import run_layers
from c360lib.release import models, replay
from c360lib.release.models import model_asked
from c360lib.rules import DEFAULT_ENGINE
from c360lib.schemas import STEWARD, TRUTH
from c360lib.sources import load, moments, raw, typed
from c360lib.storage.files import read_csv, read_table
from c360lib.storage.workspace import Workspace

Pair = tuple[str, str]
REVIEW_STEP = 25
DEFAULT_REVIEWS = 200
CURVE_FROM_BITS = -5
_EVIDENCE = ("account_states", "key_holders", "match_fields", "identity_model")
# The queue shows what a person is worth; its order does not depend on it.
_NO_VALUE = pa.table({"person": pa.array([], pa.int64()), "lifetime_value_cents": pa.array([], pa.int64())})


class Accuracy(NamedTuple):
    """How well accounts are put together: counts of pairs, and B-cubed precision and recall."""

    pairs: metrics.Pairwise
    b_cubed: tuple[float, float]

    @classmethod
    def of(cls, predicted: Sequence[Any], true: Sequence[Any]) -> Accuracy:
        """From two labels for each account."""
        return cls(metrics.pairwise(predicted, true), metrics.b_cubed(predicted, true))

    @property
    def shares(self) -> dict[str, float]:
        """Pairwise precision, recall and f1, to six places."""
        p, r = self.pairs.precision, self.pairs.recall
        return {"precision": round(p, 6), "recall": round(r, 6), "f1": round(metrics.f1(p, r), 6)}


@dataclass
class Evaluation:
    """What was measured. `curve` has one row per threshold, `reviews` one per step; a note says why one is empty."""

    release: str
    as_of: str
    mode: str
    weighed: str
    counts: dict[str, int]
    accuracy: Accuracy
    by_case: dict[str, metrics.Wrong]
    curve: list[dict[str, float]] = field(default_factory=list)
    reviews: list[dict[str, float]] = field(default_factory=list)
    costs: tuple[list[Cost], list[Cost]] | None = None
    notes: dict[str, str] = field(default_factory=dict)


def evaluate(
    root: str | os.PathLike[str],
    engine: str = DEFAULT_ENGINE,
    identity: str | None = None,
    reviews: int = DEFAULT_REVIEWS,
    with_curve: bool = True,
    with_costs: bool = True,
) -> Evaluation:
    """Measure the published release against data/truth; UsageError where there is nothing to compare.

    `identity` weighs pairs in another way than the release was: its curve and reviews are then those that a build with
    it would begin with. `reviews` is how many pairs the steward answers.
    """
    workspace = Workspace(root)
    workspace.repair()
    manifest = workspace.manifest()
    known = _truth(workspace)
    identity_table = read_table(workspace.table_file("silver", "customer_identity"))
    found = _measured(workspace, manifest, identity_table, known, identity)
    person_of = {record_id: person for record_id, (person, _) in known.items()}
    with open_engine(engine) as runner:
        if with_curve or reviews:
            _try_out(found, runner, workspace, identity_table, person_of, identity, reviews, with_curve)
        if with_costs:
            found.costs = _costs(runner, workspace, identity_table, person_of)
    return found


# --- the release ------------------------------------------------------------------------------------------------------
def _truth(workspace: Workspace) -> dict[str, tuple[str, str | None]]:
    """The person and the hard case of each account, by record_id."""
    path = workspace.truth_file
    wanted = [name for name in TRUTH.column_names if name != "hard_case"]
    if not path.exists() or path.stat().st_size == 0:
        raise UsageError(
            f"{path}: {'empty' if path.exists() else 'not found'}; to evaluate identity it must be known who really is "
            f"who: expected a CSV file with {', '.join(wanted)} and hard_case (made-up data have one: `c360 run`)"
        )
    table = read_csv(path)
    lacking = [name for name in wanted if name not in table.column_names]
    if lacking:
        raise UsageError(f"{path}: expected the columns {', '.join(wanted)}, got none named {', '.join(lacking)}")
    cases = table["hard_case"].to_pylist() if "hard_case" in table.column_names else [""] * len(table)
    found: dict[str, tuple[str, str | None]] = {}
    for system, customer, person, case in zip(*(table[n].to_pylist() for n in wanted), cases, strict=True):
        record_id = f"{system}:{customer}"
        if found.get(record_id, (person, None))[0] != person:
            raise UsageError(f"{path}: {record_id}: expected one person, got {found[record_id][0]} and {person}")
        found[record_id] = (person, case or None)
    return found


def _measured(
    workspace: Workspace,
    manifest: Mapping[str, Any],
    identity: pa.Table,
    known: Mapping[str, tuple[str, str | None]],
    asked: str | None,
) -> Evaluation:
    """The published release against the truth, with nothing tried out yet."""
    profile_of = _profiles(identity)
    both = [record_id for record_id in profile_of if record_id in known]
    if not both:
        raise UsageError(
            f"{workspace.truth_file}: none of its {len(known):,} accounts is in release {manifest['release']}; "
            f"expected source_system and customer_id of data/raw/customers.csv, such as "
            f"{next(iter(profile_of), 'none').replace(':', ',')}; got {next(iter(known), 'none').replace(':', ',')}"
        )
    predicted, true = [profile_of[r] for r in both], [known[r][0] for r in both]
    counts = {
        "accounts of the release": len(profile_of),
        "of these, accounts in the truth": len(both),
        "profiles of these": len(set(predicted)),
        "true persons of these": len(set(true)),
    }
    mode = manifest.get("identity", {}).get("used", score.MODES[0])
    return Evaluation(
        release=manifest["release"],
        as_of=manifest["as_of"],
        mode=mode,
        weighed=asked or mode,
        counts=counts,
        accuracy=Accuracy.of(predicted, true),
        by_case=metrics.by_hard_case(predicted, true, [known[r][1] for r in both]),
    )


def _profiles(identity: pa.Table) -> dict[str, str]:
    return dict(zip(identity["record_id"].to_pylist(), identity["profile_id"].to_pylist(), strict=True))


# --- what would be ----------------------------------------------------------------------------------------------------
class Matching:
    """The evidence of a release, to be clustered again with another threshold or more decisions.

    `tables` are the layers of `_EVIDENCE` as Arrow tables, `decisions` typed rows of stewards. `scores` reach down to
    the lowest threshold; their is_link says that nothing personal speaks against the pair.
    """

    def __init__(
        self, engine: Engine, at: Moment, tables: Mapping[str, pa.Table], decisions: Sequence[pa.RecordBatch]
    ) -> None:
        self.engine, self.at, self.decisions = engine, at, decisions
        self.accounts, self.holders = tables["account_states"], tables["key_holders"]
        self.has_model = len(tables["identity_model"]) > 0
        lowest = CURVE_FROM_BITS * 1000
        self.scores = score.scores(
            tables["match_fields"], tables["identity_model"], self.holders, link_from=lowest, review_from=lowest
        )
        ids = zip(self.accounts["record_id"].to_pylist(), self.accounts["node"].to_pylist(), strict=True)
        self.nodes: dict[str, int] = dict(ids)

    def layers(
        self, targets: Sequence[str], link_from: int, more_decisions: Sequence[pa.RecordBatch] = ()
    ) -> dict[str, pa.Table]:
        """These layers with pairs linked from that weight on, in thousandths of a bit, and with more decisions."""
        scores = self.scores.filter(
            pc.greater_equal(self.scores["millibits"], min(link_from, rules.MODEL_REVIEW_WEIGHT_MILLIBITS))
        )
        is_link = pc.and_(scores["is_link"], pc.greater_equal(scores["millibits"], link_from))
        scores = scores.set_column(scores.column_names.index("is_link"), "is_link", is_link)
        given = {
            "account_states": self.accounts,
            "key_holders": self.holders,
            "match_scores": scores,
            "decisions_rows": pa.Table.from_batches([*self.decisions, *more_decisions], typed.typed_schema(STEWARD)),
            "value": _NO_VALUE,
        }
        frames = {name: self.engine.load_table(table) for name, table in given.items()}
        return {n: self.engine.table(frame) for n, frame in run_layers(self.engine, frames, self.at, targets)}

    def persons(self, clusters: pa.Table) -> dict[str, int]:
        """The person of every account by record_id, from the layer `clusters`."""
        rows = zip(clusters["node"].to_pylist(), clusters["person"].to_pylist(), strict=True)
        joined: dict[int, int] = dict(rows)
        return {record_id: joined.get(node, node) for record_id, node in self.nodes.items()}


def matching(engine: Engine, workspace: Workspace, asked: str) -> Matching:
    """The evidence of the published release, weighed by the model whose text is given; "" by declared rules alone."""
    at = replay.moment(workspace.manifest())
    frames = dict(replay.inputs(engine, workspace))
    frames["model_asked"] = lambda: engine.load_table(score.asked(asked))
    tables = {}
    for name, frame in run_layers(engine, frames, at, _EVIDENCE):
        tables[name] = engine.table(frame)
    return Matching(engine, at, tables, list(load.decisions(workspace.steward_file)))


def _try_out(
    found: Evaluation,
    engine: Engine,
    workspace: Workspace,
    identity: pa.Table,
    person_of: Mapping[str, str],
    asked: str | None,
    reviews: int,
    with_curve: bool,
) -> None:
    """Add the curve and the reviews, or why there are none."""
    if found.weighed == score.MODES[1] and not score.is_installed():
        if asked:
            raise UsageError("--identity probabilistic: Splink is not installed; install c360[identity]")
        found.notes["curve"] = found.notes["reviews"] = (
            "not measured: the release was matched by a model; to weigh its pairs again, install c360[identity]"
        )
        return
    text = models.model(workspace) if asked in (None, found.mode) else model_asked(workspace, asked or "")
    evidence = matching(engine, workspace, text)
    if found.weighed == found.mode:
        _refuse_changed(found, workspace, evidence, _profiles(identity))
    if not evidence.has_model:
        found.notes["curve"] = (
            "There is none: declared rules alone decided, and a rule has no threshold; "
            "`c360 evaluate --identity probabilistic` weighs the pairs now"
        )
    elif with_curve:
        found.curve = list(curve(evidence, person_of))
    if reviews:
        found.reviews, found.notes["reviews"] = reviewed(evidence, person_of, reviews)


def _refuse_changed(found: Evaluation, workspace: Workspace, evidence: Matching, profile_of: Mapping[str, str]) -> None:
    """What is tried out must begin where the release stands."""
    [clusters] = evidence.layers(["clusters"], rules.MODEL_LINK_WEIGHT_MILLIBITS).values()
    persons = evidence.persons(clusters)
    pairs = {(profile_of.get(record_id), person) for record_id, person in persons.items()}
    if not len(pairs) == len(set(profile_of.values())) == len(set(persons.values())):
        raise UsageError(
            f"{workspace.root}: decisions of stewards or rules have changed since release {found.release} was built, "
            "so its matching cannot be run again; run `c360 build` first (or `--reviews 0 --no-curve`)"
        )


def _accuracy(persons: Mapping[str, int], person_of: Mapping[str, str]) -> Accuracy:
    both = [record_id for record_id in persons if record_id in person_of]
    return Accuracy.of([persons[r] for r in both], [person_of[r] for r in both])


def curve(evidence: Matching, person_of: Mapping[str, str]) -> Iterator[dict[str, float]]:
    """For each whole bit of link threshold: how well accounts would be put together.

    The rows go from CURVE_FROM_BITS up to the first whole bit above every link, where declared rules stand alone.
    """
    links = evidence.scores.filter(evidence.scores["is_link"])["millibits"].to_pylist()
    shares: dict[str, float] = {}
    for bits in range(CURVE_FROM_BITS, max(links, default=0) // 1000 + 2):
        if not shares or any((bits - 1) * 1000 <= weight < bits * 1000 for weight in links):
            [clusters] = evidence.layers(["clusters"], bits * 1000).values()
            persons = evidence.persons(clusters)
            shares = {"profiles": len(set(persons.values())), **_accuracy(persons, person_of).shares}
        yield {"weight_bits": bits, **shares}


# --- a steward who knows ----------------------------------------------------------------------------------------------
def reviewed(evidence: Matching, person_of: Mapping[str, str], most: int) -> tuple[list[dict[str, float]], str]:
    """Accuracy after each step of REVIEW_STEP answers, and a sentence where the queue ends before `most` are given.

    The answers come from the truth, in the order of the queue, as decisions dated at as_of; after each step accounts
    are clustered and the queue is made again. A pair with an account that the truth does not name is passed over.
    """
    answers, answered = list[pa.RecordBatch](), set[Pair]()
    points = []
    while True:
        tables = evidence.layers(("clusters", "identity_review_queue"), rules.MODEL_LINK_WEIGHT_MILLIBITS, answers)
        accuracy = _accuracy(evidence.persons(tables["clusters"]), person_of)
        queue = [pair for pair in in_order(tables["identity_review_queue"]) if set(pair) <= person_of.keys()]
        queue = [pair for pair in queue if pair not in answered]
        points.append({"reviews": len(answered), "queue": len(queue), **accuracy.shares})
        step = queue[: min(REVIEW_STEP, most - len(answered))]
        if not step:
            break
        answered |= set(step)
        answers.append(_answers(step, person_of, evidence.at))
    told = f"the queue was empty after {len(answered)} of {most} answers" if len(answered) < most else ""
    return points, told


def in_order(queue: pa.Table) -> list[Pair]:
    """Pairs of the layer identity_review_queue, highest priority first; of several of two persons the first."""
    rows = sorted(queue.to_pylist(), key=lambda row: (-row["priority"], row["left_record_id"], row["right_record_id"]))
    asked: dict[frozenset[str], Pair] = {}
    for row in rows:
        persons = frozenset((row["left_profile_id"], row["right_profile_id"]))
        asked.setdefault(persons, (row["left_record_id"], row["right_record_id"]))
    return list(asked.values())


def _answers(pairs: Sequence[Pair], person_of: Mapping[str, str], at: Moment) -> pa.RecordBatch:
    """A steward's decisions on pairs, typed, dated at as_of."""
    left, right = ([pair[end] for pair in pairs] for end in (0, 1))
    right_answers = [MUST_LINK if person_of[a] == person_of[b] else CANNOT_LINK for a, b in pairs]
    told = {"left_record_id": left, "right_record_id": right, "decision": right_answers}
    told |= {"decided_ts": [moments.moment_text(at.as_of)] * len(pairs), "_raw_base64": [""] * len(pairs)}
    return typed.typed_rows(raw.numbered(pa.table(told)), STEWARD).rows


# --- what mistakes cost -----------------------------------------------------------------------------------------------
def _costs(
    engine: Engine, workspace: Workspace, identity: pa.Table, person_of: Mapping[str, str]
) -> tuple[list[Cost], list[Cost]]:
    """Bad and missed merges of the published release, from its marts and those of the true clustering."""
    at = replay.moment(workspace.manifest())
    [(_, made)] = run_layers(engine, replay.inputs(engine, workspace), at, ["account_states"])
    accounts = engine.table(made.select("node", "record_id", "first_event_ts"))
    persons = costs.whole_truth(_profiles(identity), person_of)
    true, cents_of = true_marts(engine, replay.inputs(engine, workspace), at, accounts, persons)
    return costs.costs(_published(workspace, identity), true, cents_of)


def true_marts(
    engine: Engine, inputs: Mapping[str, Any], at: Moment, accounts: pa.Table, persons: Mapping[str, str]
) -> tuple[Marts, dict[str, int]]:
    """The marts that the layers make once the true clusters are given, and the lifetime value of each account."""
    clusters = costs.true_clusters(accounts, persons)
    given = {**inputs, "clusters": engine.load_table(clusters)}
    targets = ("order_states", "customer_identity", "customer_360", "activation_candidates")
    made: dict[str, pa.Table] = {}
    for name, frame in run_layers(engine, given, at, targets):
        if name == "order_states":  # an account's own value is that of a person who has only this account
            frame = measures.value(frame.with_columns(person=nw.col("record_id")), as_of=at.as_of)
            frame = frame.select("person", "lifetime_value_cents")
        made[name] = engine.table(frame)
    cents_of = dict(
        zip(*(made["order_states"][n].to_pylist() for n in ("person", "lifetime_value_cents")), strict=True)
    )
    return Marts(made["customer_identity"], made["customer_360"], made["activation_candidates"]), cents_of


def _published(workspace: Workspace, identity: pa.Table) -> Marts:
    """The marts of the release."""
    customers = read_table(workspace.table_file("gold", "customer_360"), ["profile_id", *costs.SCORES])
    columns = ["profile_id", "purpose", "channel", "eligible", "identifier"]
    candidates = read_table(workspace.table_file("gold", "activation_candidates"), columns)
    return Marts(_with_truth_value(identity, "is_deleted"), customers, _with_truth_value(candidates, "eligible"))


def _with_truth_value(table: pa.Table, name: str) -> pa.Table:
    """The table with a column of `true` and `false` as truth values."""
    return table.set_column(table.column_names.index(name), name, pc.equal(table[name], "true"))
