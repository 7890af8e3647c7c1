"""Distances between full histograms, compiled: every row of one matrix to every row of another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@njit(parallel=True, fastmath=True, cache=True)
def l1(queries: Floats, gallery: Floats) -> Floats:
    """Sum of differences; for histograms that sum to 1 it is 2 - 2 * intersection."""
    distances = np.empty((len(queries), len(gallery)), np.float32)
    for i in prange(len(queries)):
        for j in range(len(gallery)):
            total = np.float32(0)
            for k in range(queries.shape[1]):
                total += abs(queries[i, k] - gallery[j, k])
            distances[i, j] = total
    return distances


@njit(parallel=True, fastmath=True, cache=True)
def chi_square(queries: Floats, gallery: Floats) -> Floats:
    """Sum of (a - b)^2 / (a + b)."""
    distances = np.empty((len(queries), len(gallery)), np.float32)
    for i in prange(len(queries)):
        for j in range(len(gallery)):
            total = np.float32(0)
            for k in range(queries.shape[1]):
                difference = queries[i, k] - gallery[j, k]
                total += difference * difference / (queries[i, k] + gallery[j, k] + np.float32(1e-12))
            distances[i, j] = total
    return distances
