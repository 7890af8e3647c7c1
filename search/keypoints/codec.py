"""Keypoints as bytes: 70 a keypoint, at most 400 of them, so at most 28 KB a picture.

A descriptor takes 64 bytes. RootSIFT: 128 numbers in steps of 1/40, up to 15/40, two in a byte; a byte for each would
leave room for 268 keypoints in 36 KB. Over twelve hard edits the right picture agrees in 48 spots at the median and 6
in the worst hundredth; with 268 keypoints of a byte for each number, in 39 and 5; with 400 of them, in 48 and 6.8.
ORB: its 256 bits, and the 256 bits of the same spot in the mirrored picture.
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
PLACES = 64  # steps in a pixel of the working picture
TURNS = 256  # steps in a full turn
SIZES = 16  # steps in a doubling of the keypoint's size

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
    """``n`` keypoints of a picture, the most telling ones first.

    ``codes``: ``(n, 128)`` numbers 0..15 of RootSIFT, or ``(n, 256)`` bits of ORB. ``points``: ``(n, 2)`` x and y in
    pixels of the working picture, whose size is ``(width, height)``; ``sizes`` in such pixels, ``turns`` in degrees.
    """

    kind: int
    width: int
    height: int
    codes: Codes
    points: Floats
    sizes: Floats
    turns: Floats

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


def pack(kind: int, size: tuple[int, int], descriptors: Codes, places: Floats) -> bytes:
    """Stored form of keypoints: ``(n, 64)`` descriptor bytes, and ``(n, 4)`` x, y, size and turn in degrees."""
    header = np.array([(kind, FORMAT, len(descriptors), *size)], HEADER)
    points = np.zeros(len(descriptors), POINT)
    points["descriptor"] = descriptors
    for column, name in enumerate("xy"):
        points[name] = np.clip(np.rint(places[:, column] * PLACES), 0, 65535)
    points["size"] = np.clip(np.rint(np.log2(np.maximum(places[:, 2], 1)) * SIZES), 0, 255)
    points["turn"] = np.rint(places[:, 3] * TURNS / 360).astype(np.int64) % TURNS
    return header.tobytes() + points.tobytes()


def fits(stored: bytes) -> bool:
    """Whether these bytes have the layout of a record."""
    if len(stored) < HEADER.itemsize:
        return False
    kind, version, count, width, height = np.frombuffer(stored, HEADER, 1)[0].tolist()
    whole = HEADER.itemsize + count * POINT.itemsize
    right = kind in KINDS.values() and version == FORMAT and len(stored) == whole
    return bool(right and count <= MOST and width * height > 0)


def kind(stored: bytes) -> int:
    """Of what kind its keypoints are."""
    return stored[0]


def count(stored: bytes) -> int:
    """How many keypoints a record holds."""
    return int(np.frombuffer(stored, HEADER, 1)[0]["count"])


def rows(stored: Sequence[bytes]) -> NDArray[np.uint8]:
    """``(n, ROW)``: records, each filled up with zeros."""
    found = np.zeros((len(stored), ROW), np.uint8)
    for row, record in zip(found, stored, strict=True):
        row[: len(record)] = np.frombuffer(record, np.uint8)
    return found


def raw_points(row: bytes | NDArray[Any]) -> NDArray[np.void]:
    """The points of a record or of an index row, as they are stored; no more than there is room for."""
    room = (len(row) - HEADER.itemsize) // POINT.itemsize
    head = np.frombuffer(row, HEADER, 1)[0]
    return np.frombuffer(row, POINT, min(int(head["count"]), max(room, 0)), HEADER.itemsize)


def unpack(row: bytes | NDArray[Any]) -> Keypoints:
    """A record or an index row as numbers."""
    head, points = np.frombuffer(row, HEADER, 1)[0], raw_points(row)
    places: Any = np.stack([points["x"], points["y"]], axis=1).astype(np.float32) / PLACES
    sizes: Any = np.exp2(points["size"].astype(np.float32) / SIZES)
    turns: Any = points["turn"].astype(np.float32) * np.float32(360 / TURNS)
    return Keypoints(
        int(head["kind"]),
        int(head["width"]),
        int(head["height"]),
        codes(int(head["kind"]), points["descriptor"]),
        places,
        sizes,
        turns,
    )


def codes(kind: int, descriptors: Codes) -> Codes:
    """``(n, 64)`` stored bytes -> ``(n, 128)`` numbers 0..15, or the 256 bits of ORB."""
    if kind == ORB:
        return np.unpackbits(descriptors[:, : DESCRIPTOR // 2], axis=1)
    wide = np.empty((len(descriptors), 2 * DESCRIPTOR), np.uint8)
    wide[:, 0::2], wide[:, 1::2] = descriptors >> 4, descriptors & 15
    return wide


def mirrored(record: bytes) -> bytes:
    """The record that the mirrored picture would give."""
    head, points = np.frombuffer(record, HEADER, 1).copy(), raw_points(record).copy()
    if head[0]["kind"] == ORB:
        points["descriptor"] = np.roll(points["descriptor"], DESCRIPTOR // 2, axis=1)
    else:
        wide = codes(SIFT, points["descriptor"])[:, MIRRORED]
        points["descriptor"] = wide[:, 0::2] << 4 | wide[:, 1::2]
    last = (int(head[0]["width"]) - 1) * PLACES
    points["x"] = np.maximum(last - points["x"].astype(np.int64), 0)
    points["turn"] = (TURNS // 2 - points["turn"].astype(np.int64)) % TURNS
    return head.tobytes() + points.tobytes()
