"""Charts as inline SVG. Bars stretch with the page, and text stays outside them, so that both fit a phone."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from llmbatch.core.sanitize import neutral

_HEIGHT = 100.0
_GAP = 0.12
"""Share of a column's width left blank."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its tooltip, and the heights of its parts from the bottom up."""

    title: str
    parts: tuple[float, ...]
    mark: float | None = None
    """A height to compare with, drawn as a horizontal line."""


def bar(share: float, style: str) -> Markup:
    """A horizontal bar that fills `share` (0..1) of its width."""
    svg = Element("svg", {"class": "bar", "aria-hidden": "true"})
    SubElement(svg, "rect", {"class": style, "width": f"{100 * share:.2f}%", "height": "100%", "rx": "2"})
    return _markup(svg)


def columns(
    columns: Sequence[Column], styles: Sequence[str], *, label: str, marker: float | None = None, top: float = 0.0
) -> Markup:
    """A column chart.

    Args:
        columns: from left to right; an empty `parts` leaves a gap.
        styles: the class of each part.
        label: the accessible name for screen readers.
        marker: the position of a vertical line, as a share (0..1) of the width.
        top: the height that fills the chart; 0 for the highest column's.
    """
    highest = top or max((sum(column.parts) for column in columns), default=0.0) or 1.0
    count = max(len(columns), 1)
    svg = Element(
        "svg",
        {
            "class": "columns",
            "viewBox": f"0 0 {count} {_HEIGHT:g}",
            "preserveAspectRatio": "none",
            "role": "img",
            "aria-label": neutral(label),
        },
    )
    for number, column in enumerate(columns):
        group = SubElement(svg, "g")
        SubElement(group, "title").text = neutral(column.title)
        SubElement(group, "rect", {"class": "hit", **_box(number, 0, 1, _HEIGHT)})
        bottom = _HEIGHT
        for style, value in zip(styles, column.parts, strict=False):
            height = _HEIGHT * value / highest
            if height > 0:
                bottom -= height
                SubElement(group, "rect", {"class": style, **_box(number + _GAP / 2, bottom, 1 - _GAP, height)})
        if column.mark is not None:
            y = f"{_HEIGHT * (1 - column.mark / highest):.2f}"
            across = {"x1": f"{number}", "x2": f"{number + 1}", "y1": y, "y2": y}
            SubElement(group, "line", {"class": "mark", **across})
    if marker is not None:
        x = f"{marker * count:.3f}"
        SubElement(svg, "line", {"class": "marker", "x1": x, "x2": x, "y1": "0", "y2": f"{_HEIGHT:g}"})
    return _markup(svg)


def _box(x: float, y: float, width: float, height: float) -> dict[str, str]:
    return {"x": f"{x:.3f}", "y": f"{y:.2f}", "width": f"{width:.3f}", "height": f"{height:.2f}"}


def _markup(svg: Element) -> Markup:
    return Markup(tostring(svg, encoding="unicode"))  # noqa: S704 - built from elements, which escape their text
