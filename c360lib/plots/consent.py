"""Charts of lesson 06: who said what when, who may be reached, and what faulty rules would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

from c360lib.plots.style import BLACK, BLUE, GREY, ORANGE, PURPLE, SKY, VERMILION, YELLOW, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# state: colour, hatch
_SPANS = {"granted": (SKY, ""), "refused": (VERMILION, "//"), "expired": ("#d0d0d0", "..")}
_STATES = {
    "eligible": (BLUE, ""),
    "no_identifier": (SKY, ".."),
    "expired": (YELLOW, ""),
    "account_deleted": (GREY, ""),
    "withdrawn": (ORANGE, "//"),
    "denied": (VERMILION, "\\\\"),
    "consent_unreadable": (PURPLE, "xx"),
    "no_consent": ("#ffffff", ""),
}
_PURPOSES, _CHANNELS = ("marketing", "personalization", "analytics"), ("email", "push", "sms")


class _Span(NamedTuple):
    """A stretch of time, in days as matplotlib counts them, with one state."""

    state: str
    start: float
    end: float


# --- who said what when -----------------------------------------------------------------------------------------------
def timeline(choices: pd.DataFrame, as_of: pd.Timestamp, title: str) -> Axes:
    """What holds from when to when, a lane each, with the moments of choosing and of arrival.

    `choices` (lane, event_id, status, event_ts, ingest_ts, expires_ts), one row per choice; lanes in the order they
    come.
    """
    lanes = list(dict.fromkeys(choices["lane"]))
    axes = new_axes(title, "time (UTC)", "purpose, channel", width=9.0, height=1.9 + 0.55 * len(lanes))
    for place, lane in enumerate(lanes):
        rows = choices[choices["lane"] == lane]
        _draw_spans(axes, place, _spans(rows, "event_ts", _day(as_of)))
        _draw_moments(axes, place, rows)
    _finish(axes, lanes)
    first, last = _day(choices["event_ts"].min()), _day(as_of)
    axes.set_xlim(first - 0.03 * (last - first), last + 0.09 * (last - first))
    axes.axvline(last, color=BLACK, linestyle=":", linewidth=1.2)
    axes.annotate("as of", (last, -0.36), (6, 0), textcoords="offset points", va="center", fontsize=9)
    return axes


def late_choice(choices: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp, title: str) -> Axes:
    """A few days of one history: what held, and what could be acted on.

    `choices` (event_id, status, event_ts, ingest_ts, expires_ts), one row per choice of one person, purpose and
    channel.
    """
    axes = new_axes(title, "time (UTC)", "the same choices", width=9.0, height=3.0)
    first, last = _day(start), _day(end)
    for place, moment in enumerate(("event_ts", "ingest_ts")):
        spans = [_Span(s.state, max(s.start, first), min(s.end, last)) for s in _spans(choices, moment, last)]
        _draw_spans(axes, place, [span for span in spans if span.end > span.start])
    inside = choices[(choices["ingest_ts"] >= start) & (choices["event_ts"] <= end)]
    _draw_moments(axes, 0, inside, "event_ts")
    _draw_moments(axes, 1, inside, "ingest_ts")
    _finish(axes, ["by event time:\nwhat the person chose", "by arrival:\nwhat we could know"])
    axes.set_xlim(first, last)
    return axes


def _spans(rows: pd.DataFrame, moment: str, end: float) -> list[_Span]:
    """States one after the other by (event_ts, a refusal after a grant, event_id), each from its `moment`."""
    rows = rows.assign(is_block=rows["status"] != "granted").sort_values(["event_ts", "is_block", "event_id"])
    starts = [_day(value) for value in rows[moment]] + [end]
    spans: list[_Span] = []
    columns = (rows["status"].tolist(), rows["expires_ts"].tolist())
    for place, (status, expires) in enumerate(zip(*columns, strict=True)):
        start, stop = starts[place], starts[place + 1]
        if status != "granted":
            spans.append(_Span("refused", start, stop))
            continue
        over = stop if expires != expires else max(start, min(stop, _day(expires)))  # NaT is not itself
        spans += [_Span("granted", start, over), _Span("expired", over, stop)]
    return [span for span in spans if span.end > span.start]


def _day(moment: Any) -> float:
    """A timestamp as matplotlib's number of days."""
    return float(date2num(moment.to_pydatetime()))  # type: ignore[no-untyped-call]


