"""Moves overlapping pictures apart by as little as it takes, so that each can be seen."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Places = NDArray[np.float64]

ROUNDS = 100
GAP = 1.02  # between the centres of two pictures, in widths of one


def spread(places: Places, rounds: int = ROUNDS) -> Places:
    """Places ``(n, 2)`` -> places whose neighbours are about ``GAP`` apart, or further where they were.

    Each round every picture steps half of what it overlaps with each neighbour (squares: the nearer side).
    """
    if len(places) < 2:
        return places.copy()
    noise = np.random.default_rng(0).normal(size=places.shape) * 1e-3  # parts what lies exactly on one spot
    now = places + noise
    for _ in range(rounds):
        moved = _pushed(now, *_grid(now))
        if np.abs(moved - now).max() < 0.02:
            return moved
        now = moved
    return now


def _grid(places: Places) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Cell numbers of the pictures sorted by cell, that order, each picture's cell; and the cells in a row."""
    cells = np.floor((places - places.min(axis=0)) / GAP).astype(np.int64) + 1
    width = int(cells[:, 0].max()) + 2
    numbers = cells[:, 1] * width + cells[:, 0]
    order = np.argsort(numbers, kind="stable")
    return numbers[order], order, numbers, width


@njit(cache=True, nogil=True)
def _pushed(
    places: Places, cells: NDArray[np.int64], order: NDArray[np.int64], numbers: NDArray[np.int64], width: int
) -> Places:
    moved = places.copy()
    for i in range(len(places)):
        for row in range(-1, 2):
            first = np.searchsorted(cells, numbers[i] + row * width - 1)
            for at in range(first, len(cells)):
                if cells[at] > numbers[i] + row * width + 1:
                    break
                j = order[at]
                dx, dy = places[i, 0] - places[j, 0], places[i, 1] - places[j, 1]
                if i == j or abs(dx) >= GAP or abs(dy) >= GAP:
                    continue
                if abs(dx) > abs(dy):
                    moved[i, 0] += (GAP - abs(dx)) * 0.35 * (1 if dx > 0 else -1)
                else:
                    moved[i, 1] += (GAP - abs(dy)) * 0.35 * (1 if dy > 0 else -1)
    return moved
