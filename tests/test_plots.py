"""Charts of matching: what is drawn is what was given, and thresholds stand where they are."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib", reason="needs the extra `course`")

import pandas as pd

from c360lib.course.charts import digest
from c360lib.plots import matching

POINTS = {"precision": [0.5, 0.9, 1.0], "recall": [1.0, 0.8, 0.6], "f1": [0.6667, 0.8471, 0.75]}


def test_a_threshold_curve_draws_three_shares_and_marks_both_thresholds() -> None:
    """Rows may come in any order; the lines go by weight, and the thresholds stand at their bits."""
    points = pd.DataFrame({"weight_bits": [0.0, 2.5, 5.0], **POINTS})
    axes = matching.threshold_curve(points.iloc[::-1], chosen=5.0, review=0.0)
    lines = {str(line.get_label()): line for line in axes.lines}
    assert [0.0, 2.5, 5.0] == list(lines["precision"].get_xdata())
    assert [POINTS[n] for n in ("precision", "recall", "f1")] == [
        list(lines[n].get_ydata()) for n in ("precision", "recall", "F1")
    ]
    assert ["link from 5 bits", "review from 0 bits"] == sorted(text.get_text() for text in axes.texts)
    assert [5.0, 0.0] == [line.get_xdata()[0] for line in axes.lines[3:]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "link threshold (match weight, bits)",
        "share of pairs of accounts (0 to 1)",
    )


def test_a_threshold_curve_without_thresholds_marks_none() -> None:
    """Only the three lines are drawn."""
    axes = matching.threshold_curve(pd.DataFrame({"weight_bits": [0.0, 2.5, 5.0], **POINTS}))
    assert (3, 0) == (len(axes.lines), len(axes.texts))
    assert not any("shapes" in line for line in digest(axes))


def test_f1_by_reviews_tells_the_first_and_the_last() -> None:
    """The axis counts answers; both ends of F1 are said in words."""
    axes = matching.f1_by_reviews(pd.DataFrame({"reviews": [0, 25, 50], **POINTS}))
    assert ["F1 0.6667 to 0.7500"] == [text.get_text() for text in axes.texts]
    assert [[0, 25, 50]] * 3 == [list(line.get_xdata()) for line in axes.lines]
    assert "pairs that a steward has answered (count)" == axes.get_xlabel()
