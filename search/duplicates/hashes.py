"""Which of many 256-bit hashes are near each other: all of them joined at once, not each with each.

A hash is compared in the eight forms of its dihedral transforms. Hashes of pictures with nothing in them are left out
before the join, and equal ones take part in it once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.indexes.mih.join import HammingJoin
from search.types import Features, Keys

RADIUS = 31  # of 256 bits; resizing and recompressing change up to some 20, unrelated pictures differ in 128
MOST_PARTNERS = 32  # of one picture: enough to show that it is one of many
INFORMATIVE = 120  # set bits: half of them are, unless coefficients are equal because there is nothing in the picture


class NearPairs(NamedTuple):
    """Pairs of keys, ``first`` < ``second``, each once, and the bits in which their hashes differ."""

    first: Keys
    second: Keys
    distances: Keys


def is_informative(rows: Features) -> NDArray[np.bool_]:
    """Which hashes, (n, words) uint64, say what their picture shows; those of flat ones and plain gradients do not."""
    informative: NDArray[np.bool_] = np.bitwise_count(rows).sum(axis=1) >= INFORMATIVE
    return informative


class HashJoin:
    """The hashes of a collection, (n, words) uint64, ready to be joined with some of them or with others.

    Equal ones are held once: thousands of pictures may have the same.
    """

    def __init__(self, keys: Keys, rows: Features) -> None:
        informative = is_informative(rows)
        order = np.lexsort((keys[informative], *rows[informative].T))
        self._keys, rows = keys[informative][order], rows[informative][order]
        is_new = np.ones(len(rows), np.bool_)
        is_new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
        # Keys of the i-th distinct hash: those from the i-th edge to the next, ascending.
        self._edges = np.append(np.flatnonzero(is_new), len(rows))
        self._join = HammingJoin(rows[is_new])

    def near(self, keys: Keys, forms: Features) -> NearPairs:
        """Pairs of one of ``keys`` and one of the collection.

        ``forms``: their hashes, (n, m, words), each as it is and then as its dihedral transforms.
        """
        informative = is_informative(forms[:, 0])
        keys = keys[informative]
        queries, hashes, distances = self._join.near(forms[informative], RADIUS, MOST_PARTNERS)
        # Of the pictures that share a hash, the oldest ones will do.
        first = self._edges[hashes]
        counts = np.minimum(self._edges[hashes + 1] - first, MOST_PARTNERS)
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        partners = self._keys[np.repeat(first, counts) + steps]
        return nearest_of_each(np.repeat(keys[queries], counts), partners, np.repeat(distances, counts))


def nearest_of_each(keys: Keys, partners: Keys, distances: Keys) -> NearPairs:
    """Each pair once, at its smallest distance; of a key the nearest ``MOST_PARTNERS``, and not itself."""
    other = keys != partners
    keys, partners, distances = keys[other], partners[other], distances[other]
    order = np.lexsort((partners, distances, keys))
    keys, partners, distances = keys[order], partners[order], distances[order]
    _, starts, counts = np.unique(keys, return_index=True, return_counts=True)
    rank = np.arange(len(keys)) - np.repeat(starts, counts)
    keys, partners, distances = (column[rank < MOST_PARTNERS] for column in (keys, partners, distances))
    first, second = np.minimum(keys, partners), np.maximum(keys, partners)
    order = np.lexsort((distances, second, first))
    first, second, distances = first[order], second[order], distances[order]
    is_new = np.ones(len(first), np.bool_)
    is_new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return NearPairs(first[is_new], second[is_new], distances[is_new])
