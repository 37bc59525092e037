"""How well accounts were resolved, against the truth. The only reader of truth besides lessons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from c360lib.quality import Measure


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


def _pairs(labels: Iterable[Hashable]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())


def measures(accounts: pa.Table, truth: pa.Table) -> list[Measure]:
    """Precision and recall of (record_id, profile_id) against truth, as rows of the quality report."""
    from c360lib.quality import INFO, Measure

    known = pa.table(
        {
            "record_id": pc.binary_join_element_wise(truth["source_system"], truth["customer_id"], ":"),
            "person_id": truth["person_id"],
        }
    )
    joined = accounts.join(known, "record_id", join_type="inner")
    counts = pairwise(joined["profile_id"].to_pylist(), joined["person_id"].to_pylist())
    return [
        Measure(
            "identity_pairwise_precision",
            f"{counts.precision:.6f}",
            "",
            INFO,
            f"pairs of accounts put together that are one person: {counts.correct} of {counts.predicted}",
        ),
        Measure(
            "identity_pairwise_recall",
            f"{counts.recall:.6f}",
            "",
            INFO,
            f"pairs of accounts of one person that were put together: {counts.correct} of {counts.true}",
        ),
    ]
