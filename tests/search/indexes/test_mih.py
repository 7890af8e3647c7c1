"""What only multi-index hashing promises: any width and radius, merging, pruning, and code compiled beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.exceptions import SnapshotDamaged
from search.indexes.brute import BruteIndex
from search.indexes.mih.index import RECENT, MIHIndex
from search.indexes.mih.search import nearest, within
from search.indexes.mih.tables import WIDTH, cut, merge_into
from search.types import Features


def random_rows(count: int, words: int, seed: int = 0) -> Features:
    return np.random.default_rng(seed).integers(0, 2**64, (count, words), dtype=np.uint64)


def changed(rows: Features, bits: int, seed: int = 1) -> Features:
    """Copies, each with so many different bits flipped."""
    random, copies = np.random.default_rng(seed), rows.copy()
    for copy in copies:
        for bit in random.choice(64 * rows.shape[1], bits, replace=False):
            copy[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return copies


def both(rows: Features) -> tuple[MIHIndex, BruteIndex]:
    tables, brute = MIHIndex("hamming", rows.shape[1]), BruteIndex("hamming", rows.shape[1])
    for index in (tables, brute):
        index.add(np.arange(len(rows)), rows)
    return tables, brute


def assert_agree(tables: MIHIndex, brute: BruteIndex, queries: Features, radii: range) -> None:
    for query in queries:
        for radius in radii:
            mine, right = tables.within(query, radius), brute.within(query, radius)
            assert mine.keys.tolist() == right.keys.tolist()
            assert mine.distances.tolist() == right.distances.tolist()
        for k in (1, 12, 200):
            assert tables.search(query, k).keys.tolist() == brute.search(query, k).keys.tolist()


@pytest.mark.parametrize("words", [1, 2, 3, 4, 16])
def test_it_is_exact_at_any_width(words: int) -> None:
    rows = random_rows(6000, words)
    rows[3000:] = np.concatenate([changed(rows[:100], bits, seed=bits) for bits in range(30)])
    assert_agree(*both(rows), queries=rows[:4], radii=range(0, 40, 3))


def test_no_copy_is_missed_at_any_radius_that_the_tables_serve() -> None:
    rows, query = random_rows(200_000, 4), random_rows(1, 4, seed=5)
    for bits in range(50):
        rows[bits * 40 : bits * 40 + 40] = changed(np.repeat(query, 40, axis=0), bits, seed=bits)
    tables = MIHIndex("hamming", 4)
    tables.add(np.arange(len(rows)), rows)
    for radius in range(50):
        assert tables.within(query[0], radius).keys.tolist() == list(range(40 * radius + 40))


def test_bits_that_differ_all_in_one_part_are_found() -> None:
    rows, query = random_rows(100_000, 1), random_rows(1, 1, seed=6)
    rows[:50] = query ^ (np.uint64(0xFF) << np.arange(50, dtype=np.uint64)[:, np.newaxis])
    tables, brute = both(rows)
    assert_agree(tables, brute, query, range(4, 12))
    assert len(tables.within(query[0], 8)) == 50


def test_rows_are_found_before_and_after_they_are_merged() -> None:
    rows = random_rows(RECENT + 200, 4)
    tables, brute = MIHIndex("hamming", 4), BruteIndex("hamming", 4)
    for start in range(0, len(rows), 100):
        part = slice(start, start + 100)
        for index in (tables, brute):
            index.add(np.arange(len(rows))[part], rows[part])
        if start % 2000 == 0:
            assert_agree(tables, brute, rows[start : start + 2], range(0, 33, 16))
    assert len(tables._tables.keys) > 0 < len(tables._recent.keys)
    assert_agree(tables, brute, rows[::1000], range(0, 33, 16))


def test_a_removed_key_that_comes_back_is_found_with_its_new_row_alone() -> None:
    rows = random_rows(3 * RECENT, 4)
    tables, brute = both(rows[: 3 * RECENT // 2])
    for index in (tables, brute):
        index.remove(np.arange(100))
        index.add(np.arange(50), rows[-50:])
        # So many more that the tables are merged while the old rows lie dead in them.
        index.add(np.arange(10**6, 10**6 + RECENT + 1), rows[-RECENT - 1 :])
    assert len(tables._recent.keys) == 0 < int(tables._tables.dead.sum())
    assert_agree(tables, brute, np.concatenate((rows[:3], rows[-50:-47])), range(0, 33, 16))
    for index in (tables, brute):
        index.remove(np.arange(25))
    assert tables.keys().tolist() == brute.keys().tolist()
    assert_agree(tables, brute, rows[-50:-47], range(0, 33, 16))


def test_space_of_removed_rows_comes_back() -> None:
    tables = both(random_rows(3 * RECENT, 4))[0]
    tables.remove(np.arange(2 * RECENT))
    assert len(tables._tables.keys) == len(tables) == RECENT


def test_many_equal_hashes_are_no_trouble() -> None:
    rows = np.concatenate((np.repeat(random_rows(1, 4), 30_000, axis=0), random_rows(10_000, 4, seed=1)))
    assert_agree(*both(rows), queries=rows[[0, -1]], radii=range(0, 33, 16))


@pytest.mark.parametrize("rows", [0, 1, 1000, 10**5, 10**6, 10**8])
@pytest.mark.parametrize("words", [1, 3, 4, 64])
def test_parts_cover_each_bit_once(rows: int, words: int) -> None:
    parts = cut(rows, words)
    assert parts[0, 0] == 0
    assert (parts[1:, 0] == parts[:-1, 0] + parts[:-1, WIDTH]).all()
    assert parts[-1, 0] + parts[-1, WIDTH] == 64 * words
    assert len(parts) > 1
    assert 1 <= parts[:, WIDTH].min() <= parts[:, WIDTH].max() <= 16


def test_a_query_sees_few_rows_when_copies_are_looked_for() -> None:
    rows = random_rows(100_000, 4)
    tables, query = both(rows)[0], rows[123]
    # Were it to look at rows that have little in common with the query, it would find them now.
    far = np.bitwise_count(tables._tables.rows ^ query).sum(axis=1) > 0
    tables._tables.rows[far] = query
    assert 0 < len(tables.within(query, 31)) < 1000


def test_tables_that_do_not_fit_their_rows_are_reported_as_damage(tmp_path: Path) -> None:
    both(random_rows(RECENT + 1, 4))[0].save(tmp_path)
    for name in ("starts", "ids", "beside", "dead", "rows", "new_rows"):
        saved = np.load(tmp_path / f"{name}.npy")
        np.save(
            tmp_path / f"{name}.npy", np.concatenate((saved, saved[-1:])) if len(saved) else np.ones((1, 4), np.uint64)
        )
        with pytest.raises(SnapshotDamaged, match="format"):
            MIHIndex.load(tmp_path, "hamming", 4)
        np.save(tmp_path / f"{name}.npy", saved)
    assert len(MIHIndex.load(tmp_path, "hamming", 4)) == RECENT + 1


@pytest.mark.parametrize("kernel", [nearest, within, merge_into])
def test_every_kernel_was_compiled_when_imported(kernel: Any) -> None:
    tables = both(random_rows(RECENT + 1, 4))[0]
    tables.search(random_rows(1, 4)[0], 5)
    tables.within(random_rows(1, 4)[0], 5)
    assert len(kernel.signatures) == 1
