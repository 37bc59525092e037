"""A chart as a picture with its text beside it: what it shows, and a digest of the data that were drawn."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Picture:
    """A PNG with its text: `alt` for who cannot see it, and a digest of its data, folded away.

    As HTML, because JupyterLab shows no text for a bare PNG.
    """

    def __init__(self, png: bytes, alt: str, digest: str) -> None:
        self.png, self.alt, self.digest = png, alt, digest

    def __repr__(self) -> str:
        return f"Chart: {self.alt}\n{self.digest}"

    def _repr_html_(self) -> str:
        data, alt = base64.b64encode(self.png).decode(), html.escape(self.alt)
        return (
            f'<img style="max-width:100%" alt="{alt}" src="data:image/png;base64,{data}">'
            f"<details><summary>This chart as text</summary><pre>{alt}\n{html.escape(self.digest)}</pre></details>"
        )


def show(axes: Axes, alt: str) -> None:
    """Show the figure of some axes, with `alt` as its text for who cannot see it, and a digest of its data.

    A comparison of notebooks does not look at pictures, so the digest is what tells that a chart has changed.
    """
    from IPython.display import display

    figure: Any = axes.figure
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110, metadata={"Software": None})
    lines = [line for part in figure.axes for line in digest(part)]
    display(Picture(png.getvalue(), alt, "\n".join(lines)))  # type: ignore[no-untyped-call]


def digest(axes: Axes) -> Iterator[str]:
    """What is drawn in some axes, in lines: title, axes, and for each series how much and from where to where.

    >>> from c360lib.plots.style import new_axes
    >>> axes = new_axes("Orders a day", "day", "orders")
    >>> _ = axes.plot([1, 2, 3], [4, 5, 9])
    >>> print(*digest(axes), sep="\\n")
      Orders a day | x: day | y: orders
      line: 3 points, x 1 to 3, sum of x 6, y 4 to 9, sum of y 18
    """
    drawn: Any = axes
    if drawn.get_title() or drawn.get_xlabel() or drawn.get_ylabel():
        yield f"  {drawn.get_title()} | x: {drawn.get_xlabel()} | y: {drawn.get_ylabel()}"
    in_bars = {id(patch) for bars in drawn.containers for patch in getattr(bars, "patches", ())}
    for bars in drawn.containers:
        if getattr(bars, "patches", ()):
            sizes = [patch.get_width() if bars.orientation == "horizontal" else patch.get_height() for patch in bars]
            yield _said("bars", bars.get_label(), np.arange(len(sizes)), np.asarray(sizes, float), "bars")
    loose = sum(1 for patch in drawn.patches if id(patch) not in in_bars)
    if loose:
        yield f"  shapes: {loose}"
    for line in drawn.lines:
        x, y = (
            np.asarray(axis.convert_units(values), float)
            for axis, values in ((drawn.xaxis, line.get_xdata()), (drawn.yaxis, line.get_ydata()))
        )
        yield _said("line", line.get_label(), x, y)
    for marks in drawn.collections:
        offsets: Any = np.ma.filled(np.ma.asarray(marks.get_offsets(), float), np.nan)
        if marks.__class__.__name__ == "PathCollection" and len(offsets):
            yield _said("marks", marks.get_label(), offsets[:, 0], offsets[:, 1])
        elif marks.get_array() is not None:
            yield _said(
                "cells",
                "",
                np.arange(np.size(marks.get_array())),
                np.ravel(np.ma.filled(marks.get_array().astype(float), np.nan)),
                "cells",
            )
    for image in drawn.images:
        values: Any = np.ravel(np.ma.filled(np.ma.asarray(image.get_array(), float), np.nan))
        yield _said("cells", "", np.arange(len(values)), values, "cells")


def _said(kind: str, label: Any, x: Any, y: Any, unit: str = "points") -> str:
    """One series in words; numbers to six digits, so that the last digits of a float do not matter."""
    name = f" {label}" if label and not str(label).startswith("_") else ""
    if not len(y) or np.isnan(y).all():
        return f"  {kind}{name}: {len(y)} {unit}"
    width = "" if unit != "points" else f", x {np.nanmin(x):.6g} to {np.nanmax(x):.6g}, sum of x {np.nansum(x):.6g}"
    height = f"y {np.nanmin(y):.6g} to {np.nanmax(y):.6g}, sum of y {np.nansum(y):.6g}"
    return f"  {kind}{name}: {len(y)} {unit}{width}, {height}"
