"""Small index rows of drawn keypoints, and their distances by votes, computed in plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from search.indexes.inverted.index import KIND_OF
from search.keypoints.codec import DESCRIPTOR, FORMAT, HEADER, POINT, codes, vectors
from search.keypoints.scoring import STRONG
from search.keypoints.vocabulary import shipped
from search.keypoints.voting import FADING
from search.types import Features

POINTS = 12
DIMENSION = HEADER.itemsize + POINTS * POINT.itemsize


def drawn(metric: str, count: int, random: np.random.Generator) -> Features:
    """Each with twelve keypoints out of sixty that were changed a little, so that pictures have words in common."""
    pool = np.random.default_rng(99).integers(0, 256, (60, DESCRIPTOR), dtype=np.uint8)
    points = np.zeros((count, POINTS), POINT)
    chosen = pool[random.integers(0, len(pool), (count, POINTS))]
    points["descriptor"] = np.where(random.random(chosen.shape) < 0.05, random.integers(0, 256, chosen.shape), chosen)
    points["size"] = random.integers(30, 60, (count, POINTS))
    points["turn"] = random.integers(0, 40, (count, POINTS))
    head = np.zeros(count, HEADER)
    head["kind"], head["format"], head["count"], head["width"], head["height"] = KIND_OF[metric], FORMAT, POINTS, 9, 9
    rows = np.empty((count, DIMENSION), np.uint8)
    rows[:, : HEADER.itemsize] = head.view(np.uint8).reshape(count, HEADER.itemsize)
    rows[:, HEADER.itemsize :] = points.view(np.uint8).reshape(count, POINTS * POINT.itemsize)
    return rows


def distances(metric: str, query: Features, rows: Features) -> list[float]:
    """By the shipped vocabulary; 0 for equal rows."""
    kind, vocabulary = KIND_OF[metric], shipped(KIND_OF[metric])
    asked, points = points_of(query[np.newaxis])[0], points_of(rows)
    held = vectors(kind, codes(kind, points["descriptor"].reshape(-1, DESCRIPTOR)))
    words, bits = (found.reshape(points.shape) for found in vocabulary.quantize(held))
    turns, sizes = np.zeros((len(rows), 16), np.float32), np.zeros((len(rows), 32), np.float32)
    looked_for = vectors(kind, codes(kind, asked["descriptor"]))
    every = np.arange(len(rows))
    for point, word, signature in zip(asked, *vocabulary.quantize(looked_for), strict=True):
        votes = np.where(words == word, vocabulary.weights[word] ** 2 * FADING[np.bitwise_count(bits ^ signature)], 0)
        best = votes.argmax(axis=1) if len(rows) else every
        other, vote = points[every, best], votes[every, best].astype(np.float32)
        turns[every, (other["turn"].astype(int) - int(point["turn"])) % 256 // 16] += vote
        sizes[every, np.clip((other["size"].astype(int) - int(point["size"]) + 128) // 8, 0, 31)] += vote
    turned = (turns + np.roll(turns, -1, axis=1)).max(axis=1)
    scaled = (sizes[:, 1:] + sizes[:, :-1]).max(axis=1)
    strengths = np.minimum(turned, scaled) / np.sqrt(float(POINTS))
    apart = 1 - STRONG * strengths / (1 + strengths)
    return [0.0 if same else float(one) for same, one in zip((rows == query).all(axis=1), apart, strict=True)]


def points_of(rows: Features) -> NDArray[np.void]:
    return np.ascontiguousarray(rows[:, HEADER.itemsize :]).view(POINT).reshape(len(rows), POINTS)
