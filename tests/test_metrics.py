"""Measures of identity against truth, beside what counting every pair and every account gives."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from c360lib.identity import metrics


def drawn(seed: int) -> tuple[list[int], list[int]]:
    """Two labels for each of up to 30 accounts."""
    draw = random.Random(seed)
    count = draw.randrange(1, 30)
    return [draw.randrange(8) for _ in range(count)], [draw.randrange(8) for _ in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_b_cubed_is_the_mean_over_accounts(seed: int) -> None:
    """For each account: the share of its profile that is its person, and of its person that is in its profile."""
    predicted, true = drawn(seed)
    every = range(len(predicted))
    shares = []
    for a in every:
        profile = {b for b in every if predicted[a] == predicted[b]}
        person = {b for b in every if true[a] == true[b]}
        shares.append((len(profile & person) / len(profile), len(profile & person) / len(person)))
    expected = tuple(sum(part) / len(shares) for part in zip(*shares, strict=True))
    assert pytest.approx(expected) == metrics.b_cubed(predicted, true)


@pytest.mark.parametrize("seed", range(20))
def test_over_and_under_merged_accounts_are_those_of_wrong_pairs(seed: int) -> None:
    """An account is over-merged where some pair of it is wrongly together, under-merged where one is wrongly apart."""
    predicted, true = drawn(seed)
    over, under = set(), set()
    for a, b in combinations(range(len(predicted)), 2):
        if predicted[a] == predicted[b] and true[a] != true[b]:
            over |= {a, b}
        if predicted[a] != predicted[b] and true[a] == true[b]:
            under |= {a, b}
    expected = {"twins": metrics.Wrong(len(predicted), len(over), len(under))}
    assert expected == metrics.by_hard_case(predicted, true, ["twins"] * len(predicted))


def test_f1_of_nothing_found_is_nothing() -> None:
    """No division by zero."""
    assert (0.0, 1.0) == (metrics.f1(0.0, 0.0), metrics.f1(1.0, 1.0))


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_link_what_weighs_as_much_or_more(seed: int) -> None:
    """Each threshold beside sets of pairs: linked, matches, and both."""
    draw = random.Random(seed)
    weights = [draw.randrange(-5, 20) / 2 for _ in range(40)]
    is_match = [draw.random() < 0.3 for _ in weights]
    matches = {n for n, match in enumerate(is_match) if match}
    for row in metrics.by_threshold(weights, is_match, [-10, 0, 4.5, 9.5, 100]):
        linked = {n for n, weight in enumerate(weights) if not weight < row.weight_bits}
        precision = len(linked & matches) / len(linked) if linked else 1.0
        recall = len(linked & matches) / len(matches) if matches else 1.0
        assert (len(linked), precision, recall) == (row.linked, row.precision, row.recall)
        assert metrics.f1(precision, recall) == row.f1
