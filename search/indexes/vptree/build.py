"""Building a VP-tree, or the part of one under a node, from the top down (Yianilos 1993)."""

from __future__ import annotations

from typing import Any

import numpy as np

from search.indexes.vptree.layout import (
    BLOCK,
    BLOCKS,
    CHANGES,
    COUNT,
    CUT,
    FREE_BLOCK,
    FREE_NODE,
    LEAF,
    LEFT,
    LEFT_HI,
    LEFT_LO,
    MAX_DEPTH,
    NEXT,
    NODES,
    NONE,
    PARENT,
    PEAK,
    RIGHT,
    RIGHT_HI,
    RIGHT_LO,
    ROWS,
    SEED,
    SIZE,
    Tree,
    differing,
)
from search.indexes.vptree.rows import find, put, take_node, with_room
from search.kernels.compiled import Int, compiled


@compiled
def gather(tree: Tree, top: Int, words: Any, keys: Any, positions: Any) -> Int:
    """Copy all rows under a node out, with their table positions, and free everything under it."""
    stack = np.empty(2 * MAX_DEPTH, np.int64)
    stack[0], depth, rows = top, 1, 0
    while depth > 0:
        depth -= 1
        node = stack[depth]
        if tree.nodes[node, LEFT] >= 0:
            stack[depth], stack[depth + 1] = tree.nodes[node, LEFT], tree.nodes[node, RIGHT]
            depth += 2
        else:
            rows = empty_leaf(tree, node, words, keys, positions, rows)
        if node != top:
            tree.upkeep[node, PARENT] = tree.head[FREE_NODE]
            tree.head[FREE_NODE] = node
    return rows


@compiled
def empty_leaf(tree: Tree, leaf: Int, words: Any, keys: Any, positions: Any, rows: Int) -> Int:
    """Move the leaf's rows to the arrays from ``rows`` on, and free its blocks. Returns the number of rows then."""
    block = tree.nodes[leaf, RIGHT]
    while block >= 0:
        for row in range(tree.blocks[block, COUNT]):
            for word in range(words.shape[1]):
                words[rows, word] = tree.words[block, word, row]
            keys[rows] = tree.keys[block * BLOCK + row]
            positions[rows] = find(tree, keys[rows])
            rows += 1
        following = tree.blocks[block, NEXT]
        tree.blocks[block, NEXT], tree.blocks[block, COUNT] = tree.head[FREE_BLOCK], 0
        tree.head[FREE_BLOCK] = block
        block = following
    return rows


@compiled
def chance(tree: Tree, below: Int) -> Int:
    """A repeatable random number (Knuth's MMIX generator)."""
    state = np.uint64(tree.head[SEED]) * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    tree.head[SEED] = np.int64(state)
    return np.int64((state >> np.uint64(33)) % np.uint64(below))


@compiled
def choose_vantage(tree: Tree, words: Any, start: Int, stop: Int) -> Int:
    """Of 5 rows the one whose distances to 20 others vary most: it cuts sharpest (Yianilos 1993)."""
    best, best_spread = start, -1.0
    for _ in range(5):
        row = start + chance(tree, stop - start)
        total, squares = 0.0, 0.0
        for _ in range(20):
            apart = differing(words, start + chance(tree, stop - start), words[row])
            total += apart
            squares += apart * apart
        if squares - total * total / 20 > best_spread:
            best, best_spread = row, squares - total * total / 20
    return best


@compiled
def span(apart: Any) -> tuple[Int, Int]:
    """The least and the greatest of these distances."""
    low = high = apart[0]
    for distance in apart:
        low, high = min(low, distance), max(high, distance)
    return low, high


