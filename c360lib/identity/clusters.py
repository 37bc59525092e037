"""Evidence to persons: connected components, cut where they would break a constraint.

Runs on the driver, on integers: three numbers for each shared key, so a million people need some tens of megabytes.
Only components that hold a conflict (two dates of birth, a cannot_link, too many accounts) are looked at edge by edge.

Tables, Arrow, as `deterministic` gives them:

- holders: (rule, root, node), who holds which key; `rule` counts from 0 (strongest), (rule, root) names the key
- linked: (node, record_id, date_of_birth, first_event_ts), every account that any evidence touches
- pairs: (left, right, is_link), steward decisions
- scores: (left, right, is_link, millibits, ...), pairs that the model weighed; weaker than every declared rule
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from c360lib.errors import IntegrityError
from c360lib.identity.bridges import bridges
from c360lib.rules import MATCH_RULES, MAX_CLUSTER_ACCOUNTS, MAX_LABEL_ROUNDS

STEWARD, MODEL = -1, len(MATCH_RULES)
_EDGE = ("rule", "left", "right")
_NEVER = np.iinfo(np.int64).max
Ints = npt.NDArray[np.int64]


class Edge(NamedTuple):
    """Evidence that two accounts are one person; sorts by strength, then by the record_ids of the pair.

    `lightness` is the weight that the model gave, negated; 0 for declared rules.
    """

    rule: int
    lightness: int
    left_record_id: str
    right_record_id: str
    root: int
    left: int
    right: int


def components(count: int, left: Ints, right: Ints) -> Ints:
    """The smallest member of each of `count` members' connected component.

    Each label that an edge joins to a smaller one follows it, then edges join labels: those within one label are done.

    >>> components(5, np.array([3, 3]), np.array([1, 4])).tolist()
    [0, 1, 2, 1, 1]
    """
    label = np.arange(count)
    for _ in range(MAX_LABEL_ROUNDS):
        apart = left != right
        if not apart.any():
            return label
        left, right = left[apart], right[apart]
        np.minimum.at(label, np.maximum(left, right), np.minimum(left, right))
        while (label != (further := label[label])).any():
            label = further
        left, right = label[left], label[right]
    raise IntegrityError(
        f"identity: labels did not settle in {MAX_LABEL_ROUNDS} rounds; a key links far too many accounts"
    )


def refused_edges(holders: pa.Table, linked: pa.Table, pairs: pa.Table, scores: pa.Table) -> pa.Table:
    """Edges that would break a constraint: (rule, root, left, right, reason), left record_id the smaller."""
    index = _Index(linked)
    rule, root, node = (index.numbers(holders, name) for name in ("rule", "root", "node"))
    must, cannot = index.pairs(pairs, True), index.pairs(pairs, False)
    weighed = index.links(scores)
    label = components(
        index.count, np.concatenate([node, must[0], weighed[0]]), np.concatenate([root, must[1], weighed[1]])
    )
    torn = _torn_components(label, index.whole("date_of_birth", _NEVER), cannot)
    in_torn = torn[label[node]]
    names, dates = (index.values(name, torn[label]) for name in ("record_id", "date_of_birth"))
    found = [(*pair, 0) for pair in _pairs_within_keys(rule[in_torn], root[in_torn], node[in_torn])]
    found += [(STEWARD, STEWARD, int(a), int(b), 0) for a, b in zip(*must, strict=True) if torn[label[a]]]
    found += [(MODEL, STEWARD, int(a), int(b), -int(w)) for a, b, w in zip(*weighed, strict=True) if torn[label[a]]]
    edges = sorted(_edge(*pair, names) for pair in found)
    refused = list(_refusals(edges, dates, zip(*cannot, strict=True)))
    rows = [(e.rule, e.root, e.left, e.right) for e, _ in refused]
    nodes = index.nodes
    return pa.table(
        {
            "rule": pa.array([r[0] for r in rows], pa.int64()),
            "root": pa.array([int(nodes[r[1]]) if r[1] >= 0 else STEWARD for r in rows], pa.int64()),
            "left": pa.array([int(nodes[r[2]]) for r in rows], pa.int64()),
            "right": pa.array([int(nodes[r[3]]) for r in rows], pa.int64()),
            "reason": pa.array([reason for _, reason in refused], pa.string()),
        }
    )


class _Index:
    """Nodes of `linked` as positions 0..count-1, with what the constraints need."""

    def __init__(self, linked: pa.Table) -> None:
        nodes = linked["node"].to_numpy()
        self._linked, self._order = linked, np.argsort(nodes)
        self.nodes: Ints = nodes[self._order]
        self.count = len(self.nodes)
        self._place = np.full(int(self.nodes.max(initial=0)) + 1, self.count)  # nodes are row numbers: no search
        self._place[self.nodes] = np.arange(self.count)

    def whole(self, name: str, absent: int) -> Ints:
        """A column of whole numbers by position."""
        values: Ints = self._linked[name].fill_null(absent).to_numpy()[self._order]
        return values

    def values(self, name: str, chosen: npt.NDArray[np.bool_]) -> dict[int, Any]:
        """The values of a column by position, of some accounts."""
        some = np.flatnonzero(chosen)
        return dict(zip(some.tolist(), self._linked[name].take(self._order[some]).to_pylist(), strict=True))

    def numbers(self, table: pa.Table, name: str) -> Ints:
        values: Ints = table[name].to_numpy().astype(np.int64, copy=False)
        return values if name == "rule" else self._place[values]

    def pairs(self, pairs: pa.Table, is_link: bool) -> tuple[Ints, Ints]:
        chosen = pairs.filter(pa.array(np.asarray(pairs["is_link"]) == is_link))
        return self.numbers(chosen, "left"), self.numbers(chosen, "right")

    def links(self, scores: pa.Table) -> tuple[Ints, Ints, Ints]:
        """Pairs in the link band, with their weight."""
        chosen = scores.filter(scores["is_link"])
        weight: Ints = chosen["millibits"].to_numpy().astype(np.int64)
        return self.numbers(chosen, "left"), self.numbers(chosen, "right"), weight


def _torn_components(label: Ints, known: Ints, cannot: tuple[Ints, Ints]) -> npt.NDArray[np.bool_]:
    """For each label, whether its component holds two dates, a forbidden pair or too many accounts."""
    count = len(label)
    low, high = np.full(count, _NEVER), np.full(count, -_NEVER)
    np.minimum.at(low, label, known)
    np.maximum.at(high, label, np.where(known == _NEVER, -_NEVER, known))
    torn = (high > low) | (np.bincount(label, minlength=count) > MAX_CLUSTER_ACCOUNTS)
    together = label[cannot[0]] == label[cannot[1]]
    torn[label[cannot[0][together]]] = True
    return torn


def _edge(rule: int, root: int, a: int, b: int, lightness: int, names: dict[int, str]) -> Edge:
    (left_id, left), (right_id, right) = sorted([(names[a], a), (names[b], b)])
    return Edge(rule, lightness, left_id, right_id, root, left, right)


def _pairs_within_keys(rule: Ints, root: Ints, node: Ints) -> Iterator[tuple[int, int, int, int]]:
    """All pairs of the holders of each key: (rule, root, left, right)."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for r, k, n in zip(rule.tolist(), root.tolist(), node.tolist(), strict=True):
        groups[r, k].append(n)
    for (r, k), members in groups.items():
        for a, b in combinations(members, 2):
            yield r, k, a, b


