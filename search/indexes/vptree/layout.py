"""How a VP-tree lies in flat arrays, and what its compiled kernels share.

Rows live in blocks of ``BLOCK`` slots, a leaf is a chain of blocks whose first may be partly filled.
A block holds the first words of all its rows, then the second words, so that one instruction serves many.
Vantage points are copies, so a removed row leaves no trace: the last row of its leaf takes its slot.
An open-addressing table leads from a key to its slot.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from search.kernels.compiled import KEYS, PACKED_ROWS, Int, compiled, popcount, types

FORMAT = 2
BLOCK = 32
LEAF = 128
MAX_DEPTH = 192
LEFT, RIGHT, CUT, LEFT_LO, LEFT_HI, RIGHT_LO, RIGHT_HI, SIZE = range(8)  # nodes; in a leaf RIGHT is its block
PARENT, CHANGES, PEAK = range(3)  # upkeep; in a leaf PEAK is the size at which a split is tried
OWNER, NEXT, COUNT = range(3)  # blocks
ROWS, BLOCKS, FREE_BLOCK, NODES, FREE_NODE, SEED, MADE_AS, ALLOWANCE = range(8)  # head
NONE = -1


class Tree(NamedTuple):
    """``words`` is ``(blocks, words of a row, BLOCK)``, ``keys`` one a slot; node 0 is the root."""

    words: NDArray[np.uint64]
    keys: NDArray[np.int64]
    blocks: NDArray[np.int32]
    nodes: NDArray[np.int32]
    vantage: NDArray[np.uint64]
    upkeep: NDArray[np.int32]
    table: NDArray[np.int32]
    head: NDArray[np.int64]


WORDS = types.Array(types.uint64, 3, "C")
INTS = types.Array(types.int32, 2, "C")
TABLE = types.Array(types.int32, 1, "C")
TREE = types.NamedTuple((WORDS, KEYS, INTS, INTS, PACKED_ROWS, INTS, TABLE, KEYS), Tree)


@compiled
def differing(words: Any, row: Int, query: Any) -> Int:
    """Hamming distance of one row to the query."""
    total = 0
    for word in range(query.shape[0]):
        total += popcount(words[row, word] ^ query[word])
    return total
