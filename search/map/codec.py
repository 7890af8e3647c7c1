"""One picture's place as bytes: how the database keeps it, and how browsers get all of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# ``ratio`` is log2(width / height) in steps of 1/32, 128 for a square.
RECORD = np.dtype(
    [("id", "<i8"), ("x", "<f4"), ("y", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1"), ("ratio", "u1")]
)
MAGIC = b"MAP1"
STEPS = 65_535
Records = NDArray[np.void]
About = tuple[int, str, int, int]  # id, colour "#rrggbb", width, height


def records(abouts: Iterable[About], places: NDArray[np.floating]) -> Records:
    """Records of pictures at ``(n, 2)`` places."""
    rows = [(key, *bytes.fromhex(colour[1:]), ratio_of(width, height)) for key, colour, width, height in abouts]
    made = np.zeros(len(rows), RECORD)
    for column, name in enumerate(("id", "red", "green", "blue", "ratio")):
        made[name] = [row[column] for row in rows]
    made["x"], made["y"] = np.asarray(places).reshape(-1, 2).T
    return made


def ratio_of(width: int, height: int) -> int:
    return int(np.clip(round(float(np.log2(width / height)) * 32) + 128, 0, 255))


def unpack(data: bytes | memoryview | None) -> Records:
    return np.frombuffer(bytes(data or b""), RECORD)


def for_browsers(found: Records, slots: NDArray[np.integer]) -> bytes:
    """16 bytes a picture, little-endian, one column after another.

    ``MAP1``, count (u32), left, top, width, height of the map (f32), then ids (u32), slots (u32), x and y
    (u16, of 65,535 parts of width and height), red, green, blue, ratio (u8 each). Raises OverflowError for an
    id beyond 32 bits.
    """
    if len(found) and found["id"].max() >= 2**32:
        raise OverflowError("The map takes ids up to 4,294,967,295.")
    low, size = bounds(found)
    axes = [np.rint((found[axis] - low[i]) / size[i] * STEPS).astype("<u2") for i, axis in enumerate("xy")]
    shades = [found[name] for name in ("red", "green", "blue", "ratio")]
    columns = [found["id"].astype("<u4"), slots.astype("<u4"), *axes, *shades]
    return MAGIC + struct.pack("<I4f", len(found), *low, *size) + b"".join(column.tobytes() for column in columns)


def bounds(found: Records) -> tuple[tuple[float, float], tuple[float, float]]:
    """Left and top, width and height of the area, with half a picture around it."""
    if not len(found):
        return (0.0, 0.0), (1.0, 1.0)
    low = [float(found[axis].min()) - 0.5 for axis in "xy"]
    high = [float(found[axis].max()) + 0.5 for axis in "xy"]
    return (low[0], low[1]), (high[0] - low[0], high[1] - low[1])
