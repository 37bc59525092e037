"""Charts of lesson 12: the architecture map as a drawing, late events against the wait, a budget being spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from c360lib.plots.style import BLACK, BLUE, GREY, SKY, VERMILION, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDE, _HIGH, _STEP, _ROW = 1.9, 0.62, 2.9, 1.0
Places = dict[str, tuple[float, float]]


def map_drawing(architecture_map: pd.DataFrame) -> Axes:
    """The parts as boxes, from sources to doors, with a line from each part to the parts that read it.

    `architecture_map` (part, owner, reads), one row per part; `reads` names parts, separated by commas. A dashed box
    has no owner.
    """
    rows = zip(*(architecture_map[name].tolist() for name in ("part", "owner", "reads")), strict=True)
    owners = {part: (owner.strip(), _names(reads)) for part, owner, reads in rows}
    reads = {part: [name for name in names if name in owners] for part, (_, names) in owners.items()}
    places = _places(reads)
    axes = new_axes(
        "Your map: who reads what, and which part has no owner",
        "steps from the source (count)",
        "",
        width=11.0,
        height=6.4,
    )
    _draw_reads(axes, reads, places)
    for part, (owner, _) in owners.items():
        _draw_part(axes, part, owner, places[part])
    steps = sorted({x for x, _ in places.values()})
    axes.set(xlim=(-1.2, max(steps) + 1.2), ylim=(-0.7, max(y for _, y in places.values()) + 0.7), yticks=[])
    axes.set_xticks(steps, [str(number) for number, _ in enumerate(steps)])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    return axes


def _names(reads: str) -> list[str]:
    return [name.strip() for name in reads.split(",") if name.strip()]


def _places(reads: dict[str, list[str]]) -> Places:
    """Each part one step right of the rightmost part that it reads, the parts of a step spread evenly."""
    steps: dict[str, int] = dict.fromkeys(reads, 0)
    for _ in reads:  # a chain is no longer than the parts; a ring of parts that read each other stops here too
        steps = {part: max([steps[name] + 1 for name in names], default=0) for part, names in reads.items()}
    order = sorted(set(steps.values()))
    columns = [[part for part in reads if steps[part] == step] for step in order]
    high = max(len(column) for column in columns) * _ROW
    return {
        part: (number * _STEP, high * (len(column) - place - 0.5) / len(column) + _shift(number, column))
        for number, column in enumerate(columns)
        for place, part in enumerate(column)
    }


def _shift(number: int, column: list[str]) -> float:
    """Parts that stand alone in their step go up and down in turn, so that lines do not run through them."""
    return 0.0 if len(column) > 1 or not number else (0.0, 0.0, 2.8, 0.0, -1.0, 0.0)[number % 6]


def _draw_reads(axes: Axes, reads: dict[str, list[str]], places: Places) -> None:
    """An arrow for each pair: straight and solid to the next step, curved and dashed over several."""
    for part, names in reads.items():
        for name in names:
            start = (places[name][0] + _WIDE / 2, places[name][1])
            end = (places[part][0] - _WIDE / 2, places[part][1])
            is_near = round(end[0] - start[0] - (_STEP - _WIDE), 6) <= 0
            bend = 0.0 if is_near else 0.14 if end[1] <= start[1] else -0.14
            arrow = FancyArrowPatch(
                start,
                end,
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=11,
                color=BLUE if is_near else GREY,
                linestyle="-" if is_near else "--",
                linewidth=1.3,
                zorder=1,
            )
            axes.add_patch(arrow)


def _draw_part(axes: Axes, part: str, owner: str, place: tuple[float, float]) -> None:
    corner = (place[0] - _WIDE / 2, place[1] - _HIGH / 2)
    box = FancyBboxPatch(
        corner,
        _WIDE,
        _HIGH,
        boxstyle="round,pad=0.02",
        facecolor="white",
        edgecolor=BLACK if owner else VERMILION,
        linestyle="-" if owner else "--",
        linewidth=1.2 if owner else 2.2,
        zorder=2,
    )
    axes.add_patch(box)
    axes.annotate(f"{part}\n{owner or 'no owner'}", place, ha="center", va="center", fontsize=8, zorder=4)


def late_against_wait(choices: pd.DataFrame) -> Axes:
    """How many events still come too late for each wait.

    `choices` (wait_hours, late_events), one row per choice of how long to wait.
    """
    axes = new_axes(
        "Each further day of waiting rescues fewer events",
        "wait before an hour is closed (hours)",
        "late events (count)",
        width=8.6,
    )
    hours, late = choices["wait_hours"].tolist(), choices["late_events"].tolist()
    axes.plot(hours, late, "-o", color=BLUE, label="late events")
    for hour, count in zip(hours, late, strict=True):
        axes.annotate(str(count), (hour, count), (5, 6), textcoords="offset points", fontsize=9)
    axes.set(xticks=hours, ylim=(0, max(late) * 1.18))
    return axes


def budget_spent(burn: pd.DataFrame, budget_hours: float) -> Axes:
    """Hours out of target so far, hour by hour, against the hours that the target allows.

    `burn` (hour, bad_hours), one row per hour, `bad_hours` counted from the start of the window.
    """
    axes = new_axes(
        "Freshness spends its error budget a few hours at a time",
        "day (UTC)",
        "out of target so far (hours)",
        width=8.6,
    )
    hours, bad = burn["hour"].tolist(), burn["bad_hours"].tolist()
    axes.plot(hours, bad, "-", color=BLUE, drawstyle="steps-post", linewidth=2, label="spent")
    axes.axhline(budget_hours, color=VERMILION, linestyle="--", label=f"budget: {budget_hours:g} hours")
    axes.fill_between(hours, bad, step="post", color=SKY, alpha=0.25)
    axes.set_xticks(hours[::168], [f"{hour:%Y-%m-%d}" for hour in hours[::168]])
    axes.set_ylim(0, max(max(bad), budget_hours) * 1.15)
    axes.legend(loc="upper left", frameon=False)
    return axes
