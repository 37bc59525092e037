"""Clusters beside a plain reading of the rules, components and bridges beside networkx, on random small graphs."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest

from c360lib.identity import clusters
from c360lib.identity.bridges import bridges
from c360lib.identity.clusters import MODEL, STEWARD

Pair = tuple[int, int]
ACCOUNTS, LIMIT = 9, 5
FEW_RULES = 3


class Edge(NamedTuple):
    """Evidence for a pair, left record_id the smaller; sorts from strongest to weakest, ties by record_ids."""

    rule: int
    lightness: int
    names: tuple[str, str]
    ends: Pair


class Graph:
    """Accounts with record_ids, birth dates and ages in no order of their nodes, and evidence of every kind."""

    def __init__(self, seed: int, is_bound: bool = True) -> None:
        draw = self.draw = random.Random(seed)
        self.nodes = sorted(draw.sample(range(100), ACCOUNTS))
        self.names = dict(zip(self.nodes, draw.sample([f"crm:{n:02}" for n in range(ACCOUNTS)], ACCOUNTS), strict=True))
        self.born = {node: draw.choice([None, None, 1, 1, 2]) if is_bound else None for node in self.nodes}
        self.seen = {node: draw.randrange(4) for node in self.nodes}
        self.keys: dict[tuple[int, int], list[int]] = {}
        for rule in range(FEW_RULES):  # of each rule an account holds one key at most
            found, size = draw.sample(self.nodes, 5), draw.choice([2, 3])
            self.keys |= {(rule, 0): sorted(found[:size]), (rule, 1): sorted(found[size:])}
        self.decided = {pair: not is_bound or draw.random() < 0.5 for pair in self.some_pairs(3)}
        self.weights = {pair: draw.choice([5_000, 6_000, 7_000]) for pair in self.some_pairs(5)}

    def some_pairs(self, count: int) -> list[Pair]:
        """Random pairs, left record_id the smaller."""
        found = (self.draw.sample(self.nodes, 2) for _ in range(count))
        return [(a, b) if self.names[a] < self.names[b] else (b, a) for a, b in found]

    def edges(self) -> list[Edge]:
        """All evidence, from strongest to weakest."""
        found = [(STEWARD, 0, pair) for pair, is_link in self.decided.items() if is_link]
        found += [(rule, 0, p) for (rule, _), held in self.keys.items() for p in combinations(held, 2)]
        found += [(MODEL, -weight, pair) for pair, weight in self.weights.items()]
        ordered = [(rule, light, sorted(p, key=self.names.__getitem__)) for rule, light, p in found]
        named = {Edge(r, light, (self.names[a], self.names[b]), (a, b)) for r, light, (a, b) in ordered}
        return sorted(named)

    def tables(self) -> tuple[pa.Table, pa.Table, pa.Table, pa.Table]:
        """The same as the layers give it, rows in any order."""
        holders = [
            {"rule": rule, "root": held[0], "node": node} for (rule, _), held in self.keys.items() for node in held
        ]
        linked = [
            {"node": n, "record_id": self.names[n], "date_of_birth": self.born[n], "first_event_ts": self.seen[n]}
            for n in self.nodes
        ]
        pairs = [{"left": a, "right": b, "is_link": is_link} for (a, b), is_link in self.decided.items()]
        scores = [
            {"left": a, "right": b, "is_link": True, "millibits": weight, "probability": 0.9}
            for (a, b), weight in self.weights.items()
        ]
        whole, text = pa.int64(), pa.string()
        kinds = {"record_id": text, "is_link": pa.bool_(), "probability": pa.float64()}

        def table(rows: list[dict[str, Any]]) -> pa.Table:
            schema = pa.schema([(name, kinds.get(name, whole)) for name in rows[0]])
            return pa.Table.from_pylist(self.draw.sample(rows, len(rows)), schema=schema)

        return table(holders), table(linked), table(pairs), table(scores)


def plainly(graph: Graph) -> tuple[list[set[int]], dict[Edge, str]]:
    """The parts, and why which edge is refused: must_link first, then declared rules, then the model; each edge against
    what is joined by then.
    """
    parts = [{node} for node in graph.nodes]
    refused: dict[Edge, str] = {}
    for edge in graph.edges():
        one, other = (next(part for part in parts if end in part) for end in edge.ends)
        if one is other:
            continue
        dates = [{graph.born[n] for n in part} - {None} for part in (one, other)]
        weighed = edge.rule == MODEL and None not in [graph.born[end] for end in edge.ends]
        if any(not is_link and len(one & set(p)) == len(other & set(p)) == 1 for p, is_link in graph.decided.items()):
            refused[edge] = "cannot_link"
        elif edge.rule != STEWARD and not weighed and dates[0] - dates[1] and dates[1] - dates[0]:
            refused[edge] = "two_birth_dates"
        elif edge.rule != STEWARD and len(one | other) > LIMIT:
            refused[edge] = "cluster_too_large"
        else:
            parts = [part for part in parts if part not in (one, other)] + [one | other]
    return parts, refused


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters of five accounts at most, so that small graphs meet the limit."""
    monkeypatch.setattr(clusters, "MAX_CLUSTER_ACCOUNTS", LIMIT)


