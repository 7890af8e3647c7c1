"""Which of many 256-bit hashes are near each other: all of them joined at once, not all against all.

A hash is asked with in its eight turned and mirrored forms, all in one compiled call over the tables of multi-index
hashing. Hashes that say nothing, and those that too many pictures share, are dealt with before.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.indexes.mih.index import recent
from search.indexes.mih.search import all_within
from search.indexes.mih.tables import ROWS, TABLES, Rows, Tables, cut, with_rows, without_rows
from search.kernels.compiled import Int, entry, types
from search.types import Features, Keys

RADIUS = 31  # of 256 bits; resizing and recompressing change up to some 20, unrelated pictures differ in 128
MOST_PARTNERS = 32  # of one picture: enough to see that it is one of many
THREADS = 2
WIDE = 18
TELLING = 120  # set bits: half of them are, unless coefficients are equal because there is nothing in the picture

LONGS = types.Array(types.int64, 1, "C")
FORMS = types.Array(types.uint64, 3, "C")
PAIRS = types.Tuple([LONGS, LONGS, LONGS])


class Near(NamedTuple):
    """Pairs of keys, ``first`` < ``second``, each once, and the bits in which their hashes differ."""

    first: Keys
    second: Keys
    distances: Keys


@entry(PAIRS(TABLES, ROWS, FORMS, types.int64, types.int64))
def partners(tables: Tables, none: Rows, forms: Any, radius: Int, most: Int) -> tuple[Any, Any, Any]:
    """For each of ``forms`` (n, m, words) its number, rows near one of them, and how far; ``most`` a form."""
    everything = np.empty(0, np.int64)
    askers, answers, apart = np.empty(64, np.int64), np.empty(64, np.int64), np.empty(64, np.int64)
    size = 0
    for asker in range(len(forms)):
        for form in range(forms.shape[1]):
            found, distances, count = all_within(tables, none, forms[asker, form], radius, everything)
            for place in range(min(count, most)):
                if size == len(askers):
                    askers, answers = np.append(askers, askers), np.append(answers, answers)
                    apart = np.append(apart, apart)
                askers[size], answers[size], apart[size] = asker, found[place], np.int64(distances[place])
                size += 1
    return askers[:size], answers[:size], apart[:size]


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
        dimension = rows.shape[1]
        # As for a million rows: values of so many bits leave fewer candidates, which pays when thousands ask at once.
        tables = without_rows(cut(1 << WIDE, dimension), dimension)
        self._tables = with_rows(tables, np.arange(len(self._edges) - 1), rows[new])
        self._none = recent(np.empty(0, np.int64), np.empty((0, dimension), np.uint64))

    def near(self, keys: Keys, forms: Features) -> Near:
        """Pairs of one of ``keys`` and one that is held; ``forms`` (n, m, words): each as is, then turned."""
        says = telling(forms[:, 0])
        keys, forms = keys[says], np.ascontiguousarray(forms[says])
        askers, answers, apart = self._ask(forms)
        # An equal hash stands for all pictures that have it, of which the oldest will do.
        first = self._edges[answers]
        counts = np.minimum(self._edges[answers + 1] - first, MOST_PARTNERS)
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        found = self._keys[np.repeat(first, counts) + steps]
        return nearest_of_each(np.repeat(keys[askers], counts), found, np.repeat(apart, counts))

    def _ask(self, forms: Features) -> tuple[Keys, Keys, Keys]:
        size = max(1, -(-len(forms) // THREADS))
        parts = range(0, len(forms), size)
        with ThreadPoolExecutor(THREADS) as pool:
            ask = partial(partners, self._tables, self._none, radius=RADIUS, most=MOST_PARTNERS)
            answers = list(pool.map(lambda start: ask(forms[start : start + size]), parts))
        askers = [asker + start for start, (asker, _, _) in zip(parts, answers, strict=True)]
        empty = np.empty(0, np.int64)
        others = [np.concatenate([empty, *(answer[place] for answer in answers)]) for place in (1, 2)]
        return np.concatenate([empty, *askers]), others[0], others[1]


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
