"""Where the rows of a VP-tree lie: a table from key to slot, chains of blocks, room to grow."""

from __future__ import annotations

from typing import Any

import numpy as np

from search.indexes.vptree.layout import (
    BLOCK,
    BLOCKS,
    COUNT,
    FREE_BLOCK,
    FREE_NODE,
    NEXT,
    NODES,
    NONE,
    OWNER,
    PARENT,
    RIGHT,
    Tree,
)
from search.kernels.compiled import Int, compiled
from search.kernels.growth import longer


@compiled
def find(tree: Tree, key: Int) -> Int:
    """Table position of a key, or of the free position where it belongs (linear probing, splitmix64)."""
    mask = np.uint64(len(tree.table) - 1)
    position = home(key, mask)
    while tree.table[position] >= 0 and tree.keys[tree.table[position]] != key:
        position = (position + 1) & np.int64(mask)
    return position


@compiled
def home(key: Int, mask: Any) -> Int:
    """Where a key's slot is looked for first; the bits are mixed by SplitMix64 (Steele, Lea and Flood, 2014)."""
    mixed = np.uint64(key)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((mixed ^ (mixed >> np.uint64(31))) & mask)


@compiled
def forget(tree: Tree, position: Int) -> None:
    """Empty a table position and move back what was pushed past it."""
    mask = len(tree.table) - 1
    hole, probe = position, (position + 1) & mask
    while tree.table[probe] >= 0:
        home_of_probe = home(tree.keys[tree.table[probe]], np.uint64(mask))
        if (probe - home_of_probe) & mask >= (probe - hole) & mask:
            tree.table[hole] = tree.table[probe]
            hole = probe
        probe = (probe + 1) & mask
    tree.table[hole] = NONE


@compiled
def with_room(tree: Tree, blocks: Int, nodes: Int) -> Tree:
    """The tree with at least so many blocks and nodes that were never used."""
    words, keys, owners = tree.words, tree.keys, tree.blocks
    branches, vantage, upkeep = tree.nodes, tree.vantage, tree.upkeep
    if tree.head[BLOCKS] + blocks > len(owners):
        room = tree.head[BLOCKS] + max(blocks, len(owners) // 4)
        words, owners = longer(words, room), longer(owners, room)
        keys = longer(keys, room * BLOCK)
    if tree.head[NODES] + nodes > len(branches):
        room = tree.head[NODES] + max(nodes, len(branches) // 4)
        branches, vantage, upkeep = longer(branches, room), longer(vantage, room), longer(upkeep, room)
    return Tree(words, keys, owners, branches, vantage, upkeep, tree.table, tree.head)


@compiled
def with_table(tree: Tree, rows: Int) -> Tree:
    """The tree with a table that so many rows fill to at most 80%."""
    size = len(tree.table)
    while rows * 5 > size * 4:
        size *= 2
    if size == len(tree.table):
        return tree
    old, table = tree.table, np.full(size, NONE, np.int32)
    tree = Tree(*tree[:6], table, tree.head)
    for slot in old:
        if slot >= 0:
            table[find(tree, tree.keys[slot])] = slot
    return tree


@compiled
def take_block(tree: Tree, leaf: Int, following: Int) -> Int:
    """Put an empty block before ``following`` in a leaf's chain; with_room has made room for it."""
    block = tree.head[FREE_BLOCK]
    if block >= 0:
        tree.head[FREE_BLOCK] = tree.blocks[block, NEXT]
    else:
        block = tree.head[BLOCKS]
        tree.head[BLOCKS] += 1
    tree.blocks[block, OWNER], tree.blocks[block, NEXT], tree.blocks[block, COUNT] = leaf, following, 0
    tree.nodes[leaf, RIGHT] = block
    return block


@compiled
def take_node(tree: Tree, parent: Int) -> Int:
    """A node that is free, or a new one, below ``parent``."""
    node = tree.head[FREE_NODE]
    if node >= 0:
        tree.head[FREE_NODE] = tree.upkeep[node, PARENT]
    else:
        node = tree.head[NODES]
        tree.head[NODES] += 1
    tree.upkeep[node, PARENT] = parent
    return node


@compiled
def put(tree: Tree, leaf: Int, key: Int, words: Any, row: Int, position: Int) -> Tree:
    """Write ``words[row]`` into a leaf's first block, or a new one, and lead the table there."""
    block = tree.nodes[leaf, RIGHT]
    if block < 0 or tree.blocks[block, COUNT] == BLOCK:
        tree = with_room(tree, 1, 0)
        block = take_block(tree, leaf, block)
    place_in_block = tree.blocks[block, COUNT]
    slot = block * BLOCK + place_in_block
    tree.blocks[block, COUNT] += 1
    tree.keys[slot] = key
    for word in range(words.shape[1]):
        tree.words[block, word, place_in_block] = words[row, word]
    tree.table[position] = slot
    return tree