def resolved(graph: Graph) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Refused edges, clusters and bridges, by the layers."""
    tables = graph.tables()
    refused = clusters.refused_edges(*tables)
    accepted = clusters.accepted(*tables, refused)
    linked, scores = tables[1], tables[3]
    return refused, clusters.clusters(accepted, linked, scores), clusters.bridge_pairs(accepted, linked)


@pytest.mark.usefixtures("small")
def test_clusters_and_refusals_are_those_of_a_plain_reading() -> None:
    """400 random graphs with keys, decisions, weighed pairs, dates and a limit; every reason occurs."""
    seen = set()
    for seed in range(400):
        graph = Graph(seed)
        parts, no = plainly(graph)
        refused, made, _ = resolved(graph)
        expected = {(edge.rule, *edge.ends, reason) for edge, reason in no.items()}
        assert (seed, expected) == (
            seed,
            {(r["rule"], r["left"], r["right"], r["reason"]) for r in refused.to_pylist()},
        )
        held = [edge for edge in graph.edges() if edge not in no]
        best = {n: min((e.rule for e in held if n in e.ends), default=None) for n in graph.nodes}
        oldest = {n: min(part, key=lambda m: (graph.seen[m], graph.names[m])) for part in parts for n in part}
        joined = {n: (oldest[n], rule) for n, rule in best.items() if rule is not None}
        assert (seed, joined) == (seed, {r["node"]: (r["person"], r["rule"]) for r in made.to_pylist()})
        seen |= {(edge.rule in (STEWARD, MODEL), reason) for edge, reason in no.items()}
    reasons = {"cannot_link", "two_birth_dates", "cluster_too_large"}
    assert {(special, reason) for special in (True, False) for reason in reasons} == seen


def test_without_constraints_persons_are_connected_components() -> None:
    """100 random graphs; nothing is refused."""
    for seed in range(100):
        graph = Graph(seed, is_bound=False)
        other = nx.Graph([edge.ends for edge in graph.edges()])
        refused, made, _ = resolved(graph)
        assert [] == refused.to_pylist()
        found: dict[int, set[int]] = {}
        for row in made.to_pylist():
            found.setdefault(row["person"], set()).add(row["node"])
        assert sorted(map(sorted, nx.connected_components(other))) == sorted(map(sorted, found.values()))


@pytest.mark.usefixtures("small")
def test_bridges_are_pairs_of_accepted_edges_without_which_a_person_falls_in_two() -> None:
    """As networkx finds them among distinct pairs, in both directions, whatever the order of rows."""
    count = 0
    for seed in range(400):
        graph = Graph(seed)
        no = plainly(graph)[1]
        expected = {frozenset(pair) for pair in nx.bridges(nx.Graph([e.ends for e in graph.edges() if e not in no]))}
        found = [(r["node"], r["other"]) for r in resolved(graph)[2].to_pylist()]
        assert (seed, expected) == (seed, {frozenset(pair) for pair in found})
        assert len(set(found)) == len(found) == 2 * len(expected)
        assert set(found) == {(r["node"], r["other"]) for r in resolved(graph)[2].to_pylist()}
        count += len(expected)
    assert count > 400


@pytest.mark.parametrize("edges", [0, 5, 20, 40, 80])
def test_bridges_of_random_graphs_are_those_of_a_graph_library(edges: int) -> None:
    """Sparse and dense; pairs that stand twice, either way round, are one edge, and a loop is none."""
    for seed in range(60):
        draw = np.random.default_rng(seed)
        left, right = draw.integers(0, 30, edges), draw.integers(0, 30, edges)
        pairs = list(zip(left.tolist(), right.tolist(), strict=True))
        other = nx.Graph([pair for pair in pairs if pair[0] != pair[1]])
        expected = {frozenset(pair) for pair in nx.bridges(other)}
        assert [frozenset(pair) in expected for pair in pairs] == bridges(30, left, right).tolist()


def test_a_long_chain_is_all_bridges_and_a_long_ring_has_none() -> None:
    """100,000 accounts in any order: no recursion, no limit."""
    order = np.random.default_rng(1).permutation(100_000)
    assert bridges(100_000, order[:-1], order[1:]).all()
    assert not bridges(100_000, order, np.roll(order, 1)).any()
