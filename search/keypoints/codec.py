"""The stored form of keypoints: 70 bytes each, at most 400 of them, so at most 28 KB a picture.

A descriptor takes 64 bytes. RootSIFT: 128 numbers in steps of 1/40, up to 15/40, two in a byte; a byte for each would
leave room for 268 keypoints in 36 KB. Over twelve hard edits the right picture has 48 distinct inliers at the median,
and 6 in the worst hundredth; with 268 keypoints of a byte for each number, 39 and 5; with 400 of them, 48 and 6.8.
ORB: its 256 bits, and the 256 bits of the same keypoint in the mirrored picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIFT, ORB = 1, 2
KINDS = {"sift": SIFT, "orb": ORB}
MOST = 400
DESCRIPTOR = 64
POSITION_STEPS = 64  # steps in a pixel of the working picture
DIRECTION_STEPS = 256  # steps in 360 degrees
SIZE_STEPS = 16  # steps in a doubling of the keypoint's size

HEADER = np.dtype([("kind", "u1"), ("format", "u1"), ("count", "<u2"), ("width", "<u2"), ("height", "<u2")])
POINT = np.dtype([("descriptor", "u1", DESCRIPTOR), ("x", "<u2"), ("y", "<u2"), ("size", "u1"), ("turn", "u1")])
FORMAT = 1
ROW = HEADER.itemsize + MOST * POINT.itemsize

# Where each number of a SIFT descriptor (4 x 4 cells x 8 directions) is in that of the mirrored picture.
MIRRORED = np.arange(128).reshape(4, 4, 8)[::-1, :, -np.arange(8) % 8].ravel()

Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Keypoints:
    """``n`` keypoints of a picture, the strongest of each part of it first.

    ``codes``: ``(n, 128)`` numbers 0..15 of RootSIFT, or ``(n, 256)`` bits of ORB. ``points``: ``(n, 2)`` x and y in
    pixels of the working picture, whose size is ``(width, height)``; ``sizes`` in pixels, ``directions`` in degrees.
    """

    kind: int
    width: int
    height: int
    codes: Codes
    points: Floats
    sizes: Floats
    directions: Floats

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def vectors(self) -> Floats:
        return vectors(self.kind, self.codes)


def vectors(kind: int, numbers: Codes) -> Floats:
    """``(n, 128)`` or ``(n, 256)`` descriptors as floats of length about 1, to be compared by their products."""
    if kind == ORB:
        return numbers.astype(np.float32) / np.float32(8) - np.float32(1 / 16)
    return numbers.astype(np.float32) / np.float32(40)


def pack(kind: int, size: tuple[int, int], descriptors: Codes, positions: Floats) -> bytes:
    """Stored form of keypoints: ``(n, 64)`` descriptor bytes, and ``(n, 4)`` x, y, size and direction in degrees."""
    header = np.array([(kind, FORMAT, len(descriptors), *size)], HEADER)
    points = np.zeros(len(descriptors), POINT)
    points["descriptor"] = descriptors
    for column, name in enumerate("xy"):
        points[name] = np.clip(np.rint(positions[:, column] * POSITION_STEPS), 0, 65535)
    points["size"] = np.clip(np.rint(np.log2(np.maximum(positions[:, 2], 1)) * SIZE_STEPS), 0, 255)
    points["turn"] = np.rint(positions[:, 3] * DIRECTION_STEPS / 360).astype(np.int64) % DIRECTION_STEPS
    return header.tobytes() + points.tobytes()


def fits(stored: bytes) -> bool:
    """Whether these bytes have the layout that ``pack`` writes."""
    if len(stored) < HEADER.itemsize:
        return False
    kind, version, count, width, height = np.frombuffer(stored, HEADER, 1)[0].tolist()
    expected = HEADER.itemsize + count * POINT.itemsize
    intact = kind in KINDS.values() and version == FORMAT and len(stored) == expected
    return bool(intact and count <= MOST and width * height > 0)


def kind(stored: bytes) -> int:
    """SIFT or ORB, by the header of stored keypoints."""
    return stored[0]


def count(stored: bytes) -> int:
    """How many keypoints are stored."""
    return int(np.frombuffer(stored, HEADER, 1)[0]["count"])


def rows(stored: Sequence[bytes]) -> NDArray[np.uint8]:
    """Index rows ``(n, ROW)`` uint8: stored keypoints, each filled up with zeros."""
    result = np.zeros((len(stored), ROW), np.uint8)
    for row, each in zip(result, stored, strict=True):
        row[: len(each)] = np.frombuffer(each, np.uint8)
    return result


def raw_points(row: bytes | NDArray[Any]) -> NDArray[np.void]:
    """The keypoints of a stored feature or of an index row, not decoded; no more than there is room for."""
    room = (len(row) - HEADER.itemsize) // POINT.itemsize
    head = np.frombuffer(row, HEADER, 1)[0]
    return np.frombuffer(row, POINT, min(int(head["count"]), max(room, 0)), HEADER.itemsize)


def unpack(row: bytes | NDArray[Any]) -> Keypoints:
    """A stored feature or an index row as numbers."""
    head, points = np.frombuffer(row, HEADER, 1)[0], raw_points(row)
    positions: Any = np.stack([points["x"], points["y"]], axis=1).astype(np.float32) / POSITION_STEPS
    sizes: Any = np.exp2(points["size"].astype(np.float32) / SIZE_STEPS)
    directions: Any = points["turn"].astype(np.float32) * np.float32(360 / DIRECTION_STEPS)
    return Keypoints(
        int(head["kind"]),
        int(head["width"]),
        int(head["height"]),
        codes(int(head["kind"]), points["descriptor"]),
        positions,
        sizes,
        directions,
    )


def codes(kind: int, descriptors: Codes) -> Codes:
    """``(n, 64)`` stored bytes -> ``(n, 128)`` numbers 0..15, or the 256 bits of ORB."""
    if kind == ORB:
        return np.unpackbits(descriptors[:, : DESCRIPTOR // 2], axis=1)
    wide = np.empty((len(descriptors), 2 * DESCRIPTOR), np.uint8)
    wide[:, 0::2], wide[:, 1::2] = descriptors >> 4, descriptors & 15
    return wide


def mirrored(stored: bytes) -> bytes:
    """What would be stored of the mirrored picture."""
    head, points = np.frombuffer(stored, HEADER, 1).copy(), raw_points(stored).copy()
    if head[0]["kind"] == ORB:
        points["descriptor"] = np.roll(points["descriptor"], DESCRIPTOR // 2, axis=1)
    else:
        wide = codes(SIFT, points["descriptor"])[:, MIRRORED]
        points["descriptor"] = wide[:, 0::2] << 4 | wide[:, 1::2]
    last = (int(head[0]["width"]) - 1) * POSITION_STEPS
    points["x"] = np.maximum(last - points["x"].astype(np.int64), 0)
    points["turn"] = (DIRECTION_STEPS // 2 - points["turn"].astype(np.int64)) % DIRECTION_STEPS
    return head.tobytes() + points.tobytes()
