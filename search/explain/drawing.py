"""Evidence as shapes for the page: all coordinates are ready, the templates only write them down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from search.collection import Image
from search.explain.explain import ExplainedQuery, Explanation
from search.kernels.dihedral import Dihedral
from search.retrieval.regions import Region

HIGH = 100.0  # of drawn pictures and histograms, in their own units
GAP = 4.0

# How the query was transformed before it was compared; the identity goes without saying.
FORMS = {
    Dihedral.FLIP_LEFT_RIGHT: _("mirrored"),
    Dihedral.FLIP_TOP_BOTTOM: _("flipped vertically"),
    Dihedral.ROTATE_180: _("rotated 180°"),
    Dihedral.TRANSPOSE: _("mirrored along the diagonal"),
    Dihedral.ROTATE_90: _("rotated 90° left"),
    Dihedral.ROTATE_270: _("rotated 90° right"),
    Dihedral.TRANSVERSE: _("mirrored along the other diagonal"),
}

Shown = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Drawing:
    """``data`` as ``template`` draws it; the ``kind`` "" draws nothing."""

    kind: str = ""
    data: Any = None

    @property
    def template(self) -> str:
        return f"search/_{self.kind}.html"


def drawing(explanation: Explanation, explained: ExplainedQuery, image: Image) -> Drawing:
    """The drawing of what a space shows."""
    if not explanation.shown or explanation.drawing not in DRAWINGS:
        return Drawing()
    return Drawing(explanation.drawing, DRAWINGS[explanation.drawing](explanation.shown, explained, image))


def _bits(shown: Shown, explained: ExplainedQuery, image: Image) -> dict[str, Any]:
    squares = [
        (_("Query"), _grid_path(_set_bits(shown["query"]))),
        (_("Result"), _grid_path(_set_bits(shown["image"]))),
        (_("Differences"), _grid_path(_set_bits(shown["query"], shown["image"]))),
    ]
    return {"squares": squares, "differing": shown["differing"], "form": FORMS.get(shown["form"], "")}


def _grid_path(cells: Iterable[tuple[int, int]]) -> str:
    """An SVG path of unit squares, (column, row)."""
    return "".join(f"M{x} {y}h1v1h-1z" for x, y in cells)


def _set_bits(lines: Iterable[str], other: Iterable[str] = ()) -> list[tuple[int, int]]:
    """Column and row of each 1; with ``other``, of what differs."""
    pairs = zip(lines, other, strict=True) if other else ((line, "0" * len(line)) for line in lines)
    return [(x, y) for y, (first, second) in enumerate(pairs) for x in range(len(first)) if first[x] != second[x]]


def _colours(shown: Shown, explained: ExplainedQuery, image: Image) -> dict[str, Any]:
    bars = shown["bars"]
    most = max([bar[side] for bar in bars for side in ("query", "image")], default=1) or 1
    rows = []
    for side, label in (("query", _("Query")), ("image", _("Result"))):
        heights = [round(HIGH * bar[side] / most, 2) for bar in bars]
        drawn = [(n, HIGH - high, high, bars[n]["color"]) for n, high in enumerate(heights)]
        rows.append((label, drawn))
    return {"rows": rows, "count": len(bars), "shared": shown["shared"]}


def _matches(shown: Shown, explained: ExplainedQuery, image: Image) -> dict[str, Any]:
    width, result_width = HIGH * _aspect(explained), HIGH * image.width / image.height
    left = width + GAP
    points = [(left + x * result_width, y * HIGH) for x, y in shown["outline"]]
    region = explained.region or Region(0, 0, 1, 1)
    lines = [
        (
            (region.x + a * region.width) * width,
            (region.y + b * region.height) * HIGH,
            left + c * result_width,
            d * HIGH,
        )
        for a, b, c, d in shown.get("pairs", ())
    ]
    return {
        "view": _view(points, left + result_width),
        "query": (_address(explained), width),
        "image": (image.thumbnail_url(), left, result_width),
        "part": _rectangle(explained.region, width),
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


DRAWINGS: dict[str, Callable[[Shown, ExplainedQuery, Image], dict[str, Any]]] = {
    "bits": _bits,
    "colours": _colours,
    "matches": _matches,
}


def _aspect(explained: ExplainedQuery) -> float:
    """Width / height of the whole query picture."""
    return explained.picture.width / explained.picture.height if explained.picture else 1.0


def _address(explained: ExplainedQuery) -> str:
    """Where a browser gets a copy of the whole query picture."""
    if explained.image:
        return explained.image.thumbnail_url()
    return explained.upload.url if explained.upload else ""


def _rectangle(region: Region | None, width: float) -> str:
    if region is None:
        return ""
    x, y, right, low = region.x, region.y, region.x + region.width, region.y + region.height
    return _path([(a * width, b * HIGH) for a, b in ((x, y), (right, y), (right, low), (x, low))])


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + "Z"
