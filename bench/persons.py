"""Accounts that share keys to persons, on integers. Both peers bring their own keys and finish here.

Accounts are numbered 0, 1, ... from the oldest to the youngest, so the smallest number of a cluster is its anchor.
A rule's keys come as `Holders`: the accounts of one key stand side by side.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from c360lib.rules import MAX_CLUSTER_ACCOUNTS
from c360lib.sources.nicknames import NICKNAMES

Ints = npt.NDArray[np.int64]
Edge = tuple[int, str, str, int, int]
NO_DATE = np.iinfo(np.int64).min
_TOO_MANY = np.iinfo(np.int64).max


class Holders(NamedTuple):
    """Accounts that hold a shared key of one rule: key i is held by members[starts[i]:starts[i] + sizes[i]]."""

    weight: int
    members: Ints
    starts: Ints
    sizes: Ints


@cache
def fold(text: str) -> str | None:
    """Compatibility form, case folded, trimmed, inner space single; nothing left is None.

    >>> fold(" Stra\\u00dfe\\u00a0 9 "), fold("  ")
    ('strasse 9', None)
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split()) or None


@cache
def formal_name(text: str) -> str | None:
    """A folded first name, a nickname as its formal name."""
    folded = fold(text)
    return FORMAL_NAMES.get(folded or "", folded)


FORMAL_NAMES = {fold(nick): fold(formal) for formal, nicks in NICKNAMES.items() for nick in nicks}


def anchors(rules: list[Holders], births: Ints, record_ids: Callable[[Ints], list[str]]) -> Ints:
    """For each account the oldest account of its person.

    `births` holds dates of birth as days, or NO_DATE;
    `record_ids` gives the ids of the few accounts whose order matters.
    """
    label = _spread(len(births), rules)
    torn = _torn(label, births)
    cut = np.flatnonzero(torn[label])
    if len(cut):
        ids = dict(zip(cut.tolist(), record_ids(cut), strict=True))
        _cut(label, _edges(rules, torn[label], ids), births, ids)
    return label


def _spread(count: int, rules: list[Holders]) -> Ints:
    """Smallest account of each component: keys pass the smallest number on until nothing changes."""
    label = np.arange(count)
    while rules:
        unsettled = []
        for rule in rules:
            seen = label[rule.members]
            least = np.repeat(np.minimum.reduceat(seen, rule.starts), rule.sizes)
            if (least != seen).any():
                label[rule.members] = least
                label[seen] = np.minimum(label[seen], label[rule.members])
                unsettled.append(rule)
        label = _jumped(label)
        rules = rules if unsettled else []
    return label


def _jumped(label: Ints) -> Ints:
    """Labels of labels, as far as they lead."""
    while True:
        further = label[label]
        if np.array_equal(further, label):
            return label
        label = further


def _torn(label: Ints, births: Ints) -> npt.NDArray[np.bool_]:
    """For each label whether its component holds two dates of birth or too many accounts."""
    low, high = np.full(len(label), _TOO_MANY), np.full(len(label), NO_DATE)
    np.minimum.at(low, label, np.where(births == NO_DATE, _TOO_MANY, births))
    np.maximum.at(high, label, births)
    return (high > low) | (np.bincount(label, minlength=len(label)) > MAX_CLUSTER_ACCOUNTS)


def _edges(
    rules: list[Holders], is_cut: npt.NDArray[np.bool_], ids: dict[int, str]
) -> list[tuple[int, str, str, int, int]]:
    """All pairs within each key of the accounts to cut, strongest first, then by the record_ids of the pair."""
    edges = []
    for rule in rules:
        for key in np.flatnonzero(is_cut[rule.members[rule.starts]]).tolist():
            start = rule.starts[key]
            for pair in combinations(rule.members[start : start + rule.sizes[key]].tolist(), 2):
                left, right = sorted(pair, key=ids.__getitem__)
                edges.append((-rule.weight, ids[left], ids[right], left, right))
    return sorted(edges)


def _cut(label: Ints, edges: list[Edge], births: Ints, ids: dict[int, str]) -> None:
    """Start again with every account of `ids` alone and join along the edges that no constraint refuses."""
    members = {account: [account] for account in ids}
    home = {account: account for account in ids}
    dates: dict[int, set[int]] = defaultdict(set)
    for account in ids:
        dates[account] = {int(births[account])} - {NO_DATE}
    for *_, left, right in edges:
        one, other = home[left], home[right]
        nested = dates[one] <= dates[other] or dates[other] <= dates[one]
        if one == other or not nested or len(members[one]) + len(members[other]) > MAX_CLUSTER_ACCOUNTS:
            continue
        for account in members[other]:
            home[account] = one
        members[one] += members.pop(other)
        dates[one] |= dates[other]
    for cluster in members.values():
        label[cluster] = min(cluster)
