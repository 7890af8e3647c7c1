"""Visual words: similar descriptors are quantized to the same word, and a signature tells them apart within it.

Sivic and Zisserman, "Video Google", 2003; signatures: Jegou, Douze and Schmid, "Hamming embedding and weak geometric
consistency for large scale image search", 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from search.keypoints import extraction
from search.keypoints.codec import Floats, unpack

SIGNATURE = 64  # bits
AT_ONCE = 1024  # descriptors that are compared with all words at once
ROUNDS = 5  # of k-means
SAMPLE = 32  # descriptors a word is trained from
COUNTED = 256  # pictures in which words are counted, to know which are rare
SHIPPED = 256  # words of the vocabulary that needs no collection to be trained on
DRAWN = 12  # pictures that it is trained on

EVEN = np.ones(1, np.float32)

Words = NDArray[np.int64]
Signatures = NDArray[np.uint64]


class Vocabulary:
    """``centres``: of the words, projected, ``(k, 64)``; ``weights``: their inverse document frequencies ``(k,)``."""

    def __init__(self, centres: Floats, weights: Floats) -> None:
        self.centres, self.weights = centres, weights
        # The nearest centre is that with the largest product less half its own square.
        self._columns = np.concatenate((centres.T, -np.einsum("ij,ij->i", centres, centres)[np.newaxis] / 2))

    def __len__(self) -> int:
        return len(self.centres)

    def quantize(self, vectors: Floats) -> tuple[Words, Signatures]:
        """The word of each descriptor, and its signature: the signs of what is left of it without the word's centre."""
        points = projected(vectors)
        words = self.nearest(points)
        bits: Signatures = np.packbits(points > self.centres[words], axis=1).view(np.uint64)[:, 0]
        return words, bits

    def nearest(self, points: Floats) -> Words:
        """The word of each projected descriptor."""
        words = np.empty(len(points), np.int64)
        for start in range(0, len(points), AT_ONCE):
            part = points[start : start + AT_ONCE]
            words[start : start + AT_ONCE] = (part @ self._columns[:-1] + self._columns[-1]).argmax(axis=1)
        return words


def projected(vectors: Floats) -> Floats:
    """Descriptors projected to 64 dimensions, which keep most of what tells them apart."""
    points: Floats = vectors @ directions(vectors.shape[1])
    return points


@cache
def directions(dimension: int) -> Floats:
    """``(dimension, 64)`` orthonormal columns, from a bit stream that NumPy keeps the same in all its releases."""
    raw = np.random.PCG64(64).random_raw(dimension * SIGNATURE // 64).astype("<u8")
    signs = np.unpackbits(raw.view(np.uint8)).reshape(dimension, SIGNATURE) * 2.0 - 1
    columns: Any = np.linalg.qr(signs)[0].astype(np.float32)
    return cast(Floats, columns)


def train(pictures: Sequence[Floats], size: int, seed: int = 0) -> Vocabulary:
    """Words from the descriptors of each of some pictures, by k-means (Lloyd); the same for the same seed."""
    random = np.random.default_rng(seed)
    points = projected(np.concatenate(pictures))
    sample = points[np.sort(random.permutation(len(points))[: SAMPLE * size])]
    centres = sample[np.sort(random.permutation(len(sample))[:size])]
    for _ in range(ROUNDS):
        centres = means(sample, Vocabulary(centres, EVEN).nearest(sample), centres)
    return Vocabulary(centres, rarities(Vocabulary(centres, EVEN), pictures[:COUNTED]))


def means(vectors: Floats, words: Words, centres: Floats) -> Floats:
    """The mean of each word's vectors; a word without any stays where it is."""
    order = np.argsort(words, kind="stable")
    used, starts, counts = np.unique(words[order], return_index=True, return_counts=True)
    moved = centres.copy()
    moved[used] = np.add.reduceat(vectors[order], starts, axis=0) / counts[:, None]
    return moved


def rarities(vocabulary: Vocabulary, pictures: Sequence[Floats]) -> Floats:
    """Inverse document frequency of each word, 1 on average of its uses."""
    used = np.zeros(len(vocabulary))
    for vectors in pictures:
        used[np.unique(vocabulary.quantize(vectors)[0])] += 1
    rare = np.log(1 + len(pictures) / (1 + used))
    weights: Floats = (rare / np.average(rare, weights=1 + used)).astype(np.float32)
    return weights


@cache
def shipped(kind: int) -> Vocabulary:
    """A small vocabulary, trained on randomly drawn pictures, for a collection that has none of its own yet."""
    pictures = [unpack(extraction.extract(drawing(seed), kind)).vectors for seed in range(DRAWN)]
    return train(pictures, SHIPPED)


def drawing(seed: int, side: int = 400) -> NDArray[np.uint8]:
    """A picture of coloured shapes over clouds and grain: edges, corners, blobs and textures of all sizes."""
    random = np.random.default_rng(seed)
    canvas = np.zeros((side, side, 3), np.float32)
    for cells in (3, 8, 25, 80, 200):
        coarse = random.normal(0, 25, (cells, cells, 3)).astype(np.float32)
        canvas += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    for _ in range(40):
        shade, corners = random.normal(0, 60, 3).tolist(), random.integers(0, side, (4, 1, 2)).astype(np.int32)
        if random.random() < 0.5:
            cv2.fillPoly(canvas, [corners[:3]], shade)
        elif random.random() < 0.5:
            cv2.circle(canvas, corners[0, 0].tolist(), int(random.integers(3, 60)), shade, -1)
        else:
            cv2.polylines(canvas, [corners], False, shade, int(random.integers(1, 9)))
    return np.clip(canvas + 128, 0, 255).astype(np.uint8)
