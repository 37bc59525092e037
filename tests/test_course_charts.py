"""A chart beside its text, and that the text changes when the data do."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="needs the extra `course`")

from c360lib.course.charts import digest, show
from c360lib.plots.style import PALETTE, new_axes


def drawn(kind: str, last: float) -> list[str]:
    """The digest of a chart of some kind whose last value is given."""
    axes = new_axes("A title", "day", "orders")
    match kind:
        case "bars":
            axes.bar(["a", "b"], [1, last], label="orders")
        case "rows":
            axes.barh(["a", "b"], [1, last])
        case "line":
            axes.plot([1, 2], [1, last])
        case "marks":
            axes.scatter([1, 2], [1, last])
        case "image":
            axes.imshow([[1, last]])
        case "mesh":
            axes.pcolormesh([[1, last]])
    return list(digest(axes))


@pytest.mark.parametrize("kind", ["bars", "rows", "line", "marks", "image", "mesh"])
def test_another_value_gives_another_digest(kind: str) -> None:
    """Each kind of chart is covered, so a changed chart cannot pass a comparison."""
    assert drawn(kind, 2) == drawn(kind, 2)
    assert drawn(kind, 2) != drawn(kind, 3)
    assert 1 < len(drawn(kind, 2))


def test_a_digest_names_title_axes_and_series() -> None:
    """What a screen reader would want to say."""
    assert [
        "  A title | x: day | y: orders",
        "  bars orders: 2 bars, y 1 to 2, sum of y 3",
    ] == drawn("bars", 2)


def test_a_picture_carries_its_alt_text_and_nothing_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two pictures of the same data are the same bytes."""
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    for _ in range(2):
        axes = new_axes("A title", "day", "orders")
        axes.plot([1, 2], [3, 4], color=PALETTE[5])
        show(axes, alt="a line that rises")

    assert shown[0].png == shown[1].png
    assert b"Software" not in shown[0].png
    assert 'alt="a line that rises" src="data:image/png;base64,iVBOR' in shown[0]._repr_html_()
    assert "Chart: a line that rises\n  A title | x: day | y: orders\n" in repr(shown[0])
    assert "<details><summary>This chart as text</summary>" in shown[0]._repr_html_()
