"""Fresh copies of notebooks beside a learner's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360lib.course.copies import fresh_copy
from c360lib.errors import UsageError

pytest.importorskip("jupytext", reason="needs the extra `course`")


def test_a_copy_never_writes_over_a_learners_file(tmp_path: Path) -> None:
    """The second and third copies get names of their own; what was written stays."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "03_identity.ipynb").write_text("blank", encoding="utf-8")

    first = fresh_copy("03", home=tmp_path)
    first.write_text("mine", encoding="utf-8")
    others = [fresh_copy("3", home=tmp_path) for _ in range(2)]

    assert ["03_identity-2.ipynb", "03_identity-3.ipynb"] == [path.name for path in others]
    assert ["blank", "blank"] == [path.read_text(encoding="utf-8") for path in others]
    assert "mine" == first.read_text(encoding="utf-8")


def test_a_number_without_a_notebook_is_told(tmp_path: Path) -> None:
    """With the numbers that there are."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_start_here.ipynb").write_text("", encoding="utf-8")

    with pytest.raises(UsageError, match=r"no notebook '44' .*; there are 00"):
        fresh_copy("44", home=tmp_path)
