"""What only the VP-tree promises: any width, odd data, balance, space, and code compiled beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.exceptions import SnapshotDamaged
from search.indexes.brute import BruteIndex
from search.indexes.vptree.index import VPTreeIndex
from search.indexes.vptree.layout import LEFT, MAX_DEPTH, PEAK, RIGHT
from search.indexes.vptree.search import nearest, nearest_of, within
from search.indexes.vptree.upkeep import SMALL_CALL, add_rows, remove_rows
from search.types import Features


def both(rows: Features) -> tuple[VPTreeIndex, BruteIndex]:
    tree, brute = VPTreeIndex("hamming", rows.shape[1]), BruteIndex("hamming", rows.shape[1])
    for index in (tree, brute):
        index.add(np.arange(len(rows)), rows)
    return tree, brute


def assert_agree(tree: VPTreeIndex, brute: BruteIndex, queries: Features) -> None:
    for query in queries:
        for mine, right in (
            (tree.search(query, 25), brute.search(query, 25)),
            (tree.within(query, 12 * tree.dimension), brute.within(query, 12 * tree.dimension)),
        ):
            assert mine.keys.tolist() == right.keys.tolist()
            assert mine.distances.tolist() == right.distances.tolist()


def depth(tree: VPTreeIndex) -> int:
    level, deepest, nodes = [0], 0, tree._tree.nodes
    while level := [nodes[node, side] for node in level if nodes[node, LEFT] >= 0 for side in (LEFT, RIGHT)]:
        deepest += 1
    return deepest


def random_rows(count: int, words: int, seed: int = 0) -> Features:
    return np.random.default_rng(seed).integers(0, 2**64, (count, words), dtype=np.uint64)


def clusters(count: int, words: int, flips: int = 3) -> Features:
    """Copies of 40 hashes with a few bits changed, one cluster after the other."""
    random = np.random.default_rng(1)
    rows = np.repeat(random_rows(40, words), count // 40, axis=0)
    for _ in range(flips):
        bits = random.integers(0, 64 * words, len(rows))
        flipped = np.uint64(1) << (bits % 64).astype(np.uint64)
        np.bitwise_xor.at(rows, (np.arange(len(rows)), bits // 64), flipped)
    return rows


@pytest.mark.parametrize("words", [1, 2, 3, 4, 16, 64])
def test_it_is_exact_at_any_width(words: int) -> None:
    rows = np.concatenate((random_rows(1500, words), clusters(1500, words)))
    assert_agree(*both(rows), queries=rows[::400])


def test_planted_copies_are_found_among_many() -> None:
    rows = clusters(20_000, 4)
    tree, brute = both(rows)
    assert all(len(tree.within(query, 6)) >= 500 for query in rows[::4000])
    assert_agree(tree, brute, rows[::4000])


def test_twenty_thousand_equal_hashes_are_no_trouble() -> None:
    rows = np.repeat(random_rows(1, 4), 20_000, axis=0)
    tree, brute = both(rows)
    assert depth(tree) == 0
    assert_agree(tree, brute, rows[:1])
    tree.remove(np.arange(0, 20_000, 2))
    assert tree.search(rows[0], 3).keys.tolist() == [1, 3, 5]


def test_equal_hashes_added_one_by_one_among_others_keep_it_exact() -> None:
    tree, brute = both(random_rows(500, 1))
    row = random_rows(1, 1, seed=9)
    for key in range(500, 1500):
        tree.add(np.array([key]), row)
        brute.add(np.array([key]), row)
    assert_agree(tree, brute, np.concatenate((row, random_rows(3, 1, seed=10))))


def test_hashes_that_are_all_equally_far_apart_keep_it_exact() -> None:
    rows = np.zeros((2048, 32), np.uint64)
    bits = np.arange(2048)
    rows[bits, bits // 64] = np.uint64(1) << (bits % 64).astype(np.uint64)
    tree, brute = both(rows)
    assert depth(tree) <= MAX_DEPTH
    assert_agree(tree, brute, rows[::500])


def test_it_stays_shallow_when_clusters_come_one_after_the_other() -> None:
    rows = clusters(16_000, 2)
    tree = VPTreeIndex("hamming", 2)
    for start in range(0, len(rows), 100):
        tree.add(np.arange(start, start + 100), rows[start : start + 100])
    assert depth(tree) <= 2 * depth(both(rows)[0])


def test_small_calls_leave_the_root_of_a_large_tree_and_a_large_call_does_not() -> None:
    rows = random_rows(4 * SMALL_CALL, 1)
    tree, brute = both(rows)
    root, size = tree._tree.nodes[0, :3].tolist(), len(rows)
    for start in range(0, 2 * SMALL_CALL, 1000):
        tree.remove(np.arange(start, start + 1000))
    brute.remove(np.arange(2 * SMALL_CALL))
    assert tree._tree.nodes[0, :3].tolist() == root
    assert tree._tree.upkeep[0, PEAK] == size
    assert_agree(tree, brute, rows[:: len(rows) // 4])
    tree.remove(np.arange(2 * SMALL_CALL, 3 * SMALL_CALL))
    brute.remove(np.arange(2 * SMALL_CALL, 3 * SMALL_CALL))
    assert tree._tree.upkeep[0, PEAK] < size / 2
    assert_agree(tree, brute, rows[:: len(rows) // 4])


def test_branches_that_small_calls_could_not_afford_stay_about_as_shallow() -> None:
    rows = clusters(3 * SMALL_CALL, 1, flips=12)
    tree = VPTreeIndex("hamming", 1)
    for start in range(0, len(rows), 1000):
        tree.add(np.arange(start, start + 1000), rows[start : start + 1000])
    assert depth(tree) <= 1.5 * depth(both(rows)[0])


def test_removed_rows_give_their_space_back(tmp_path: Path) -> None:
    tree = both(random_rows(20_000, 4))[0]
    sizes = []
    for folder in (tmp_path / "full", tmp_path / "thin"):
        folder.mkdir()
        tree.save(folder)
        sizes.append(sum(path.stat().st_size for path in folder.iterdir() if path.name != "table.npy"))
        tree.remove(np.arange(19_000))
    assert sizes[1] < sizes[0] / 5


def test_it_takes_at_most_24_bytes_beside_a_64_bit_hash() -> None:
    tree = both(random_rows(100_000, 1))[0]
    assert sum(array.nbytes for array in tree._tree) <= (8 + 24) * len(tree)


def test_a_query_sees_few_rows_when_copies_are_looked_for() -> None:
    rows = random_rows(50_000, 4)
    tree, query = both(rows)[0], rows[123]
    # Without pruning, rows overwritten with the query in leaves far away would be found too.
    far = np.bitwise_count(tree._tree.words ^ query[:, np.newaxis]).sum(axis=1) > 0
    tree._tree.words[:] = np.where(far[:, np.newaxis], query[:, np.newaxis], tree._tree.words)
    assert 0 < len(tree.within(query, 4)) < 25_000


def test_a_tree_of_another_format_is_reported_as_damage(tmp_path: Path) -> None:
    both(random_rows(100, 1))[0].save(tmp_path)
    head = np.load(tmp_path / "head.npy")
    head[6] += 1
    np.save(tmp_path / "head.npy", head)
    with pytest.raises(SnapshotDamaged, match="format"):
        VPTreeIndex.load(tmp_path, "hamming", 1)


@pytest.mark.parametrize("kernel", [nearest, nearest_of, within, add_rows, remove_rows])
def test_every_kernel_was_compiled_when_imported(kernel: Any) -> None:
    tree = both(random_rows(200, 4))[0]
    tree.remove(np.arange(20))
    tree.search(random_rows(1, 4)[0], 5)
    tree.search(random_rows(1, 4)[0], 5, np.arange(1))
    tree.within(random_rows(1, 4)[0], 5)
    assert len(kernel.signatures) == 1
