"""Makes a process ready before its first request: libraries imported, kernels compiled or read from disk."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from search.exceptions import SpaceUnavailable
from search.indexes import new_tail
from search.methods import METHODS, get_method, method_class
from search.methods.base import Method, Picture
from search.snapshots.loading import new_index
from search.snapshots.shared import is_shared


def warm_up(*, networks: bool = True) -> None:
    """Run each method and its index once. numba keeps the machine code on disk, so only the first ever is slow.

    Spaces whose model is missing are left out, and unless ``networks`` all that need one. The database is not read.
    """
    picture = Picture(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8))
    for space in METHODS:
        with suppress(SpaceUnavailable):
            if networks or not method_class(space).needs_encoder:
                _run(space, get_method(space), picture)


def _run(space: str, method: Method, picture: Picture) -> None:
    data = method.extract_many([picture])[0]
    made = new_index(space, method)
    index = new_tail(made) if is_shared(made) else made  # a server is warm already
    index.add(np.array([1], np.int64), method.rows([data]))
    for query in [*method.queries(data), *(method.encode_text("a dog") if method.knows_words else ())]:
        index.search(query, 1)
    index.remove(np.array([1], np.int64))
