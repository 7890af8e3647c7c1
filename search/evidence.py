"""What can be shown of a likeness: numbers and SVG paths. Pure functions, no Django."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.regions import Region
from search.types import Features, Pixels, Transform

SIDE = 16  # of the perceptual hash, bits
FORMS = (
    "as it is",
    "mirrored",
    "mirrored top to bottom",
    "turned by 180°",
    "mirrored along its diagonal",
    "turned by 90° to the left",
    "turned by 90° to the right",
    "mirrored along its other diagonal",
)
LEVELS = 6  # of each colour channel: 216 colours
BARS = 24  # colours that are shown


def bits(forms: Features, found: Features) -> Mapping[str, Any]:
    """The bits of the query's nearest form and of the found picture; ``form`` says which form that is.

    Bits are rows of ``0`` and ``1``, lowest frequencies first; ``differing`` is their number.
    """
    theirs = _bits(found)
    mine = [_bits(form) for form in forms]
    best = int(np.argmin([np.count_nonzero(one != theirs) for one in mine]))
    return {
        "form": FORMS[best] if len(mine) == len(FORMS) else FORMS[0],
        "differing": int(np.count_nonzero(mine[best] != theirs)),
        "query": _lines(mine[best]),
        "image": _lines(theirs),
    }


def colours(mine: Pixels, theirs: Pixels) -> Mapping[str, Any]:
    """The commonest colours of both: ``[{"color": "#rrggbb", "query": share, "image": share}]``, dark ones first."""
    one, other = _shares(mine), _shares(theirs)
    common = np.argsort(-np.maximum(one, other))[:BARS]
    order = sorted((int(bin) for bin in common if one[bin] + other[bin] > 0), key=_brightness)
    bars = [
        {"color": _color(bin), "query": round(float(one[bin]), 4), "image": round(float(other[bin]), 4)}
        for bin in order
    ]
    return {"bars": bars, "shared": round(float(np.minimum(one, other).sum()), 4)}


def outline(transform: Transform, region: Region | None = None) -> Mapping[str, Any]:
    """The query's corners in the found picture, in shares of its size, clockwise from the upper left."""
    matrix = np.array(transform).reshape(3, 3)
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float) @ matrix.T
    points = corners[:, :2] / corners[:, 2:]
    across, down = points[1] - points[0], points[3] - points[0]
    return {
        "outline": [[round(float(x), 4), round(float(y), 4)] for x, y in points],
        "mirrored": bool(across[0] * down[1] - across[1] * down[0] < 0),
    }


def grid_path(cells: Iterable[tuple[int, int]]) -> str:
    """An SVG path of unit squares, (column, row)."""
    return "".join(f"M{x} {y}h1v1h-1z" for x, y in cells)


def set_bits(lines: Iterable[str], other: Iterable[str] = ()) -> list[tuple[int, int]]:
    """Places of the ones; with ``other``, of what differs."""
    pairs = zip(lines, other, strict=True) if other else ((line, "0" * len(line)) for line in lines)
    return [(x, y) for y, (one, two) in enumerate(pairs) for x in range(len(one)) if one[x] != two[x]]


def _bits(words: Features) -> NDArray[np.uint8]:
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8)).reshape(SIDE, SIDE)


def _lines(square: NDArray[np.uint8]) -> list[str]:
    return ["".join(map(str, row)) for row in square.tolist()]


def _shares(pixels: Pixels) -> NDArray[np.float64]:
    red, green, blue = (pixels.reshape(-1, 3).astype(int) * LEVELS // 256).T
    counts = np.bincount((red * LEVELS + green) * LEVELS + blue, minlength=LEVELS**3)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _levels(bin: int) -> tuple[int, int, int]:
    return bin // LEVELS**2, bin // LEVELS % LEVELS, bin % LEVELS


def _color(bin: int) -> str:
    return "#" + "".join(f"{(2 * level + 1) * 255 // (2 * LEVELS):02x}" for level in _levels(bin))


def _brightness(bin: int) -> float:
    red, green, blue = _levels(bin)
    return 0.299 * red + 0.587 * green + 0.114 * blue
