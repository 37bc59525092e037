"""Charts of lesson 00: the map of the product, from people to who may be reached, and whom a join loses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.colors import to_rgba
from matplotlib.patches import FancyBboxPatch

from c360lib.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDE, _HIGH, _STEP = 2.3, 0.74, 2.9
_EDGES = (GREY, ORANGE, BLUE, GREEN, PURPLE)


def product_map(layers: pd.DataFrame) -> Axes:
    """The tables of each layer as boxes with their rows, layers from left to right.

    `layers` (layer, table, rows), one row per table, layers in the order of the flow.
    """
    axes = new_axes(
        "The product's map: rows flow from left to right, and nothing flows back",
        "layer, with its rows in all",
        "",
        width=11.0,
        height=5.6,
    )
    names = list(dict.fromkeys(layers["layer"]))
    tallest = int(layers.groupby("layer").size().max())
    labels = []
    for number, name in enumerate(names):
        part = layers[layers["layer"] == name]
        labels.append(f"{name}\n{int(part['rows'].sum()):,} rows")
        top = (tallest + len(part)) / 2 - 1
        for place, (table, rows) in enumerate(zip(part["table"], part["rows"], strict=True)):
            _box(axes, number * _STEP, top - place, f"{table}\n{rows:,} rows", _EDGES[number % len(_EDGES)])
        if number:
            x = number * _STEP - _STEP / 2
            tip, tail = (x + 0.26, tallest / 2 - 0.5), (x - 0.26, tallest / 2 - 0.5)
            axes.annotate("", tip, tail, arrowprops={"arrowstyle": "-|>", "color": BLACK, "lw": 2})
    axes.set(xlim=(-_WIDE / 2 - 0.2, (len(names) - 1) * _STEP + _WIDE / 2 + 0.2), ylim=(-0.6, tallest - 0.4), yticks=[])
    axes.set_xticks([number * _STEP for number, _ in enumerate(names)], labels)
    axes.tick_params(axis="x", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.grid(visible=False)
    return axes


def _box(axes: Axes, x: float, y: float, text: str, edge: str) -> None:
    corner = (x - _WIDE / 2, y - _HIGH / 2)
    box = FancyBboxPatch(corner, _WIDE, _HIGH, boxstyle="round,pad=0.02", edgecolor=edge, linewidth=1.6)
    box.set_facecolor(to_rgba(edge, 0.12))
    axes.add_patch(box)
    axes.annotate(text, (x, y), ha="center", va="center", fontsize=8)


def from_accounts_to_reach(steps: pd.DataFrame) -> Axes:
    """How many are left at each step, as bars from top to bottom.

    `steps` (step, count), one row per step, first step first.
    """
    axes = new_axes(
        "Most people you know are not people you may write to",
        "accounts or people (count)",
        "step",
        width=8.6,
    )
    names, counts = steps["step"].tolist(), steps["count"].tolist()
    places = list(range(len(names)))
    axes.barh(places, counts, color=SKY, edgecolor=BLACK)
    for place, count in zip(places, counts, strict=True):
        axes.annotate(f"{count:,}", (count, place), (6, 0), textcoords="offset points", va="center")
    axes.set_yticks(places, names)
    axes.set_xlim(0, max(counts) * 1.12)
    axes.invert_yaxis()
    return axes


def lost_by_join(by_segment: pd.DataFrame) -> Axes:
    """People of each segment, those that an inner join with orders keeps and those that it loses.

    `by_segment` (segment, kept, lost), one row per segment.
    """
    axes = new_axes(
        "An inner join with orders loses four prospects in five",
        "people (count)",
        "segment",
        width=8.6,
    )
    rows = by_segment.sort_values(["lost", "kept", "segment"], ascending=[False, False, True])
    names, kept, lost = (rows[name].tolist() for name in ("segment", "kept", "lost"))
    places = list(range(len(names)))
    axes.barh(places, kept, color=SKY, edgecolor=BLACK, label="kept")
    axes.barh(places, lost, left=kept, color=VERMILION, edgecolor=BLACK, hatch="//", label="lost")
    for place, (stay, gone) in enumerate(zip(kept, lost, strict=True)):
        text = f"{stay} kept, {gone} lost" if gone else f"{stay} kept"
        axes.annotate(text, (stay + gone, place), (6, 0), textcoords="offset points", va="center")
    axes.set_yticks(places, [name.replace("_", " ") for name in names])
    axes.set_xlim(0, max(a + b for a, b in zip(kept, lost, strict=True)) * 1.22)
    axes.invert_yaxis()
    axes.legend(loc="lower right", frameon=False)
    return axes
