"""What can be shown of a likeness: numbers and SVG paths. Pure functions, no Django."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.keypoints.localization import Matched, placement
from search.types import Features, Pixels

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


def matches(found: Matched, query: tuple[int, int], image: tuple[int, int]) -> Mapping[str, Any]:
    """Where the query lies in the found picture, and which points of both agree on that; nothing if it may be chance.

    Sizes are width and height in pixels. ``outline`` has the query's corners in shares of the found picture, clockwise
    from the query's upper left; ``pairs`` x and y in the query and x and y in the found picture, in shares.
    """
    if found.transform is None:
        return {}
    lies = placement(found.transform, query, image)
    return {
        "outline": [[round(x, 4), round(y, 4)] for x, y in lies.outline],
        "mirrored": lies.mirrored,
        "scale": round(lies.scale, 3),
        "turn": round(lies.turn, 1),
        "inside": round(lies.inside, 3),
        "covered": round(lies.covered, 3),
        "pairs": np.round(found.pairs[found.inliers], 4).tolist(),
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
