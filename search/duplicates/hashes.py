"""Which of many 256-bit hashes are near each other: all of them joined at once, not all against all.

A hash is compared in the eight forms of its dihedral transforms. Hashes that say nothing are left out before the join,
and equal ones take part in it once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.indexes.mih.join import HammingJoin
from search.types import Features, Keys

RADIUS = 31  # of 256 bits; resizing and recompressing change up to some 20, unrelated pictures differ in 128
MOST_PARTNERS = 32  # of one picture: enough to see that it is one of many
TELLING = 120  # set bits: half of them are, unless coefficients are equal because there is nothing in the picture


class Near(NamedTuple):
    """Pairs of keys, ``first`` < ``second``, each once, and the bits in which their hashes differ."""

    first: Keys
    second: Keys
    distances: Keys


def telling(rows: Features) -> NDArray[np.bool_]:
    """Which hashes, (n, words) uint64, say what their picture shows; those of flat ones and plain gradients do not."""
    says: NDArray[np.bool_] = np.bitwise_count(rows).sum(axis=1) >= TELLING
    return says


class Joined:
    """The hashes of a collection, (n, words) uint64, ready to be joined with some of them or with others.

    Equal ones are held once: thousands of pictures may have the same.
    """

    def __init__(self, keys: Keys, rows: Features) -> None:
        says = telling(rows)
        order = np.lexsort((keys[says], *rows[says].T))
        self._keys, rows = keys[says][order], rows[says][order]
        new = np.ones(len(rows), np.bool_)
        new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
        self._edges = np.append(np.flatnonzero(new), len(rows))
        self._join = HammingJoin(rows[new])

    def near(self, keys: Keys, forms: Features) -> Near:
        """Pairs of one of ``keys`` and one that is held; ``forms`` (n, m, words): each as is, then turned."""
        says = telling(forms[:, 0])
        keys = keys[says]
        askers, answers, apart = self._join.near(forms[says], RADIUS, MOST_PARTNERS)
        # An equal hash stands for all pictures that have it, of which the oldest will do.
        first = self._edges[answers]
        counts = np.minimum(self._edges[answers + 1] - first, MOST_PARTNERS)
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        found = self._keys[np.repeat(first, counts) + steps]
        return nearest_of_each(np.repeat(keys[askers], counts), found, np.repeat(apart, counts))


def nearest_of_each(askers: Keys, found: Keys, apart: Keys) -> Near:
    """Each pair once, at its smallest distance; of an asker the nearest ``MOST_PARTNERS``, and not itself."""
    other = askers != found
    askers, found, apart = askers[other], found[other], apart[other]
    order = np.lexsort((found, apart, askers))
    askers, found, apart = askers[order], found[order], apart[order]
    _, starts, counts = np.unique(askers, return_index=True, return_counts=True)
    rank = np.arange(len(askers)) - np.repeat(starts, counts)
    askers, found, apart = (each[rank < MOST_PARTNERS] for each in (askers, found, apart))
    first, second = np.minimum(askers, found), np.maximum(askers, found)
    order = np.lexsort((apart, second, first))
    first, second, apart = first[order], second[order], apart[order]
    new = np.ones(len(first), np.bool_)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return Near(first[new], second[new], apart[new])
