"""Distances that indexes know: name -> dtype of a row and the distances of one query to many rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from search.kernels.hamming import distances
from search.keypoints.codec import ORB, SIFT
from search.keypoints.scoring import distances_by_votes
from search.types import Features, Keys

CHUNK = 1024
Rows = NDArray[Any]
Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """``distances(query (d,), rows (n, d)) -> float64 (n,)``, smaller is nearer."""

    dtype: DTypeLike
    distances: Callable[[Rows, Rows], Distances]


def hamming(query: Rows, rows: Rows) -> Distances:
    """Number of differing bits between packed uint64 words."""
    apart: Distances = distances(query, rows)
    return apart


def euclidean(query: Rows, rows: Rows) -> Distances:
    """Euclidean length of the difference, summed in float32."""
    squares = np.empty(len(rows))
    # Differences of a whole collection would not fit into the processor's cache.
    for start in range(0, len(rows), CHUNK):
        apart = rows[start : start + CHUNK] - query
        squares[start : start + CHUNK] = np.einsum("ij,ij->i", apart, apart)
    return np.sqrt(squares)


METRICS: dict[str, Metric] = {
    "hamming": Metric(np.uint64, hamming),
    "euclidean": Metric(np.float32, euclidean),
    "votes": Metric(np.uint8, partial(distances_by_votes, SIFT)),
    "votes-orb": Metric(np.uint8, partial(distances_by_votes, ORB)),
}


def checked_query(metric: str, dimension: int, feature: Features) -> Features:
    """A query, contiguous. Raises ``ValueError`` if shape or dtype is wrong, or a number is not finite."""
    row: Features = checked_rows(metric, dimension, np.asarray(feature)[np.newaxis])[0]
    return row


def checked_rows(metric: str, dimension: int, features: Features) -> Features:
    """Rows, contiguous. Raises ``ValueError`` if shape or dtype is wrong, or a number is not finite."""
    features = np.ascontiguousarray(features)
    dtype = np.dtype(METRICS[metric].dtype)
    if features.ndim != 2 or features.shape[1] != dimension or features.dtype != dtype:
        actual = f"{features.dtype} of shape {features.shape}"
        raise ValueError(f"Features for {metric} must be {dtype} of shape (n, {dimension}), not {actual}.")
    if dtype.kind == "f" and not np.isfinite(features).all():
        raise ValueError("Features must be finite numbers.")
    # The signatures of compiled code ask for writable arrays.
    return features if features.flags.writeable else features.copy()


def last_of_each(keys: Keys, features: Features) -> tuple[Keys, Features]:
    """Int64 keys without repeats, each with its last row. Raises ``ValueError`` if the lengths differ."""
    keys = np.ascontiguousarray(keys, np.int64)
    if keys.shape != (len(features),):
        raise ValueError(f"There must be one key for each of {len(features)} rows, not {keys.shape}.")
    unique, last = np.unique(keys[::-1], return_index=True)
    if len(unique) == len(keys):
        return keys, features
    chosen = np.sort(len(keys) - 1 - last)
    return keys[chosen], features[chosen]
