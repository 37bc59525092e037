"""What all charts share: a palette that colour-blind people can tell apart, and axes that say what they show."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito, Color Universal Design (2008): told apart with each common kind of colour blindness.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = PALETTE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#767676"


def new_figure(width: float = 8.0, height: float = 4.0) -> Figure:
    """An empty figure, `width` x `height` inches, on white, for charts of several panels."""
    figure = Figure(figsize=(width, height), facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    return figure


def new_axes(title: str, xlabel: str, ylabel: str, width: float = 8.0, height: float = 4.0) -> Axes:
    """Empty axes, `width` x `height` inches, on white, with a title and labels that name their units."""
    axes: Axes = new_figure(width, height).add_subplot()
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    return axes
