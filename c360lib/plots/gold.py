"""Charts of lesson 05: who buys how recently and how often, where value sits, and what a churn score is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from c360lib.plots.style import BLACK, BLUE, GREY, ORANGE, SKY, VERMILION, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_RECENCY = ("366 or more", "181–365", "91–180", "31–90", "0–30")
_FREQUENCY = ("1", "2", "3–5", "6–9", "10 or more")
_RISKS = {"low": (BLUE, "o"), "medium": (ORANGE, "s"), "high": (VERMILION, "^")}


def rfm_heat_map(customers: pd.DataFrame) -> Axes:
    """How many buyers there are in each recency and frequency band.

    `customers` (rfm_score, rfm_frequency), one row per profile; those without a paid order are left out.
    """
    buyers = customers[customers["rfm_frequency"] > 0]
    pairs = [(score[0], score[1]) for score in buyers["rfm_score"].tolist()]
    cells = [[pairs.count((str(r), str(f))) for f in range(1, 6)] for r in range(1, 6)]
    axes = new_axes(
        f"{len(pairs)} buyers: the largest group bought once, over a year ago",
        "F: paid orders (count)",
        "R: days since the last paid order",
        height=4.6,
    )
    most = max(max(line) for line in cells)
    image = axes.imshow(cells, cmap="cividis", origin="lower", aspect="auto", vmin=0)
    for row, line in enumerate(cells):
        for column, count in enumerate(line):
            colour = BLACK if count > most / 2 else "white"
            axes.annotate(str(count), (column, row), ha="center", va="center", color=colour, fontsize=11)
    axes.set(xticks=range(5), yticks=range(5))
    axes.set_xticklabels([f"F{band + 1}\n{name}" for band, name in enumerate(_FREQUENCY)])
    axes.set_yticklabels([f"R{band + 1}  {name}" for band, name in enumerate(_RECENCY)])
    axes.grid(visible=False)
    figure: Any = axes.figure
    figure.colorbar(image, ax=axes, label="buyers (count)")
    return axes


def value_curve(customers: pd.DataFrame) -> Axes:
    """Cumulative share of value by share of customers, the most valuable first.

    `customers` (lifetime_value_cents), one row per profile.
    """
    values = sorted((int(value) for value in customers["lifetime_value_cents"].tolist()), reverse=True)
    shares, running = [0.0], 0
    for value in values:
        running += value
        shares.append(100 * running / sum(values))
    people = [100 * place / len(values) for place in range(len(shares))]
    tenth, buyers = round(len(values) / 10), sum(value > 0 for value in values)
    axes = new_axes(
        "A tenth of the profiles brings more than half of the value",
        "profiles, most valuable first (percent)",
        "lifetime value (percent of all)",
        height=4.4,
    )
    axes.plot(people, shares, color=BLUE, linewidth=2.5, label="profiles of customer_360")
    axes.plot([0, 100], [0, 100], color=GREY, linestyle="--", label="if all were equal")
    axes.scatter([people[tenth], people[buyers]], [shares[tenth], 100], s=60, color=VERMILION, zorder=3)
    axes.annotate(
        f"10 % of profiles: {shares[tenth]:.0f} % of value",
        (people[tenth], shares[tenth]),
        (12, -10),
        textcoords="offset points",
    )
    axes.annotate(
        f"the other {100 - people[buyers]:.0f} %\nhave bought nothing",
        (people[buyers], 100),
        (-14, -40),
        textcoords="offset points",
        ha="right",
    )
    axes.set(xlim=(0, 101), ylim=(0, 104))
    axes.legend(frameon=False, loc="lower right")
    return axes


def churn_against_recency(customers: pd.DataFrame) -> Axes:
    """Churn score against days since the last paid order: each recency band is a step.

    `customers` (rfm_recency_days, churn_score, churn_risk), one row per profile; those without a paid order are left
    out.
    """
    axes = new_axes(
        "The score climbs in steps: days set the floor, visits and tickets the rest",
        "days since the last paid order (days)",
        "churn score (points, 0 to 100)",
        9.0,
        4.4,
    )
    buyers = customers[customers["rfm_recency_days"].notna()]
    for risk, (colour, mark) in _RISKS.items():
        rows = buyers[buyers["churn_risk"] == risk]
        days = [int(value) for value in rows["rfm_recency_days"].tolist()]
        points = [int(value) for value in rows["churn_score"].tolist()]
        axes.scatter(days, points, s=26, color=colour, marker=mark, alpha=0.55, label=f"{risk} risk ({len(days)})")
    for edge in (31, 91, 181, 366):
        axes.axvline(edge, color=GREY, linestyle=":", linewidth=1)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        axes.annotate(str(edge), (edge, 101), ha="center", fontsize=9, color="#404040", bbox=box)
    axes.set_ylim(-4, 108)
    axes.legend(frameon=False, loc="lower right")
    return axes


def churn_waterfall(points: pd.DataFrame, title: str, medium_from: int, high_from: int) -> Axes:
    """The points of one person's churn score, one on top of the other, with their sum.

    `points` (part, points), one row per part, in the order in which they are added.
    """
    parts = [str(part) for part in points["part"].tolist()]
    sizes = [int(size) for size in points["points"].tolist()]
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    axes = new_axes(title, "part of the score", "points (0 to 100)", 8.5, 4.6)
    axes.bar(parts, sizes, bottom=starts, color=SKY, edgecolor=BLACK, hatch="//", label="points of a part")
    axes.bar(["churn_score"], [sum(sizes)], color=BLUE, edgecolor=BLACK, label="their sum")
    tops = [start + size for start, size in zip(starts, sizes, strict=True)]
    for place, (top, size) in enumerate(zip(tops, sizes, strict=True)):
        axes.plot([place - 0.4, place + 1.4], [top, top], color=GREY, linewidth=1)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2.0}
        middle = top - size / 2 if size else top - 4
        axes.annotate(f"+{size}", (place, middle), ha="center", va="center", bbox=box)
    total = sum(sizes)
    axes.annotate(str(total), (len(parts), total / 2), ha="center", va="center", bbox=box, weight="bold")
    for level, word, style in ((medium_from, "medium", "--"), (high_from, "high", ":")):
        axes.axhline(level, color=VERMILION, linestyle=style, label=f"{word} risk from {level}")
    axes.set_ylim(0, 100)
    axes.legend(frameon=False, loc="upper left", ncols=2)
    return axes
