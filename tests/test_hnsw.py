"""What only HNSW promises: enough results always, slots used again, the same answers after loading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search.exceptions import SnapshotDamaged
from search.indexes.brute import BruteIndex
from search.indexes.hnsw import GRAPH, SCAN_BELOW, HNSWIndex
from search.indexes.hnsw_graph import SEARCH_WIDTH, GrowingGraph, SavedGraph
from search.types import Features

DIMENSION = 24


def random_rows(count: int, seed: int = 0) -> Features:
    return np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)


def filled(rows: Features) -> HNSWIndex:
    index = HNSWIndex("euclidean", DIMENSION)
    index.add(np.arange(len(rows)), rows)
    return index


def links_of(index: HNSWIndex) -> int:
    """Rows in hnswlib's graph, dead ones too."""
    assert isinstance(index._graph, GrowingGraph)
    return int(index._graph._graph.get_current_count())


def recall(index: HNSWIndex, keys: np.ndarray, rows: Features, k: int = 10) -> float:
    brute = BruteIndex("euclidean", DIMENSION)
    brute.add(keys, rows)
    shares = [
        len(set(index.search(query, k).keys.tolist()) & set(brute.search(query, k).keys.tolist())) / k
        for query in random_rows(40, seed=99)
    ]
    return float(np.mean(shares))


@pytest.mark.parametrize("k", [1, SEARCH_WIDTH, SEARCH_WIDTH + 1, 1000, 5999, 6000, 7000])
def test_there_are_never_fewer_results_than_asked_for(k: int) -> None:
    index = filled(random_rows(6000))
    found = index.search(random_rows(1, seed=1)[0], k)
    assert len(found) == min(k, 6000)
    assert len(set(found.keys.tolist())) == len(found)
    assert (np.diff(found.distances) >= 0).all()


def test_distances_are_euclidean_and_not_squared() -> None:
    rows = random_rows(SCAN_BELOW + 500)
    query = random_rows(1, seed=1)[0]
    found = filled(rows).search(query, 5)
    right = np.linalg.norm(rows[found.keys].astype(np.float64) - query, axis=1)
    np.testing.assert_allclose(found.distances, right, rtol=1e-5)


def test_many_equal_rows_do_not_leave_the_graph_short_of_results() -> None:
    rows = np.repeat(random_rows(3), 2000, axis=0)
    found = filled(rows).search(rows[0], 100)
    assert len(set(found.keys.tolist())) == 100


def test_answers_are_the_same_after_loading(tmp_path: Path) -> None:
    index = filled(random_rows(5000))
    index.remove(np.arange(0, 5000, 5))
    index.save(tmp_path)
    loaded = HNSWIndex.load(tmp_path, "euclidean", DIMENSION)
    for query in random_rows(20, seed=2):
        assert loaded.search(query, 10).keys.tolist() == index.search(query, 10).keys.tolist()


def test_slots_of_removed_rows_are_used_again() -> None:
    rows = random_rows(3000)
    index = filled(rows)
    for turn in range(5):
        index.remove(np.arange(turn * 1000, turn * 1000 + 1000))
        index.add(np.arange(3000 + turn * 1000, 4000 + turn * 1000), random_rows(1000, seed=turn))
    assert links_of(index) == len(index) == 3000


def test_it_finds_as_well_after_all_rows_were_exchanged() -> None:
    index = filled(random_rows(6000))
    rows = random_rows(6000, seed=3)
    for start in range(0, 6000, 1500):
        keys = np.arange(start, start + 1500)
        index.remove(keys)
        index.add(keys + 6000, rows[start : start + 1500])
    assert recall(index, np.arange(6000, 12_000), rows) >= 0.95


def test_a_mostly_dead_graph_is_built_anew_and_finds_the_rest() -> None:
    rows = random_rows(9000)
    index = filled(rows)
    index.remove(np.arange(6000))
    assert links_of(index) == len(index) == 3000
    assert recall(index, np.arange(6000, 9000), rows[6000:]) >= 0.98


def test_within_finds_nearly_all_of_a_large_index() -> None:
    rows = random_rows(8000)
    index = filled(rows)
    query = random_rows(1, seed=4)[0]
    distances = np.linalg.norm(rows.astype(np.float64) - query, axis=1)
    for count in (5, 50, 800, 7000):
        radius = float(np.sort(distances)[count])
        found = index.within(query, radius)
        assert (found.distances <= radius).all()
        assert len(found) >= 0.95 * count


@pytest.mark.parametrize("cut", [-4, 100, 0])
def test_a_graph_that_lost_its_end_is_reported_as_damage(tmp_path: Path, cut: int) -> None:
    filled(random_rows(3000)).save(tmp_path)
    graph = tmp_path / GRAPH
    graph.write_bytes(graph.read_bytes()[:cut])
    with pytest.raises(SnapshotDamaged):
        HNSWIndex.load(tmp_path, "euclidean", DIMENSION)
    with pytest.raises(SnapshotDamaged):
        SavedGraph(graph, DIMENSION)
