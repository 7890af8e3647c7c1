"""Positions as bytes: how the database keeps them, and how browsers get all of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# ``id`` of the picture, its centre ``x, y`` in widths of one picture, its mean colour, and ``ratio``:
# log2(width / height) in steps of 1/32, 128 for a square.
POSITION = np.dtype(
    [("id", "<i8"), ("x", "<f4"), ("y", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1"), ("ratio", "u1")]
)
MAGIC = b"MAP1"
STEPS = 65_535
Positions = NDArray[np.void]  # of dtype POSITION
ImageFacts = tuple[int, str, int, int]  # id, colour "#rrggbb", width, height


def positions_of(images: Iterable[ImageFacts], centres: NDArray[np.floating]) -> Positions:
    """The positions of n pictures whose centres are ``(n, 2)``."""
    rows = [(key, *bytes.fromhex(colour[1:]), ratio_of(width, height)) for key, colour, width, height in images]
    positions = np.zeros(len(rows), POSITION)
    for column, name in enumerate(("id", "red", "green", "blue", "ratio")):
        positions[name] = [row[column] for row in rows]
    positions["x"], positions["y"] = np.asarray(centres).reshape(-1, 2).T
    return positions


def centres_of(positions: Positions) -> NDArray[np.float32]:
    """``(n, 2)``."""
    return np.column_stack([positions["x"], positions["y"]])


def ratio_of(width: int, height: int) -> int:
    """Width by height in one byte: 32 steps to a doubling, a square is 128."""
    return int(np.clip(round(float(np.log2(width / height)) * 32) + 128, 0, 255))


def unpack(data: bytes | memoryview | None) -> Positions:
    """The positions that were stored as ``tobytes()``; none for None."""
    return np.frombuffer(bytes(data or b""), POSITION)


def for_browsers(positions: Positions, slots: NDArray[np.integer]) -> bytes:
    """16 bytes a picture, little-endian, one column after another.

    ``MAP1``, count (u32), left, top, width, height of the map (f32), then ids (u32), slots (u32), x and y
    (u16, of 65,535 parts of width and height), red, green, blue, ratio (u8 each). Raises OverflowError for an
    id beyond 32 bits.
    """
    if len(positions) and positions["id"].max() >= 2**32:
        raise OverflowError("The map takes ids up to 4,294,967,295.")
    low, size = bounds(positions)
    axes = [np.rint((positions[axis] - low[i]) / size[i] * STEPS).astype("<u2") for i, axis in enumerate("xy")]
    shades = [positions[name] for name in ("red", "green", "blue", "ratio")]
    columns = [positions["id"].astype("<u4"), slots.astype("<u4"), *axes, *shades]
    return MAGIC + struct.pack("<I4f", len(positions), *low, *size) + b"".join(column.tobytes() for column in columns)


def bounds(positions: Positions) -> tuple[tuple[float, float], tuple[float, float]]:
    """Left and top, width and height of the area, with half a picture around it."""
    if not len(positions):
        return (0.0, 0.0), (1.0, 1.0)
    low = [float(positions[axis].min()) - 0.5 for axis in "xy"]
    high = [float(positions[axis].max()) + 0.5 for axis in "xy"]
    return (low[0], low[1]), (high[0] - low[0], high[1] - low[1])
