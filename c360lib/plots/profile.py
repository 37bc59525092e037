"""Charts of lesson 04: what became of the rows, what is absent, and which account knew what when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.dates import AutoDateLocator, DateFormatter, date2num

from c360lib.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# disposition: colour, hatch
_DISPOSITIONS = {
    "current": (SKY, ""),
    "superseded": ("#d0d0d0", ""),
    "duplicate": (ORANGE, "//"),
    "erased": (PURPLE, ".."),
    "not_yet": (GREEN, "\\\\"),
    "quarantined": (VERMILION, "xx"),
}
_CHANGES = {"c": ("o", BLUE, "created"), "r": ("s", GREEN, "read from a snapshot"), "u": ("^", ORANGE, "updated")}


def dispositions(counts: pd.DataFrame) -> Axes:
    """What became of the rows of each source, as a share of its rows, with the counts of the small parts in words.

    `counts` (source, disposition, row_count), one row per source and disposition.
    """
    axes = new_axes(
        "Every row has one disposition: each bar is whole", "share of the source's rows (percent)", "source", 9.0, 4.6
    )
    totals = counts.groupby("source")["row_count"].sum().sort_values(kind="stable")
    names, sizes = totals.index.tolist(), totals.tolist()
    found = set(counts["disposition"].tolist())
    start = [0.0] * len(names)
    for name in [name for name in _DISPOSITIONS if name in found]:
        rows = counts[counts["disposition"] == name].set_index("source")["row_count"]
        parts = rows.reindex(names).fillna(0).tolist()
        shares = [100 * part / size for part, size in zip(parts, sizes, strict=True)]
        colour, hatch = _DISPOSITIONS[name]
        axes.barh(names, shares, left=start, color=colour, hatch=hatch, edgecolor=BLACK, linewidth=0.5, label=name)
        start = [before + share for before, share in zip(start, shares, strict=True)]
    for place, (name, size) in enumerate(zip(names, sizes, strict=True)):
        axes.annotate(_small_parts(counts, name, size), (101, place), va="center", fontsize=9)
    axes.set(xlim=(0, 142), xticks=range(0, 101, 20))
    axes.grid(visible=False, axis="y")
    axes.spines["bottom"].set_bounds(0, 100)
    figure: Any = axes.figure
    figure.legend(loc="outside lower center", ncols=len(found), frameon=False, fontsize=9)
    return axes


def _small_parts(counts: pd.DataFrame, source: str, size: int) -> str:
    """The size of a source and the counts of what is neither current nor superseded."""
    rows = counts[counts["source"] == source].set_index("disposition")["row_count"].to_dict()
    words = {"duplicate": "duplicate", "erased": "erased", "not_yet": "not yet", "quarantined": "quarantined"}
    parts = [f"{rows[name]} {words[name]}" for name in words if rows.get(name)]
    return "\n".join([f"{size:,} rows", ", ".join(parts)]) if parts else f"{size:,} rows"


def null_rates(rates: pd.DataFrame) -> Axes:
    """How often a column is null, for accounts and for the profiles made of them.

    `rates` (column, accounts, profiles), one row per column, both in percent.
    """
    axes = new_axes(
        "Several accounts of one person fill each other's gaps",
        "cells without a value (percent of rows)",
        "column",
        height=4.6,
    )
    rows = rates.sort_values(["accounts", "column"], kind="stable")
    places = range(len(rows))
    accounts, profiles = rows["accounts"].tolist(), rows["profiles"].tolist()
    axes.hlines(list(places), profiles, accounts, color=GREY, linewidth=2, zorder=1)
    axes.scatter(accounts, list(places), s=70, color=ORANGE, edgecolor=BLACK, marker="s", label="accounts", zorder=2)
    axes.scatter(profiles, list(places), s=70, color=BLUE, edgecolor=BLACK, marker="o", label="profiles", zorder=3)
    axes.set(xlim=(-2, 100), yticks=list(places), yticklabels=rows["column"].tolist())
    axes.legend(frameon=False, loc="lower right")
    return axes


def timeline(changes: pd.DataFrame, known: pd.DataFrame, as_of: pd.Timestamp, title: str) -> Axes:
    """The accounts of one person: when each changed (left), and what each knows now (right).

    `changes` (record_id, op, event_ts), one row per change; `known` (record_id and a bool column for each group of
    values), one row per account, the latest last.
    """
    names = known["record_id"].tolist()
    axes = new_axes(title, "time of the change (UTC)", "account", 10.0, 1.8 + 0.5 * len(names))
    figure: Any = axes.figure
    grid = figure.add_gridspec(1, 2, width_ratios=(3, 2))
    axes.set_subplotspec(grid[0])
    for op, rows in changes.groupby("op", sort=True):
        mark, colour, word = _CHANGES.get(str(op), ("D", VERMILION, "deleted"))
        days = [_day(moment) for moment in rows["event_ts"].tolist()]
        lanes = [names.index(name) for name in rows["record_id"].tolist()]
        axes.scatter(days, lanes, s=90, color=colour, marker=mark, edgecolor=BLACK, label=word, zorder=3)
    axes.axvline(_day(as_of), color=BLACK, linestyle=":", label="as_of")
    _date_axis(axes)
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(-0.6, len(names) - 0.4))
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    _known(figure.add_subplot(grid[1]), known)
    return axes


def _day(moment: pd.Timestamp) -> float:
    """A moment in days, as matplotlib counts them."""
    return float(date2num(moment))  # type: ignore[no-untyped-call]


def _date_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=7))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter("%b\n%Y"))  # type: ignore[no-untyped-call]


def _known(axes: Axes, known: pd.DataFrame) -> None:
    """A board of words: yes where the account knows the group, a dash where it does not."""
    groups = [str(name) for name in known.columns if name != "record_id"]
    cells = [[1 if known[name].tolist()[row] else 0 for name in groups] for row in range(len(known))]
    axes.imshow(cells, cmap="Blues", vmin=0, vmax=2.2, aspect="auto", origin="lower")
    for row, line in enumerate(cells):
        for column, is_known in enumerate(line):
            axes.annotate("yes" if is_known else "–", (column, row), ha="center", va="center", fontsize=10)
    axes.set(title="What it knows now", xlabel="group of values", xticks=range(len(groups)), yticks=[])
    axes.set_xticklabels([name.replace("_", "\n") for name in groups], fontsize=9)
    axes.set_ylim(-0.6, len(known) - 0.4)
    axes.spines[:].set_visible(False)