def _draw_spans(axes: Axes, place: int, spans: list[_Span]) -> None:
    for state, (colour, hatch) in _SPANS.items():
        ours = [span for span in spans if span.state == state]
        widths, starts = [span.end - span.start for span in ours], [span.start for span in ours]
        axes.barh(
            [place] * len(ours),
            widths,
            0.5,
            starts,
            color=colour,
            hatch=hatch,
            edgecolor=BLACK,
            linewidth=0.6,
            label=state,
        )


def _draw_moments(axes: Axes, place: int, rows: pd.DataFrame, only: str = "") -> None:
    """A filled circle where a choice was made, an open triangle where it arrived."""
    kinds = (("event_ts", "o", BLACK, "choice made"), ("ingest_ts", ">", "white", "choice arrived"))
    for name, mark, face, label in kinds:
        if only in ("", name):
            days = [_day(value) for value in rows[name]]
            shift = -0.36 if name == "event_ts" else 0.36
            axes.scatter(
                days,
                [place + shift] * len(days),
                s=42,
                marker=mark,
                facecolor=face,
                edgecolor=BLACK,
                zorder=3,
                label=label,
            )


def _finish(axes: Axes, lanes: list[str]) -> None:
    """Lanes from the top, dates below, one legend entry a kind."""
    axes.set(yticks=range(len(lanes)), yticklabels=lanes, ylim=(len(lanes) - 0.4, -0.6))
    axes.xaxis_date()
    locator = AutoDateLocator(minticks=4, maxticks=10)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    entries = dict(_legend(axes))
    figure: Any = axes.figure
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=5, frameon=False, fontsize=9)


def _legend(axes: Axes) -> Iterator[tuple[str, Any]]:
    """Label and handle of everything that has something to show."""
    for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
        if len(getattr(handle, "patches", (1,))):
            yield label, handle


# --- who may be reached -----------------------------------------------------------------------------------------------
def eligible_share(candidates: pd.DataFrame) -> Axes:
    """For each purpose and channel, the share of people who may be reached, and why the others may not.

    `candidates` (purpose, channel, block_reason), one row per person, purpose and channel; block_reason null: eligible.
    """
    axes = new_axes(
        "Most people may not be reached, and silence is the commonest reason",
        "share of people (%)",
        "purpose, channel",
        width=9.0,
        height=5.4,
    )
    slots = [(purpose, channel) for purpose in _PURPOSES for channel in _CHANNELS]
    states = candidates.assign(state=candidates["block_reason"].fillna("eligible"))
    counts = states.groupby(["purpose", "channel"])["state"].value_counts(normalize=True).mul(100).to_dict()
    places = [number + number // len(_CHANNELS) * 0.5 for number in range(len(slots))]
    left = [0.0] * len(slots)
    for state, (colour, hatch) in _STATES.items():
        widths = [float(counts.get((*slot, state), 0.0)) for slot in slots]
        if any(widths):
            axes.barh(places, widths, 0.8, left, color=colour, hatch=hatch, edgecolor=BLACK, linewidth=0.6, label=state)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for place, slot in zip(places, slots, strict=True):
        share = counts.get((*slot, "eligible"), 0.0)
        axes.annotate(f"{share:.0f} %", (1.2, place), va="center", color="white", fontweight="bold", fontsize=9)
    axes.set(yticks=places, yticklabels=[f"{purpose}, {channel}" for purpose, channel in slots], xlim=(0, 100))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    figure: Any = axes.figure
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return axes


# --- what faulty rules would do ---------------------------------------------------------------------------------------
def leaks(rules: pd.DataFrame) -> Axes:
    """How many people each faulty rule would make eligible against their will, fewest at the bottom.

    `rules` (rule, people), one row per faulty rule; people on a log scale.
    """
    rows = rules.sort_values(["people", "rule"], kind="stable")
    axes = new_axes(
        "Each of these rules would reach people who did not agree",
        "people made eligible wrongly (count, log scale)",
        "faulty rule, all else being right",
        width=9.0,
        height=1.6 + 0.4 * len(rows),
    )
    people, places = rows["people"].tolist(), range(len(rows))
    axes.hlines(places, 1, people, color=GREY, linewidth=2)
    axes.plot(people, places, "D", color=VERMILION, markeredgecolor=BLACK, markersize=9, label="people")
    for place, count in zip(places, people, strict=True):
        axes.annotate(str(count), (count, place), (10, 0), textcoords="offset points", va="center")
    axes.set(xscale="log", xlim=(1, max(people) * 2), yticks=places, yticklabels=rows["rule"].tolist())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(visible=False, axis="y")
    return axes
