"""Charts of lesson 07: measures against their thresholds, how old sources get, and what is left of a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from c360lib.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MARKS = {"pass": ("o", GREEN), "warn": ("^", ORANGE), "fail": ("X", VERMILION)}
_OVER = 120.0  # where a measure stands that allows nothing and found something, in percent
_YOUNGEST = 0.1  # hours: younger is drawn here, because a log scale has no nought
_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
_LINES = ((BLUE, "-"), (VERMILION, "--"), (BLACK, ":"))


def dashboard(report: pd.DataFrame) -> Axes:
    """Measures that have a threshold: how much of what is allowed is used up, with value and status in words.

    `report` (name, value, threshold, status), all text, as the quality report gives it; info rows are left out.
    """
    rows = report[report["status"] != "info"]
    axes = new_axes(
        "Left of the line is allowed; marks and words say the same",
        "used of what the threshold allows (%)",
        "measure",
        width=10.0,
        height=1.4 + 0.27 * len(rows),
    )
    cells = zip(*(rows[column].tolist() for column in ("value", "threshold", "status")), strict=True)
    places = [(place, _used(value, threshold), value, threshold) for place, (value, threshold, _) in enumerate(cells)]
    for status, (mark, colour) in _MARKS.items():
        found = [(used, place) for (place, used, _, _), s in zip(places, rows["status"], strict=True) if s == status]
        if found:
            x, y = zip(*found, strict=True)
            axes.scatter(x, y, s=80, marker=mark, color=colour, edgecolor=BLACK, zorder=3, label=status)
    for (place, _, value, threshold), status in zip(places, rows["status"], strict=True):
        axes.annotate(f"{status}: {value}, {threshold}", (130, place), va="center", fontsize=9, bbox=_BOX)
    axes.axvline(100, color=BLACK, linewidth=1.5, linestyle="--")
    axes.set(xlim=(-4, 200), xticks=[0, 25, 50, 75, 100, _OVER], yticks=range(len(rows)))
    axes.set_xticklabels(["0", "25", "50", "75", "100", "over"])
    axes.set_yticklabels([name.replace("_", " ") for name in rows["name"]], fontsize=9)
    axes.invert_yaxis()
    axes.legend(loc="upper center", bbox_to_anchor=(0.3, -0.6 / (0.6 + 0.27 * len(rows))), ncols=3, frameon=False)
    return axes


def _used(value: str, threshold: str) -> float:
    """The share of what is allowed that is used, in percent; `_OVER` at most.

    >>> _used("12", "at most 48"), _used("1", "at least 1"), _used("2", "exactly 0"), _used("colour", "none")
    (25.0, 0.0, 120.0, 120.0)
    """
    kind, _, limit = threshold.rpartition(" ")
    if not kind:
        return _OVER
    got, allowed = float(value), float(limit)
    if kind == "at least":
        return 0.0 if got >= allowed else _OVER
    if allowed == 0:
        return 0.0 if got == 0 else _OVER
    return min(_OVER, 100 * got / allowed)


def freshness(ages: pd.DataFrame, limits: pd.DataFrame) -> Axes:
    """How old each source was at the end of each day, and the threshold of its measure.

    `ages` (source, hours), one row per source and day; `limits` (source, hours), one row per source.
    """
    axes = new_axes(
        "A threshold stands well only beside the source's own history",
        "age at the end of a day (hours since the latest arrival, log scale; 0.1 or less at 0.1)",
        "source",
        width=9.0,
        height=4.6,
    )
    names = limits["source"].tolist()
    for place, name in enumerate(names):
        hours = ages.loc[ages["source"] == name, "hours"].tolist()
        heights = [place + 0.27 * ((37 * n) % 101 - 50) / 50 for n in range(len(hours))]  # spread, the same every time
        seen = [max(_YOUNGEST, h) for h in hours]
        label = "one day" if place == 0 else "_"
        axes.scatter(seen, heights, s=14, color=SKY, edgecolor=BLUE, linewidth=0.5, zorder=2, label=label)
    for place, (name, limit) in enumerate(zip(names, limits["hours"].tolist(), strict=True)):
        label = "threshold" if place == 0 else "_"
        axes.plot([limit, limit], [place - 0.38, place + 0.38], color=VERMILION, linewidth=3, zorder=3, label=label)
        days = int((ages.loc[ages["source"] == name, "hours"] > limit).sum())
        told = f"{limit:g} h; {days} days above"
        axes.annotate(told, (480, place), ha="left", va="center", fontsize=9, bbox=_BOX)
    axes.set(xscale="log", xlim=(0.08, 9_000), yticks=range(len(names)), xticks=[0.1, 1, 6, 24, 72, 168, 336])
    axes.set_xticklabels(["0.1", "1", "6", "24", "72", "168", "336"])
    axes.minorticks_off()
    axes.set_yticklabels([name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=2, frameon=False)
    return axes


def budget(left: pd.DataFrame) -> Axes:
    """Days of error budget that are left, day by day; below nought the promise is broken.

    `left` (name, day, days_left), one row per promise and day; a column of text, one of times, one of numbers.
    """
    axes = new_axes(
        "Each late day spends budget; below nought the promise is broken",
        "day (UTC)",
        "error budget left (days)",
        width=9.0,
        height=4.2,
    )
    for number, name in enumerate(dict.fromkeys(left["name"])):
        rows = left[left["name"] == name]
        colour, style = _LINES[number % len(_LINES)]
        days, values = rows["day"].tolist(), rows["days_left"].tolist()
        axes.step(days, values, where="post", color=colour, linestyle=style, linewidth=2, label=name)
        told = f"{values[-1]:+.1f}"
        axes.annotate(told, (days[-1], values[-1]), (6, 0), textcoords="offset points", va="center", fontsize=10)
    axes.axhline(0, color=GREY, linewidth=1.5)
    axes.annotate(
        "spent", (0.01, 0), (0, 4), xycoords=("axes fraction", "data"), textcoords="offset points", color=GREY
    )
    axes.legend(frameon=False, loc="upper right")
    axes.margins(x=0.06)
    return axes
