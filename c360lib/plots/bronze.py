"""Charts of lesson 02: what careless reading changes, how rows arrive, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from c360lib.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, YELLOW, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# Colour and hatch of each disposition, in the order in which they are stacked.
_DISPOSITIONS = {
    "current": (BLUE, ""),
    "superseded": (SKY, "//"),
    "duplicate": (ORANGE, ".."),
    "quarantined": (VERMILION, "xx"),
    "not_yet": (YELLOW, "--"),
    "erased": (BLACK, ""),
}
_NARROW = 0.07  # a share of all rows too narrow to hold its number
_ROW_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, GREY)


def changed_by_reading(changed: pd.DataFrame) -> Axes:
    """How many cells each column loses when a file is read with guessed types.

    `changed` (source, column, cells), one row per column in which something changed.
    """
    axes = new_axes(
        "What read_csv changes in a file, without a word",
        "cells that are no longer what stood in the file (count, log scale)",
        "source and column",
        height=4.4,
    )
    rows = changed.sort_values(["cells", "source"], ascending=[True, False], kind="stable")
    names = [f"{source}: {column}" for source, column in zip(rows["source"], rows["column"], strict=True)]
    cells = rows["cells"].tolist()
    axes.barh(range(len(names)), cells, color=ORANGE, edgecolor=BLACK)
    for place, count in enumerate(cells):
        axes.annotate(f"{count:,}", (count, place), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set(xscale="log", xlim=(1, 20_000), yticks=range(len(names)))
    axes.set_yticklabels(names)
    axes.grid(visible=False, axis="y")
    return axes


def arrivals_by_day(by_day: pd.DataFrame) -> Axes:
    """Rows that arrived each day from each source: a strip of bars a source, each strip to its own scale.

    `by_day` (source, day, rows), one row per source and day with at least one row.
    """
    axes = new_axes(
        "Each source arrives in a rhythm of its own",
        "day of arrival (UTC)",
        "source; height: rows that day (count), own scale",
        width=9.0,
        height=4.6,
    )
    busiest = by_day.groupby("source")["rows"].max()
    names = by_day.groupby("source")["day"].count().sort_values(kind="stable").index.tolist()
    last = by_day["day"].max()
    for place, name in enumerate(names):
        rows, most = by_day[by_day["source"] == name], int(busiest[name])
        heights = [0.8 * n / most for n in rows["rows"].tolist()]
        axes.bar(rows["day"].tolist(), heights, bottom=place, width=0.9, color=_ROW_COLOURS[place % 6], label=name)
        told = f"busiest day: {most}"
        axes.annotate(told, (last, place), (10, 6), textcoords="offset points", va="center", fontsize=9)
    axes.set(yticks=range(len(names)), ylim=(-0.1, len(names)))
    axes.set_yticklabels([name.replace("_", " ") for name in names], va="bottom")
    axes.margins(x=0.01)
    axes.grid(visible=False, axis="x")
    return axes


def rows_by_disposition(became: pd.DataFrame) -> Axes:
    """What became of the rows of each source, as shares of its rows; small ones are spelled out beside the bar.

    `became` (source, disposition, rows), one row per source and disposition; the order of sources is that of the table.
    """
    axes = new_axes(
        "Every row has one disposition: change feeds carry their history, events do not",
        "share of the rows that came in (%)",
        "source and rows in",
        width=9.5,
        height=4.4,
    )
    sources = list(dict.fromkeys(became["source"]))
    counts = {
        (source, name): int(rows)
        for source, name, rows in zip(became["source"], became["disposition"], became["rows"], strict=True)
    }
    totals = [sum(counts.get((source, name), 0) for name in _DISPOSITIONS) for source in sources]
    left = [0.0] * len(sources)
    for name, (colour, hatch) in _DISPOSITIONS.items():
        rows = [counts.get((source, name), 0) for source in sources]
        if not any(rows):
            continue
        shares = [100 * n / total for n, total in zip(rows, totals, strict=True)]
        style: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "white"}
        axes.barh(range(len(sources)), shares, left=left, label=name.replace("_", " "), **style)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    for line, (source, total) in enumerate(zip(sources, totals, strict=True)):
        axes.annotate(_small(counts, source, total), (101, line), va="center", fontsize=9)
    axes.set(xlim=(0, 135), xticks=[0, 25, 50, 75, 100], yticks=range(len(sources)))
    axes.set_yticklabels([f"{s.replace('_', ' ')}: {n:,}" for s, n in zip(sources, totals, strict=True)])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=len(_DISPOSITIONS), frameon=False)
    return axes


def _small(counts: dict[tuple[str, str], int], source: str, total: int) -> str:
    """The dispositions of a source that are too narrow to be seen, with their counts."""
    rows = {name: counts.get((source, name), 0) for name in _DISPOSITIONS}
    return ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in rows.items() if 0 < n < _NARROW * total)