def _refusals(
    edges: Iterable[Edge], dates: dict[int, int | None], cannot: Iterable[tuple[int, int]]
) -> Iterator[tuple[Edge, str]]:
    """Add edges from strongest to weakest; give back each one that would break a constraint, with its reason."""
    forbidden: dict[int, set[int]] = defaultdict(set)
    for a, b in cannot:
        forbidden[int(a)].add(int(b))
        forbidden[int(b)].add(int(a))
    home: dict[int, int] = {}
    members: dict[int, set[int]] = {}
    births: dict[int, set[int]] = {}
    for edge in edges:
        for node in (edge.left, edge.right):
            if node not in home:
                born = dates[node]
                home[node], members[node], births[node] = node, {node}, set() if born is None else {born}
        one, other = home[edge.left], home[edge.right]
        if one == other:
            continue
        if len(members[one]) < len(members[other]):
            one, other = other, one
        may_join_dates = edge.rule == MODEL and None not in (dates[edge.left], dates[edge.right])
        known = (set(), set()) if may_join_dates else (births[one], births[other])
        reason = _broken_constraint(edge, members[one], members[other], *known, forbidden)
        if reason:
            yield edge, reason
            continue
        for node in members[other]:
            home[node] = one
        members[one] |= members.pop(other)
        births[one] |= births.pop(other)


def _broken_constraint(
    edge: Edge, one: set[int], other: set[int], births: set[int], more_births: set[int], forbidden: dict[int, set[int]]
) -> str:
    """The constraint that joining two clusters would break; empty: none. A steward may join dates and sizes;
    the model two dates that it weighed against each other itself (the caller then gives none).
    """
    if any(forbidden.get(node, set()) & one for node in other):
        return "cannot_link"
    if edge.rule == STEWARD:
        return ""
    if not (births <= more_births or more_births <= births):
        return "two_birth_dates"
    return "cluster_too_large" if len(one) + len(other) > MAX_CLUSTER_ACCOUNTS else ""


