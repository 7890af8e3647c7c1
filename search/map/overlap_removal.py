"""Moves overlapping pictures apart by as little as it takes, so that each can be seen."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Centres = NDArray[np.float64]  # (n, 2)

ROUNDS = 100
GAP = 1.02  # between the centres of two pictures, in widths of one
SHARE = 0.35  # of an overlap that each of the two steps back in a round: less than half, so that crowds do not swing


def remove_overlaps(centres: Centres, rounds: int = ROUNDS) -> Centres:
    """Centres ``(n, 2)`` of squares -> centres that are about ``GAP`` apart, or further where they were.

    Each round every picture steps back from each neighbour that it overlaps, along the shorter side of the overlap.
    """
    if len(centres) < 2:
        return centres.copy()
    noise = np.random.default_rng(0).normal(size=centres.shape) * 1e-3  # parts what lies exactly on one spot
    current = centres + noise
    for _ in range(rounds):
        moved = _step(current, *_grid(current))
        if np.abs(moved - current).max() < 0.02:
            return moved
        current = moved
    return current


def _grid(centres: Centres) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Cell numbers of the pictures sorted by cell, that order, each picture's cell; and the cells in a row."""
    cells = np.floor((centres - centres.min(axis=0)) / GAP).astype(np.int64) + 1
    width = int(cells[:, 0].max()) + 2
    numbers = cells[:, 1] * width + cells[:, 0]
    order = np.argsort(numbers, kind="stable")
    return numbers[order], order, numbers, width


@njit(cache=True, nogil=True)
def _step(
    centres: Centres, cells: NDArray[np.int64], order: NDArray[np.int64], numbers: NDArray[np.int64], width: int
) -> Centres:
    """One round. Only the pictures of a cell and the eight around it can overlap; ``cells`` is sorted for that."""
    moved = centres.copy()
    for i in range(len(centres)):
        for row in range(-1, 2):
            first = np.searchsorted(cells, numbers[i] + row * width - 1)
            for at in range(first, len(cells)):
                if cells[at] > numbers[i] + row * width + 1:
                    break
                j = order[at]
                dx, dy = centres[i, 0] - centres[j, 0], centres[i, 1] - centres[j, 1]
                if i == j or abs(dx) >= GAP or abs(dy) >= GAP:
                    continue
                if abs(dx) > abs(dy):
                    moved[i, 0] += (GAP - abs(dx)) * SHARE * (1 if dx > 0 else -1)
                else:
                    moved[i, 1] += (GAP - abs(dy)) * SHARE * (1 if dy > 0 else -1)
    return moved
