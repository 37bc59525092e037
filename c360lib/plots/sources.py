"""Charts of lesson 01: how long rows travel, which clock says what, and changes that overtake each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from c360lib.plots.style import BLACK, BLUE, GREY, ORANGE, SKY, VERMILION, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_EDGES = [1, 2, 4, 8, 15, 30, _MINUTE, 120, 240, 480, 900, 1_800, _HOUR]
_EDGES += [hours * _HOUR for hours in (2, 4, 8, 16, 32, 64, 128, 256)]
_TICKS = {1: "1 s", _MINUTE: "1 min", _HOUR: "1 h", _DAY: "1 day", 7 * _DAY: "1 week"}
_MARKS = {"on time": (".", GREY, 18), "late": ("^", VERMILION, 36), "delivered again": ("D", BLUE, 26)}


def lag_histogram(lags: pd.DataFrame) -> Axes:
    """How many rows took how long to arrive, both on a log scale.

    `lags` (lag_seconds), one row per raw row; rows whose source clock ran ahead (0 or less) and those that took more
    than ten days are left out.
    """
    axes = new_axes(
        "Most rows arrive within four minutes, a few only after days",
        "time from happening to arrival (seconds to days, log scale)",
        "rows (count, log scale)",
        width=8.6,
    )
    seconds = lags["lag_seconds"].tolist()
    counts = [sum(low < lag <= high for lag in seconds) for low, high in zip([0, *_EDGES], _EDGES, strict=False)]
    lows = [0.5, *_EDGES[:-1]]
    late = [low >= 2 * _HOUR for low in lows]
    for is_late, colour, hatch, label in ((False, SKY, "", "within 2 hours"), (True, ORANGE, "//", "after 2 hours")):
        bars = [bar for bar, flag in zip(zip(lows, _EDGES, counts, strict=True), late, strict=True) if flag == is_late]
        left, right, height = (list(values) for values in zip(*bars, strict=True))
        width = [high - low for low, high in zip(left, right, strict=True)]
        axes.bar(left, height, width=width, align="edge", color=colour, hatch=hatch, edgecolor=BLACK, label=label)
    axes.set(xscale="log", yscale="log", ylim=(0.7, max(counts) * 2))
    axes.set_xticks(list(_TICKS), list(_TICKS.values()))
    axes.set_yticks([1, 10, 100, 1_000, 10_000], ["1", "10", "100", "1,000", "10,000"])
    axes.minorticks_off()
    axes.legend(loc="upper right", frameon=False)
    return axes


def two_clocks(rows: pd.DataFrame) -> Axes:
    """When rows happened against when they arrived: on the line is at once, above it is late.

    `rows` (event_ts, ingest_ts, kind), one row per raw row, `kind` one of on time, late, delivered again.
    """
    axes = new_axes(
        "Most rows lie on the line; a few arrive days after they happened",
        "event_ts: when it happened (month and day, UTC)",
        "ingest_ts: when it arrived (month and day, UTC)",
        height=6.0,
    )
    for kind, (mark, colour, size) in _MARKS.items():
        part = rows[rows["kind"] == kind]
        axes.scatter(part["event_ts"], part["ingest_ts"], s=size, marker=mark, color=colour, label=kind)
    ends = [rows["event_ts"].min(), rows["event_ts"].max()]
    axes.plot(ends, ends, "--", color=BLACK, linewidth=1, label="arrives at once", zorder=0)
    _days(axes.xaxis)
    _days(axes.yaxis)
    axes.legend(loc="upper left", frameon=False)
    return axes


def _days(axis: Any) -> None:
    from matplotlib.dates import DateFormatter, DayLocator

    axis.set_major_locator(DayLocator(bymonthday=range(1, 31, 5)))  # type: ignore[no-untyped-call]
    axis.set_major_formatter(DateFormatter("%m-%d"))  # type: ignore[no-untyped-call]


def overtaking(changes: pd.DataFrame) -> Axes:
    """The changes of one order on two clocks; lines that cross are changes that overtook each other.

    `changes` (status, event_hour, ingest_hour), one row per change, both in hours of one UTC day.
    """
    axes = new_axes(
        "The lines cross: what happened first arrived last",
        "clock",
        "hour of the day (UTC)",
        width=7.0,
        height=4.4,
    )
    rows = zip(*(changes[name].tolist() for name in ("status", "event_hour", "ingest_hour")), strict=True)
    for number, (status, happened, arrived) in enumerate(rows):
        colour, style, mark = ((BLUE, "-", "o"), (VERMILION, "--", "s"), (ORANGE, ":", "^"))[number % 3]
        ys = [happened, arrived]
        axes.plot([0, 1], ys, style, marker=mark, color=colour, linewidth=2, markersize=9, label=status)
        for x, y, side in ((0, happened, "right"), (1, arrived, "left")):
            text = f"{status} {round(y * 60) // 60:02d}:{round(y * 60) % 60:02d}"
            axes.annotate(text, (x, y), (12 if x else -12, 0), textcoords="offset points", ha=side, va="center")
    axes.set(xlim=(-0.45, 1.45), ylim=(24, 6), yticks=range(6, 25, 3))
    axes.set_xticks([0, 1], ["event_ts: happened", "ingest_ts: arrived"])
    return axes