def accepted(holders: pa.Table, linked: pa.Table, pairs: pa.Table, scores: pa.Table, refused: pa.Table) -> pa.Table:
    """Evidence that holds: (rule, one, other, is_key), nodes.

    Whole keys as they are, `one` the root that names the key and `other` a holder; and pairs: the remaining ones of
    each key that was cut, links of stewards and of the model.
    """
    index = _Index(linked)
    rule, root, node = (index.numbers(holders, name) for name in ("rule", "root", "node"))
    is_key = ~np.isin(refused["rule"].to_numpy(), (STEWARD, MODEL))
    keys = refused.filter(pa.array(is_key))
    cut_keys = index.numbers(keys, "rule") * index.count + index.numbers(keys, "root")
    cut = np.isin(rule * index.count + root, cut_keys)
    left = [(r, a, b) for r, _, a, b in _pairs_within_keys(rule[cut], root[cut], node[cut])]
    left += [(STEWARD, int(a), int(b)) for a, b in zip(*index.pairs(pairs, True), strict=True)]
    left += [(MODEL, int(a), int(b)) for a, b, _ in zip(*index.links(scores), strict=True)]
    no = {(r, *sorted(p)) for r, *p in zip(*(index.numbers(refused, n).tolist() for n in _EDGE), strict=True)}
    ends = np.array([p for p in left if (p[0], *sorted(p[1:])) not in no], dtype=np.int64).reshape(-1, 3)
    return pa.table(
        {
            "rule": np.concatenate([rule[~cut], ends[:, 0]]),
            "one": index.nodes[np.concatenate([root[~cut], ends[:, 1]])],
            "other": index.nodes[np.concatenate([node[~cut], ends[:, 2]])],
            "is_key": np.repeat([True, False], [int((~cut).sum()), len(ends)]),
        }
    )


def clusters(accepted: pa.Table, linked: pa.Table, scores: pa.Table) -> pa.Table:
    """Accounts that are not alone: (node, person, rule, probability).

    `person` is the node of the oldest account of the cluster, by (first_event_ts, record_id); `rule` the strongest
    accepted evidence for the account; `probability` the highest that the model gave to a link of it, 1 where none.
    """
    index = _Index(linked)
    rule, left, right = (index.numbers(accepted, name) for name in ("rule", "one", "other"))
    rule, left, right = (part[left != right] for part in (rule, left, right))  # the root of a key holds it too
    label = components(index.count, left, right)
    person = _oldest(label, index)
    best = np.full(index.count, _NEVER)
    for end in (left, right):
        np.minimum.at(best, end, rule)
    joined = best < _NEVER
    probability = _probability(scores, index)
    return pa.table(
        {
            "node": index.nodes[joined],
            "person": index.nodes[person[label[joined]]],
            "rule": best[joined],
            "probability": probability[joined],
        }
    )


def _probability(scores: pa.Table, index: _Index) -> npt.NDArray[np.float64]:
    """The highest probability of a link of the model, for each account."""
    highest = np.zeros(index.count)
    chosen = scores.filter(scores["is_link"])
    for end in ("left", "right"):
        np.maximum.at(highest, index.numbers(chosen, end), chosen["probability"].to_numpy())
    return np.where(highest > 0, highest, 1.0)


def bridge_pairs(accepted: pa.Table, linked: pa.Table) -> pa.Table:
    """Pairs of accounts that alone hold two parts of their person together: (node, other), both ways round.

    Evidence of several rules for one pair is one edge. Of a whole key that three accounts or more hold, a ring stands
    for all pairs: it has no bridge either.
    """
    index = _Index(linked)
    is_key = np.asarray(accepted["is_key"])
    rule, one, other = (index.numbers(accepted, name) for name in ("rule", "one", "other"))
    from_, to = _rings(rule[is_key], one[is_key], other[is_key])
    left, right = np.concatenate([one[~is_key], from_]), np.concatenate([other[~is_key], to])
    alone = bridges(index.count, left, right)
    left, right = left[alone], right[alone]
    low, high = index.nodes[np.unique(np.sort([left, right], axis=0), axis=1)]
    return pa.table({"node": np.concatenate([low, high]), "other": np.concatenate([high, low])})


def _rings(rule: Ints, root: Ints, node: Ints) -> tuple[Ints, Ints]:
    """Each holder of a key with the next one, the last with the first."""
    order = np.lexsort((node, root, rule))
    rule, root, node = rule[order], root[order], node[order]
    last = np.ones(len(node), bool)
    last[:-1] = (rule[1:] != rule[:-1]) | (root[1:] != root[:-1])
    first = node[np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])] if len(node) else node
    after = np.roll(node, -1)
    after[last] = first
    return node, after


def _oldest(label: Ints, index: _Index) -> Ints:
    """For each label the position of its oldest account; record_ids are looked at only where times are equal."""
    first = index.whole("first_event_ts", _NEVER)
    earliest = np.full(index.count, _NEVER)
    np.minimum.at(earliest, label, first)
    candidates = np.flatnonzero(first == earliest[label])
    oldest = np.full(index.count, -1)
    oldest[label[candidates]] = candidates
    is_tied = np.zeros(index.count, bool)
    is_tied[candidates] = (np.bincount(label[candidates], minlength=index.count) > 1)[label[candidates]]
    names = index.values("record_id", is_tied)
    for position in sorted(names, key=names.__getitem__, reverse=True):
        oldest[label[position]] = position
    return oldest
