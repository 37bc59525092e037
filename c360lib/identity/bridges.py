"""Bridges of a graph: edges that alone hold two parts of a connected component together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_PEELINGS = 16


def bridges(count: int, left: Ints, right: Ints) -> Flags:
    """For each edge between two of `count` nodes, whether taking the pair apart splits its component.

    Edges that join the same pair are one edge; an edge from a node to itself holds nothing together.

    >>> bridges(4, np.array([0, 1, 2, 3]), np.array([1, 2, 0, 0])).tolist()
    [False, False, False, True]
    """
    low, high = np.minimum(left, right), np.maximum(left, right)
    pairs, edge_of = np.unique(low * max(count, 1) + high, return_inverse=True)
    one, other = pairs // max(count, 1), pairs % max(count, 1)
    open_edges = one != other
    found = _dangling(count, one, other, open_edges)
    rest = np.flatnonzero(open_edges & ~found)
    found[rest[_unlooped(one[rest], other[rest])]] = True
    answer: Flags = found[edge_of.reshape(-1)]
    return answer


def _dangling(count: int, one: Ints, other: Ints, open_edges: Flags) -> Flags:
    """Edges to a node that no other edge reaches, peeled off a few times over; most clusters are gone after one."""
    found = np.zeros(len(one), bool)
    for _ in range(_PEELINGS):
        left = np.flatnonzero(open_edges & ~found)
        degree = np.bincount(np.concatenate([one[left], other[left]]), minlength=count)
        ends = left[(degree[one[left]] == 1) | (degree[other[left]] == 1)]
        if not len(ends):
            break
        found[ends] = True
    return found


def _unlooped(one: Ints, other: Ints) -> list[int]:
    """Indices of the bridges among distinct edges: a walk in depth, on a stack of its own.

    A component whose nodes all have two edges is a ring, without bridges; most are, and no walk starts there.
    `low` is the earliest visited node that the nodes below can reach without the edge they were entered by (Tarjan).
    """
    nodes, ends = np.unique(np.concatenate([one, other]), return_inverse=True)
    edge = np.tile(np.arange(len(one)), 2)
    order = np.argsort(ends, kind="stable")
    begin = np.searchsorted(ends[order], np.arange(len(nodes) + 1))
    starts = np.flatnonzero(np.diff(begin) != 2).tolist()
    begin = begin.tolist()
    far, by = np.roll(ends, len(one))[order].tolist(), edge[order].tolist()
    visited, low = [-1] * len(nodes), [0] * len(nodes)
    at, clock, found = begin[:-1], 0, []
    for start in starts:
        if visited[start] >= 0:
            continue
        visited[start] = low[start] = clock
        clock += 1
        path = [(start, -1)]
        while path:
            node, entered_by = path[-1]
            if at[node] < begin[node + 1]:
                step = at[node]
                at[node] += 1
                if by[step] == entered_by:
                    continue
                reached = far[step]
                if visited[reached] < 0:
                    visited[reached] = low[reached] = clock
                    clock += 1
                    path.append((reached, by[step]))
                else:
                    low[node] = min(low[node], visited[reached])
                continue
            path.pop()
            if path:
                above = path[-1][0]
                low[above] = min(low[above], low[node])
                if low[node] > visited[above]:
                    found.append(entered_by)
    return found
