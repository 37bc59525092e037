"""Charts of lesson 03: who was linked with whom, how well, what goes wrong where, and what evidence weighs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from c360lib.plots.style import BLACK, BLUE, GREY, ORANGE, PALETTE, SKY, VERMILION, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MARKERS = ("o", "s", "^", "D", "v", "P")
_RULES = {
    "loyalty_and_birth_date": "card",
    "email_first_name_and_birth_date": "e-mail",
    "phone_first_name_and_birth_date": "phone",
    "full_name_and_birth_date": "name",
    "address_first_name_and_birth_date": "address",
    "email_phone_and_full_name": "e-mail, phone",
}
Places = dict[str, tuple[float, float]]


# --- two or more panels -----------------------------------------------------------------------------------------------
def _panels(titles: list[str], xlabels: list[str], ylabel: str, width: float, height: float) -> list[Axes]:
    """Axes side by side in one figure, each with its title and label; the first has the label of y."""
    first = new_axes(titles[0], xlabels[0], ylabel, width, height)
    figure: Any = first.figure
    grid = figure.add_gridspec(1, len(titles))
    first.set_subplotspec(grid[0])
    panels = [first]
    for place, (title, xlabel) in enumerate(zip(titles[1:], xlabels[1:], strict=True), 1):
        axes: Axes = figure.add_subplot(grid[place])
        axes.set(title=title, xlabel=xlabel)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
        panels.append(axes)
    return panels


# --- an identity graph ------------------------------------------------------------------------------------------------
def bad_merge(accounts: pd.DataFrame, edges: pd.DataFrame, bad_edges: pd.DataFrame) -> Axes:
    """Two people as a graph, before and after links that should not be there.

    `accounts` (record_id, person_id, first_name, source_system), one row per account; `edges` (left_record_id,
    right_record_id, match_rule), one row per pair, labelled with its rule; `bad_edges` (left_record_id,
    right_record_id).
    """
    sizes = [str(n) for n in accounts.groupby("person_id", sort=False).size().tolist()]
    titles = ["Before: each link asks for a first name or a card", "After: last name and birth date are enough"]
    labels = [f"{len(sizes)} clusters of {' and '.join(sizes)} accounts", f"1 cluster of {len(accounts)} accounts"]
    before, after = _panels(titles, labels, "", 10.0, 4.8)
    places = _circle(accounts["record_id"].tolist())
    for panel in (before, after):
        panel.set(xlim=(-1.6, 1.6), ylim=(-1.25, 1.25), xticks=[], yticks=[], aspect="equal")
        panel.spines[:].set_visible(False)
    _draw_edges(after, bad_edges, places, VERMILION, "--", "wrong link: last name and birth date")
    for panel in (before, after):
        _draw_edges(panel, edges, places, BLACK, "-", "right link, with its rule")
        _label_edges(panel, edges, places)
        _draw_nodes(panel, accounts, places)
    figure: Any = after.figure
    handles, names = after.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=9, markerscale=0.5)
    return before


def _circle(names: list[str]) -> Places:
    """Places on a circle, clockwise from the left; rounded, so that they are the same on every machine."""
    step = 2 * math.pi / len(names)
    return {
        name: (round(-math.cos(place * step), 3), round(math.sin(place * step), 3)) for place, name in enumerate(names)
    }


def _draw_edges(axes: Axes, edges: pd.DataFrame, places: Places, colour: str, style: str, label: str) -> None:
    """Straight lines, drawn as one series that is interrupted between two edges."""
    x: list[float] = []
    y: list[float] = []
    for left, right in zip(edges["left_record_id"].tolist(), edges["right_record_id"].tolist(), strict=True):
        x += [places[left][0], places[right][0], math.nan]
        y += [places[left][1], places[right][1], math.nan]
    axes.plot(x, y, style, color=colour, linewidth=1.5, zorder=1, label=label)


def _label_edges(axes: Axes, edges: pd.DataFrame, places: Places) -> None:
    """The short name of the rule in the middle of each line."""
    rows = zip(*(edges[n].tolist() for n in ("left_record_id", "right_record_id", "match_rule")), strict=True)
    for left, right, rule in rows:
        (x, y), (other_x, other_y) = places[left], places[right]
        at = ((x + other_x) / 2, (y + other_y) / 2)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        axes.annotate(_RULES.get(rule, rule), at, ha="center", va="center", fontsize=9, bbox=box, zorder=2)


def _draw_nodes(axes: Axes, accounts: pd.DataFrame, places: Places) -> None:
    """One mark per account; colour and shape tell the persons apart, the text names system and first name."""
    for number, (_, rows) in enumerate(accounts.groupby("person_id", sort=False)):
        x, y = zip(*(places[name] for name in rows["record_id"]), strict=True)
        name = rows["first_name"].iloc[0]
        colour, mark = (BLUE, ORANGE, SKY, PALETTE[7])[number % 4], _MARKERS[number % len(_MARKERS)]
        axes.scatter(x, y, s=320, color=colour, marker=mark, edgecolor=BLACK, zorder=3, label=f"account of {name}")
        for at_x, at_y, system in zip(x, y, rows["source_system"], strict=True):
            side = "right" if at_x < 0 else "left"
            place = (18 if at_x > 0 else -18, 12 * at_y)
            axes.annotate(
                f"{name}\n{system}", (at_x, at_y), place, textcoords="offset points", ha=side, va="center", fontsize=10
            )


# --- how well ---------------------------------------------------------------------------------------------------------
def precision_recall(scores: pd.DataFrame) -> Axes:
    """Rule sets by what they find and how much of it is right.

    `scores` (rule_set, precision, recall), one row per rule set, both from 0 to 1.
    """
    axes = new_axes(
        "Loose rules lose precision, a single strict rule loses recall",
        "recall (share of the true pairs that were joined)",
        "precision (share of the joined pairs that are true)",
        height=4.4,
    )
    rows = zip(*(scores[name].tolist() for name in ("rule_set", "precision", "recall")), strict=True)
    for number, (name, precision, recall) in enumerate(rows):
        colour, mark = _colour(number), _MARKERS[number % len(_MARKERS)]
        axes.scatter([recall], [precision], s=110, color=colour, marker=mark, zorder=3, label=name)
        axes.annotate(name, (recall, precision), (0, -17), textcoords="offset points", ha="center", fontsize=10)
    axes.set(xlim=(0.5, 1.02), ylim=(0.91, 1.006))
    return axes


def _colour(number: int) -> str:
    """Colours that stand out on white, in a fixed order."""
    return (BLACK, VERMILION, ORANGE, BLUE, GREY)[number % 5]


def merges_by_case(by_case: pd.DataFrame) -> Axes:
    """For each rule set and kind of hard case, accounts joined with a stranger and accounts torn from their person.

    `by_case` (rule_set, hard_case, over_merged, under_merged), one row per rule set and case, both counted in accounts.
    """
    names = list(dict.fromkeys(by_case["rule_set"]))
    harm = by_case.groupby("hard_case")["over_merged"].sum().sort_values(ascending=False, kind="stable")
    kinds = harm.index.tolist()
    most = int(by_case[["over_merged", "under_merged"]].max().max()) * 1.35
    panels = _panels(names, ["accounts (count)"] * len(names), "hard case", 10.0, 4.0)
    for panel, name in zip(panels, names, strict=True):
        rows = by_case[by_case["rule_set"] == name].set_index("hard_case").loc[kinds]
        _diverging(panel, rows["under_merged"].tolist(), rows["over_merged"].tolist())
        panel.set(xlim=(-most, most), xticks=[-20, 0, 20], xticklabels=["20", "0", "20"], yticks=range(len(kinds)))
        panel.set_yticklabels([kind.replace("_", " ") for kind in kinds] if panel is panels[0] else [])
        panel.invert_yaxis()
    figure: Any = panels[0].figure
    figure.suptitle("Each rule set fails somewhere else: too little joined to the left, too much to the right")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return panels[0]


def _diverging(axes: Axes, left: list[int], right: list[int]) -> None:
    """Bars to both sides of nought, with their counts."""
    rows = range(len(left))
    axes.barh(rows, [-n for n in left], color=SKY, edgecolor=BLACK, label="under-merged: the person is split")
    axes.barh(
        rows, right, color=VERMILION, edgecolor=BLACK, hatch="//", label="over-merged: a stranger is in the cluster"
    )
    axes.axvline(0, color=BLACK, linewidth=1)
    for row, (few, many) in enumerate(zip(left, right, strict=True)):
        axes.annotate(str(few), (-few, row), (-4, 0), textcoords="offset points", ha="right", va="center", fontsize=9)
        axes.annotate(str(many), (many, row), (4, 0), textcoords="offset points", ha="left", va="center", fontsize=9)


def cluster_sizes(sizes: pd.DataFrame) -> Axes:
    """How many clusters have how many accounts: the first rule set, the truth, as bars, the others as marks on them.

    `sizes` (rule_set, accounts, people), one row per rule set and size; people on a log scale.
    """
    axes = new_axes(
        "A cluster larger than anybody in truth is a bad merge",
        "accounts in the cluster (count)",
        "clusters (count, log scale)",
    )
    truth, *names = dict.fromkeys(sizes["rule_set"])
    bars = sizes[sizes["rule_set"] == truth]
    axes.bar(bars["accounts"], bars["people"], width=0.8, color="#d0d0d0", edgecolor=GREY, label=truth)
    for number, name in enumerate(names):
        rows = sizes[sizes["rule_set"] == name]
        shift = 0.18 * (number - (len(names) - 1) / 2)
        places = [n + shift for n in rows["accounts"].tolist()]
        mark = _MARKERS[number % len(_MARKERS)]
        axes.scatter(places, rows["people"], s=55, color=_colour(number), marker=mark, zorder=3, label=name)
    axes.set(yscale="log", ylim=(0.6, 2_000), xticks=sorted(set(sizes["accounts"].tolist())))
    axes.legend(frameon=False)
    return axes


# --- evidence that is weighed ----------------------------------------------------------------------------------------
def waterfall(parts: pd.DataFrame, pair: str) -> Axes:
    """How the match weight of a pair comes about: the prior, then what each comparison adds or takes, then the sum.

    `parts` (finding, bits), one row per bar, the prior first; `pair` says in words whose accounts these are.
    """
    names, bits = parts["finding"].tolist(), parts["bits"].tolist()
    ends = parts["bits"].cumsum().tolist()
    axes = new_axes(
        f"{pair}: {ends[-1]:+.1f} bits", "match weight so far (bits; each bit doubles the odds)", "", 9.0, 4.6
    )
    starts = [0.0, *ends[:-1]]
    for label, colour, hatch, rows in _waterfall_series(bits):
        widths, lefts = [bits[row] for row in rows], [starts[row] for row in rows]
        axes.barh(rows, widths, left=lefts, color=colour, hatch=hatch, edgecolor=BLACK, label=label)
    axes.barh([len(bits)], [ends[-1]], color=BLACK, label="match weight")
    for row, (value, end) in enumerate(zip([*bits, ends[-1]], [*ends, ends[-1]], strict=True)):
        side, shift = ("left", 4) if value >= 0 else ("right", -4)
        axes.annotate(
            f"{value:+.1f}",
            (end, row),
            (shift, 0),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=10,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    joints = [(end, row + side) for row, end in enumerate(ends) for side in (-0.4, 1.4, math.nan)]
    axes.plot(*zip(*joints, strict=True), color=GREY, linewidth=1, zorder=0)
    axes.axvline(0, color=BLACK, linewidth=1)
    axes.set_yticks(range(len(bits) + 1), [*names, "match weight"])
    low, high = min(0.0, *ends), max(0.0, *ends)
    axes.set_xlim(low - 0.12 * (high - low), high + 0.12 * (high - low))
    axes.invert_yaxis()
    figure: Any = axes.figure
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return axes


def _waterfall_series(bits: list[float]) -> list[tuple[str, str, str, list[int]]]:
    """(label, colour, hatch, rows) of the bars before the sum: the prior, what speaks for a match, what against."""
    rest = range(1, len(bits))
    series = [
        ("prior", GREY, "", [0]),
        ("speaks for one person", SKY, "", [row for row in rest if bits[row] >= 0]),
        ("speaks against", VERMILION, "//", [row for row in rest if bits[row] < 0]),
    ]
    return [one for one in series if one[3]]


def value_by_stage(profiles: pd.DataFrame) -> Axes:
    """What profiles are worth at each stage of a story, side by side, with a note on each bar.

    `profiles` (stage, profile_id, euros, note), one row per profile and stage; stages stand in the order of the rows.
    """
    axes = new_axes("A merge moves value, and undoing it moves it back", "stage", "lifetime value (EUR)", 9.0, 4.4)
    stages, people = (list(dict.fromkeys(profiles[name].tolist())) for name in ("stage", "profile_id"))
    for number, person in enumerate(people):
        rows = profiles[profiles["profile_id"] == person]
        places = [stages.index(stage) + 0.42 * (number - (len(people) - 1) / 2) for stage in rows["stage"]]
        colour, hatch = (BLUE, ORANGE, SKY)[number % 3], ("", "//", "..")[number % 3]
        axes.bar(places, rows["euros"], width=0.38, color=colour, hatch=hatch, edgecolor=BLACK, label=person)
        for place, euros, note in zip(places, rows["euros"], rows["note"], strict=True):
            axes.annotate(
                f"{euros:,.2f}\n{note}", (place, euros), (0, 3), textcoords="offset points", ha="center", fontsize=9
            )
    axes.set_xticks(range(len(stages)), stages)
    axes.set_ylim(0, profiles["euros"].max() * 1.3)
    axes.legend(frameon=False, loc="upper left")
    return axes
