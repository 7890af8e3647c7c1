"""Compiled kernels that change a VP-tree: add, remove, split and rebuild."""

from __future__ import annotations

from typing import Any

from search.indexes.vptree.build import rebuild
from search.indexes.vptree.layout import (
    ALLOWANCE,
    BLOCK,
    CHANGES,
    COUNT,
    CUT,
    FORMAT,
    FREE_BLOCK,
    FREE_NODE,
    LEAF,
    LEFT,
    LEFT_HI,
    LEFT_LO,
    MADE_AS,
    NEXT,
    NODES,
    NONE,
    OWNER,
    PARENT,
    PEAK,
    RIGHT,
    RIGHT_HI,
    RIGHT_LO,
    ROWS,
    SIZE,
    TREE,
    Tree,
    differing,
)
from search.indexes.vptree.rows import find, forget, put, with_table
from search.kernels.compiled import KEYS, PACKED_ROWS, Int, compiled, entry, types

SMALL_CALL = 50_000


@compiled
def skewed(tree: Tree, node: Int) -> bool:
    """Whether a leaf is too full, or a branch lost a third, or one side of it is over three quarters."""
    size, peak = tree.nodes[node, SIZE], tree.upkeep[node, PEAK]
    left, right = tree.nodes[node, LEFT], tree.nodes[node, RIGHT]
    if left < 0:
        return bool(size > peak)
    if size * 3 < peak * 2:
        return True
    larger = max(tree.nodes[left, SIZE], tree.nodes[right, SIZE])
    # Half of the rows must have changed since the last time, so that data that stay skewed cost little.
    return bool(tree.upkeep[node, CHANGES] * 2 > size and larger * 4 > size * 3)


@compiled
def count(tree: Tree, leaf: Int, change: Int) -> Tree:
    """Count a row more or less in a leaf and all nodes above it; rebuild the highest skewed one that is affordable."""
    node, worst = leaf, NONE
    while True:
        tree.nodes[node, SIZE] += change
        if tree.nodes[node, LEFT] >= 0:
            tree.upkeep[node, PEAK] = max(tree.upkeep[node, PEAK], tree.nodes[node, SIZE])
            tree.upkeep[node, CHANGES] = min(tree.upkeep[node, CHANGES] + 1, tree.upkeep[node, PEAK])
        if tree.nodes[node, SIZE] <= tree.head[ALLOWANCE] and skewed(tree, node):
            worst = node
        if node == 0:
            break
        node = tree.upkeep[node, PARENT]
    tree.head[ROWS] += change
    if worst == NONE:
        return tree
    # Splits of leaves are free: there is at most one to every few rows.
    if tree.nodes[worst, LEFT] >= 0:
        tree.head[ALLOWANCE] -= tree.nodes[worst, SIZE]
    return rebuild(tree, worst)


@compiled
def allow(tree: Tree, rows: Int) -> None:
    """Let a call for so many rows rebuild branches of a bounded number of rows in all; the others can wait.

    What is too large for a small call has parts that are not, so that it stays nearly as good.
    """
    tree.head[ALLOWANCE] = max(SMALL_CALL, 8 * rows)


@compiled
def leaf_for(tree: Tree, words: Any, row: Int) -> Int:
    """The leaf where a row belongs; the ranges on the way are widened to take it in."""
    node, nodes = 0, tree.nodes
    while nodes[node, LEFT] >= 0:
        apart = differing(words, row, tree.vantage[node])
        if apart <= nodes[node, CUT]:
            nodes[node, LEFT_LO] = min(nodes[node, LEFT_LO], apart)
            nodes[node, LEFT_HI] = max(nodes[node, LEFT_HI], apart)
            node = nodes[node, LEFT]
        else:
            nodes[node, RIGHT_LO] = min(nodes[node, RIGHT_LO], apart)
            nodes[node, RIGHT_HI] = max(nodes[node, RIGHT_HI], apart)
            node = nodes[node, RIGHT]
    return node


@compiled
def take_out(tree: Tree, position: Int) -> Tree:
    """Remove the row of a table position."""
    slot = tree.table[position]
    leaf = tree.blocks[slot // BLOCK, OWNER]
    forget(tree, position)
    block = tree.nodes[leaf, RIGHT]
    tree.blocks[block, COUNT] -= 1
    last = block * BLOCK + tree.blocks[block, COUNT]
    if last != slot:
        tree.table[find(tree, tree.keys[last])] = slot
        for word in range(tree.words.shape[1]):
            tree.words[slot // BLOCK, word, slot % BLOCK] = tree.words[block, word, last % BLOCK]
        tree.keys[slot] = tree.keys[last]
    if tree.blocks[block, COUNT] == 0:
        tree.nodes[leaf, RIGHT] = tree.blocks[block, NEXT]
        tree.blocks[block, NEXT] = tree.head[FREE_BLOCK]
        tree.head[FREE_BLOCK] = block
    return count(tree, leaf, -1)


@entry(TREE(TREE, KEYS, PACKED_ROWS))
def add_rows(tree: Tree, keys: Any, words: Any) -> Tree:
    """Add rows whose keys differ and are not in the tree; many at once build the tree anew."""
    allow(tree, len(keys))
    tree = with_table(tree, tree.head[ROWS] + len(keys))
    if len(keys) > max(LEAF, tree.head[ROWS]):
        leaf = leaf_for(tree, words, 0)
        for row in range(len(keys)):
            tree = put(tree, leaf, keys[row], words, row, find(tree, keys[row]))
        tree.head[ROWS] += len(keys)
        return rebuild(tree, 0)
    for row in range(len(keys)):
        leaf = leaf_for(tree, words, row)
        tree = put(tree, leaf, keys[row], words, row, find(tree, keys[row]))
        tree = count(tree, leaf, 1)
    return tree


@entry(TREE(TREE, KEYS))
def remove_rows(tree: Tree, keys: Any) -> Tree:
    """Remove the rows of these keys; others are ignored."""
    allow(tree, len(keys))
    for key in keys:
        position = find(tree, key)
        if tree.table[position] >= 0:
            tree = take_out(tree, position)
    return tree


@entry(types.void(TREE))
def clear(tree: Tree) -> None:
    """Make freshly allocated arrays an empty tree: one leaf without a block."""
    tree.table[:] = NONE
    tree.head[:] = 0
    tree.head[FREE_BLOCK], tree.head[FREE_NODE], tree.head[NODES] = NONE, NONE, 1
    tree.head[MADE_AS] = FORMAT
    tree.nodes[0, LEFT] = tree.nodes[0, RIGHT] = NONE
    tree.nodes[0, SIZE] = tree.upkeep[0, CHANGES] = 0
    tree.upkeep[0, PARENT], tree.upkeep[0, PEAK] = NONE, LEAF
