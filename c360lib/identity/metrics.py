"""How well accounts were resolved, against the truth. The only reader of truth besides lessons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    pass


class Pairwise(NamedTuple):
    """Pairs of accounts put together: how many, how many truly belong together, and how many do so in truth."""

    predicted: int
    correct: int
    true: int

    @property
    def precision(self) -> float:
        """Share of predicted pairs that are right; 1 where nothing was predicted."""
        return self.correct / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """Share of true pairs that were found; 1 where there are none."""
        return self.correct / self.true if self.true else 1.0


def pairwise(predicted: Iterable[Hashable], true: Iterable[Hashable]) -> Pairwise:
    """Pairwise counts from two labels for each account, by counting groups instead of listing pairs.

    >>> pairwise(["a", "a", "b"], ["x", "x", "x"])
    Pairwise(predicted=1, correct=1, true=3)
    """
    both = list(zip(predicted, true, strict=True))
    return Pairwise(_pairs(p for p, _ in both), _pairs(both), _pairs(t for _, t in both))


def f1(precision: float, recall: float) -> float:
    """The harmonic mean of precision and recall; 0 where both are.

    >>> f1(1.0, 0.5)
    0.6666666666666666
    """
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


class AtThreshold(NamedTuple):
    """Scored pairs linked from a match weight on: how many, and precision and recall among the pairs scored."""

    weight_bits: float
    linked: int
    precision: float
    recall: float
    f1: float


def by_threshold(
    weights_bits: Sequence[float], is_match: Sequence[bool], thresholds_bits: Iterable[float]
) -> list[AtThreshold]:
    """What each threshold would link; recall is of the matches among the scored pairs, 1 where there are none.

    >>> by_threshold([1.0, 3.0, 5.0], [True, False, True], [0.0, 4.0])[1]
    AtThreshold(weight_bits=4.0, linked=1, precision=1.0, recall=0.5, f1=0.6666666666666666)
    """
    rows = list(zip(weights_bits, is_match, strict=True))
    matches = sum(match for _, match in rows)
    found = []
    for threshold in thresholds_bits:
        linked = [match for weight, match in rows if weight >= threshold]
        counts = Pairwise(len(linked), sum(linked), matches)
        both = counts.precision, counts.recall
        found.append(AtThreshold(threshold, len(linked), *both, f1(*both)))
    return found


def b_cubed(predicted: Sequence[Hashable], true: Sequence[Hashable]) -> tuple[float, float]:
    """B-cubed precision and recall (Bagga and Baldwin 1998): the mean over accounts, so that no large cluster rules.

    >>> b_cubed(["a", "a", "b", "b"], ["x", "x", "x", "x"])
    (1.0, 0.5)
    """
    size, truly = Counter(predicted), Counter(true)
    both = Counter(zip(predicted, true, strict=True))
    total = len(predicted) or 1
    precision = sum(n * n / size[p] for (p, _), n in both.items()) / total
    recall = sum(n * n / truly[t] for (_, t), n in both.items()) / total
    return precision, recall


class Wrong(NamedTuple):
    """Of the accounts of one hard case: how many, in a profile with another person, apart from their own person."""

    accounts: int
    over_merged: int
    under_merged: int


def by_hard_case(
    predicted: Sequence[Hashable], true: Sequence[Hashable], cases: Sequence[str | None]
) -> dict[str, Wrong]:
    """Over- and under-merged accounts for each hard case; "" is the easy ones.

    >>> by_hard_case(["a", "a", "b"], ["x", "y", "y"], ["twins", "twins", None])
    {'': Wrong(accounts=1, over_merged=0, under_merged=1), 'twins': Wrong(accounts=2, over_merged=2, under_merged=1)}
    """
    size, truly = Counter(predicted), Counter(true)
    both = Counter(zip(predicted, true, strict=True))
    found: dict[str, list[int]] = {}
    for p, t, case in zip(predicted, true, cases, strict=True):
        row = found.setdefault(case or "", [0, 0, 0])
        row[0] += 1
        row[1] += both[p, t] < size[p]
        row[2] += both[p, t] < truly[t]
    return {case: Wrong(*row) for case, row in sorted(found.items())}


def _pairs(labels: Iterable[Hashable]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())