@compiled
def choose_cut(apart: Any) -> Int:
    """The distance that halves the rows best, or NONE if too few would go to one side."""
    low, high = span(apart)
    counts = np.zeros(high - low + 1, np.int64)
    for distance in apart:
        counts[distance - low] += 1
    best, best_side, below = NONE, min(len(apart) // 8, BLOCK) - 1, 0
    for step in range(len(counts) - 1):
        below += counts[step]
        if min(below, len(apart) - below) > best_side:
            best, best_side = low + step, min(below, len(apart) - below)
    return best


@compiled
def partition(words: Any, keys: Any, positions: Any, apart: Any, cut: Int) -> Int:
    """Bring rows at distance <= cut to the front; return how many."""
    front, back = 0, len(keys) - 1
    while front <= back:
        if apart[front] <= cut:
            front += 1
            continue
        for word in range(words.shape[1]):
            words[front, word], words[back, word] = words[back, word], words[front, word]
        keys[front], keys[back] = keys[back], keys[front]
        positions[front], positions[back] = positions[back], positions[front]
        apart[front], apart[back] = apart[back], apart[front]
        back -= 1
    return front


@compiled
def fill_leaf(tree: Tree, leaf: Int, words: Any, keys: Any, positions: Any) -> Tree:
    """Make a node a leaf of these rows; one that could not be split waits until it has doubled."""
    tree.nodes[leaf, LEFT], tree.nodes[leaf, RIGHT], tree.nodes[leaf, SIZE] = NONE, NONE, len(keys)
    tree.upkeep[leaf, CHANGES], tree.upkeep[leaf, PEAK] = 0, LEAF if len(keys) <= LEAF else 2 * len(keys)
    for row in range(len(keys)):
        tree = put(tree, leaf, keys[row], words, row, positions[row])
    return tree


@compiled
def fork(tree: Tree, node: Int, cut: Int, left: Any, right: Any) -> Tree:
    """Make a node a branch; ``left`` and ``right`` are the distances of its rows to its vantage point."""
    tree = with_room(tree, 0, 2)
    tree.nodes[node, LEFT], tree.nodes[node, RIGHT] = take_node(tree, node), take_node(tree, node)
    tree.nodes[node, LEFT_LO], tree.nodes[node, LEFT_HI] = span(left)
    tree.nodes[node, RIGHT_LO], tree.nodes[node, RIGHT_HI] = span(right)
    tree.nodes[node, CUT], tree.nodes[node, SIZE] = cut, len(left) + len(right)
    tree.upkeep[node, CHANGES], tree.upkeep[node, PEAK] = 0, len(left) + len(right)
    return tree


@compiled
def rebuild(tree: Tree, top: Int) -> Tree:
    """Build the part of the tree under a node anew, from the top down."""
    rows = tree.head[ROWS] if top == 0 else np.int64(tree.nodes[top, SIZE])
    words, keys = np.empty((rows, tree.vantage.shape[1]), np.uint64), np.empty(rows, np.int64)
    positions, apart = np.empty(rows, np.int32), np.empty(rows, np.int32)
    gather(tree, top, words, keys, positions)
    if top == 0:
        tree.head[BLOCKS], tree.head[NODES] = 0, 1
        tree.head[FREE_BLOCK] = tree.head[FREE_NODE] = NONE
    waiting = [(np.int64(top), np.int64(0), rows, depth_of(tree, top))]
    while len(waiting) > 0:
        node, start, stop, depth = waiting.pop()
        part = slice(start, stop)
        middle, cut = start, NONE
        if stop - start > LEAF and depth < MAX_DEPTH:
            cut = choose(tree, node, words, apart, start, stop)
        if cut == NONE:
            tree = fill_leaf(tree, node, words[part], keys[part], positions[part])
            continue
        middle += partition(words[part], keys[part], positions[part], apart[part], cut)
        tree = fork(tree, node, cut, apart[start:middle], apart[middle:stop])
        waiting.append((np.int64(tree.nodes[node, RIGHT]), middle, stop, depth + 1))
        waiting.append((np.int64(tree.nodes[node, LEFT]), start, middle, depth + 1))
    return tree


@compiled
def choose(tree: Tree, node: Int, words: Any, apart: Any, start: Int, stop: Int) -> Int:
    """Give a node its vantage point and measure its rows from there; the cut, or NONE."""
    chosen, vantage = choose_vantage(tree, words, start, stop), tree.vantage[node]
    for word in range(words.shape[1]):
        vantage[word] = words[chosen, word]
    for row in range(start, stop):
        apart[row] = differing(words, row, vantage)
    return choose_cut(apart[start:stop])


@compiled
def depth_of(tree: Tree, node: Int) -> Int:
    """How many nodes are above this one."""
    depth = 0
    while node != 0:
        node = tree.upkeep[node, PARENT]
        depth += 1
    return depth
