"""What a space says, as shapes for the page: all coordinates are ready, the templates only write them down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from search.collection import Image
from search.explain.evidence import grid_path, set_bits
from search.explain.explain import Asked, Said
from search.retrieval.regions import Region

HIGH = 100.0  # of drawn pictures and histograms, in their own units
GAP = 4.0

# How the query was turned before it was compared: the names of evidence.FORMS; as it is goes without saying.
FORMS = {
    "mirrored": _("mirrored"),
    "mirrored top to bottom": _("mirrored top to bottom"),
    "turned by 180°": _("turned by 180°"),
    "mirrored along its diagonal": _("mirrored along its diagonal"),
    "turned by 90° to the left": _("turned by 90° to the left"),
    "turned by 90° to the right": _("turned by 90° to the right"),
    "mirrored along its other diagonal": _("mirrored along its other diagonal"),
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """``kind`` names the template that draws ``data``; "" draws nothing."""

    kind: str = ""
    data: Any = None


def drawing(said: Said, asked: Asked, image: Image) -> Drawing:
    """The drawing for what a space shows."""
    shown = said.shown
    if "differing" in shown:
        return Drawing("bits", _bits(shown))
    if "bars" in shown:
        return Drawing("colours", _colours(shown))
    if "outline" in shown:
        return Drawing("matches", _matches(shown, asked, image))
    return Drawing()


def _bits(shown: Any) -> dict[str, Any]:
    squares = [
        (_("The query"), grid_path(set_bits(shown["query"]))),
        (_("The result"), grid_path(set_bits(shown["image"]))),
        (_("Where they differ"), grid_path(set_bits(shown["query"], shown["image"]))),
    ]
    return {"squares": squares, "differing": shown["differing"], "form": FORMS.get(shown["form"], "")}


def _colours(shown: Any) -> dict[str, Any]:
    bars = shown["bars"]
    most = max([bar[side] for bar in bars for side in ("query", "image")], default=1) or 1
    rows = []
    for side, label in (("query", _("The query")), ("image", _("The result"))):
        heights = [round(HIGH * bar[side] / most, 2) for bar in bars]
        drawn = [(n, HIGH - high, high, bars[n]["color"]) for n, high in enumerate(heights)]
        rows.append((label, drawn))
    return {"rows": rows, "count": len(bars), "shared": shown["shared"]}


def _matches(shown: Any, asked: Asked, image: Image) -> dict[str, Any]:
    mine = _size(asked)
    width, found = HIGH * mine, HIGH * image.width / image.height
    left = width + GAP
    points = [(left + x * found, y * HIGH) for x, y in shown["outline"]]
    region = asked.region or Region(0, 0, 1, 1)
    lines = [
        ((region.x + a * region.width) * width, (region.y + b * region.height) * HIGH, left + c * found, d * HIGH)
        for a, b, c, d in shown.get("pairs", ())
    ]
    return {
        "view": _view(points, left + found),
        "query": (asked.image.thumbnail_url() if asked.image else asked.kept.url if asked.kept else "", width),
        "image": (image.thumbnail_url(), left, found),
        "part": _rectangle(asked.region, width),
        "outline": _path(points),
        "lines": [tuple(round(number, 2) for number in line) for line in lines],
        **{name: shown[name] for name in ("mirrored", "scale", "turn", "inside", "covered")},
    }


def _view(points: Sequence[tuple[float, float]], width: float) -> tuple[float, ...]:
    """Left, top, width and height of what is drawn: an outline is shown beyond its picture, though not endlessly."""
    xs, ys = zip(*points, strict=True)
    left, right = max(-HIGH, min(0, *xs)), min(width + HIGH, max(width, *xs))
    top, low = max(-HIGH, min(0, *ys)), min(2 * HIGH, max(HIGH, *ys))
    return tuple(round(number, 2) for number in (left - 1, top - 1, right - left + 2, low - top + 2))


def _size(asked: Asked) -> float:
    """Width / height of the whole query picture."""
    whole = asked.image or asked.kept
    return whole.width / whole.height if whole else 1.0


def _rectangle(region: Region | None, width: float) -> str:
    if region is None:
        return ""
    x, y, right, low = region.x, region.y, region.x + region.width, region.y + region.height
    return _path([(a * width, b * HIGH) for a, b in ((x, y), (right, y), (right, low), (x, low))])


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + "Z"
