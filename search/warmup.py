"""Makes a process ready before its first request: libraries imported, kernels compiled or read from disk."""

from __future__ import annotations

import numpy as np

from search.methods import METHODS, get_method
from search.snapshots import new_index


def warm_up() -> None:
    """Run each method and its index once. numba keeps the machine code on disk, so only the first ever is slow."""
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    for space in METHODS:
        method = get_method(space)
        data = method.extract(pixels)
        index = new_index(space)
        index.add(np.array([1], np.int64), method.rows([data]))
        for query in method.queries(data):
            index.search(query, 1)
        index.remove(np.array([1], np.int64))
