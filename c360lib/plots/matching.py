"""Charts of matching measured against truth: what a threshold does, and what a steward's answers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from c360lib.plots.style import BLACK, BLUE, GREEN, GREY, SKY, VERMILION, new_axes

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

_SERIES = (("precision", BLUE, "-", "o"), ("recall", VERMILION, "--", "s"), ("f1", BLACK, ":", "^"))
_NAMES = {"precision": "precision", "recall": "recall", "f1": "F1"}
_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}


def threshold_curve(points: pd.DataFrame, chosen: float | None = None, review: float | None = None) -> Axes:
    """Precision, recall and F1 of the profiles that each link threshold would give.

    `points` (weight_bits, precision, recall, f1), one row per threshold, the shares from 0 to 1. `chosen` is the
    threshold in use and `review` the weight from which a pair is shown to a steward, both in bits.
    """
    axes = new_axes(
        "What each link threshold would find, and how much of it is right",
        "link threshold (match weight, bits)",
        "share of pairs of accounts (0 to 1)",
        9.0,
        4.6,
    )
    rows = points.sort_values("weight_bits", kind="stable")
    _draw(axes, rows, "weight_bits")
    if chosen is not None and review is not None:
        axes.axvspan(review, chosen, color=SKY, alpha=0.18, label="review band: a steward decides")
    for at, word, colour in ((chosen, "link from", GREEN), (review, "review from", GREY)):
        if at is not None:
            axes.axvline(at, color=colour, linewidth=2, linestyle="-." if word == "link from" else (0, (1, 1)))
            told = f"{word} {at:g} bits"
            axes.annotate(
                told,
                (at, 0.03),
                (5, 0),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                rotation=90,
                fontsize=9,
                bbox=_BOX,
            )
    _add_legend(axes)
    return axes


def f1_by_reviews(points: pd.DataFrame) -> Axes:
    """Precision, recall and F1 of the profiles after so many answers of a steward.

    `points` (reviews, precision, recall, f1), one row per step, the shares from 0 to 1; reviews count from the first.
    """
    axes = new_axes(
        "What a steward's answers to the review queue add",
        "pairs that a steward has answered (count)",
        "share of pairs of accounts (0 to 1)",
        9.0,
        4.6,
    )
    rows = points.sort_values("reviews", kind="stable")
    _draw(axes, rows, "reviews")
    first, last = rows["f1"].iloc[0], rows["f1"].iloc[-1]
    at = rows["reviews"].iloc[-1]
    axes.annotate(
        f"F1 {first:.4f} to {last:.4f}",
        (at, last),
        (-4, -14),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=10,
        bbox=_BOX,
    )
    _add_legend(axes)
    return axes


def save(axes: Axes, path: Path) -> None:
    """Write the figure of some axes as a PNG that depends on nothing but what is drawn."""
    figure: Any = axes.figure
    figure.savefig(path, format="png", dpi=110, metadata={"Software": None})


def _draw(axes: Axes, rows: pd.DataFrame, x: str) -> None:
    """The three shares as lines with marks, on an axis that begins a little below the least of them."""
    for name, colour, style, mark in _SERIES:
        axes.plot(
            rows[x].tolist(),
            rows[name].tolist(),
            linestyle=style,
            color=colour,
            marker=mark,
            markersize=5,
            linewidth=2,
            label=_NAMES[name],
        )
    least = float(rows[["precision", "recall", "f1"]].min().min())
    room = max(1 - least, 0.002)
    axes.set_ylim(max(0.0, least - 0.15 * room), 1 + 0.05 * room)
    axes.ticklabel_format(axis="y", useOffset=False)


def _add_legend(axes: Axes) -> None:
    """The legend below the axes, where no line can run into it."""
    figure: Any = axes.figure
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
