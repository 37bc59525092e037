"""Charts of evidence and of merges: each bar stands where its value says, with its name and number."""

from __future__ import annotations

import pandas as pd
import pytest

pytest.importorskip("matplotlib", reason="needs the extra `course`")

from c360lib.plots import identity


def test_a_waterfall_ends_at_the_sum_of_its_parts() -> None:
    """Each bar begins where the one before it ended; the last is the sum, and every bar is named and numbered."""
    parts = pd.DataFrame({"finding": ["prior", "same phone", "different e-mail"], "bits": [-10.0, 14.5, -4.0]})
    axes = identity.waterfall(parts, "A and B")
    bars = sorted((round(p.get_y() + p.get_height() / 2), p.get_x(), p.get_width()) for p in axes.patches)
    assert [(0, 0.0, -10.0), (1, -10.0, 14.5), (2, 4.5, -4.0), (3, 0, 0.5)] == bars
    assert ["prior", "same phone", "different e-mail", "match weight"] == [
        text.get_text() for text in axes.get_yticklabels()
    ]
    assert ["-10.0", "+14.5", "-4.0", "+0.5"] == [text.get_text() for text in axes.texts]
    assert "A and B: +0.5 bits" == axes.get_title()


def test_value_by_stage_has_a_bar_for_each_profile_that_is_there() -> None:
    """A profile that is gone at a stage has no bar there."""
    rows = [("before", "P-a", 10.0, "new"), ("before", "P-b", 5.0, "loyal"), ("merged", "P-b", 15.0, "champion")]
    axes = identity.value_by_stage(pd.DataFrame(rows, columns=["stage", "profile_id", "euros", "note"]))
    assert [10.0, 5.0, 15.0] == [patch.get_height() for patch in axes.patches]
    assert ["before", "merged"] == [text.get_text() for text in axes.get_xticklabels()]
    assert "15.00\nchampion" == axes.texts[-1].get_text()
