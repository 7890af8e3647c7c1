"""What only HNSW promises: enough results always, slots used again, the same answers after loading."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from search.exceptions import SnapshotDamaged
from search.indexes.brute import BruteIndex
from search.indexes.hnsw import index as hnsw_index
from search.indexes.hnsw.graph import SEARCH_WIDTH, GrowingGraph, SavedGraph
from search.indexes.hnsw.index import GRAPH, SCAN_BELOW, HNSWIndex
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


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("scanned", [True, False])
@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 1.0])
def test_nearly_all_of_what_is_allowed_and_near_is_found(
    share: float, scanned: bool, loaded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not scanned:
        monkeypatch.setattr(hnsw_index, "SCAN_ALLOWED", 0)
        monkeypatch.setattr(hnsw_index, "SCAN_STEPS", 1)
    rows, keys = random_rows(8000), np.arange(8000)
    index = filled(rows)
    if loaded:
        index.save(tmp_path)
        index = HNSWIndex.load(tmp_path, "euclidean", DIMENSION)
    dice, hits = np.random.default_rng(6), []
    for query in random_rows(40, seed=5):
        allowed = np.sort(dice.choice(keys, int(share * len(keys)), replace=False))
        right = BruteIndex("euclidean", DIMENSION)
        right.add(allowed, rows[allowed])
        found = index.search(query, 10, np.append(allowed, 10**9)).keys
        assert len(found) == min(10, len(allowed))
        hits.append(len(np.intersect1d(found, right.search(query, 10).keys)) / len(found))
    assert np.mean(hits) >= 0.98


def test_allowed_keys_far_from_the_query_are_found_too() -> None:
    """The nearest rows are all forbidden, so that the graph has to be asked for ever more."""
    rows = random_rows(8000)
    query = rows[0]
    far = np.sort(np.argsort(((rows - query) ** 2).sum(axis=1))[-3000:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hnsw_index, "SCAN_ALLOWED", 0)
        patch.setattr(hnsw_index, "SCAN_STEPS", 1)
        found = filled(rows).search(query, 10, far)
    assert len(found) == 10
    assert np.isin(found.keys, far).all()


def test_a_loaded_graph_answers_as_hnswlib_does(tmp_path: Path) -> None:
    index = filled(random_rows(6000))
    index.remove(np.arange(0, 6000, 3))
    index.save(tmp_path)
    saved = SavedGraph(tmp_path / GRAPH, DIMENSION)
    graph = index._graph
    assert isinstance(graph, GrowingGraph)
    for query in random_rows(30, seed=7):
        one, other = saved.nearest(query, SEARCH_WIDTH), graph.nearest(query, SEARCH_WIDTH)
        assert sorted(saved.labels[one[0]].tolist()) == sorted(other[0].tolist())
        np.testing.assert_allclose(np.sort(one[1]), np.sort(other[1]), rtol=1e-5)


def test_what_was_loaded_can_be_changed_and_saved_again(tmp_path: Path) -> None:
    rows = random_rows(5000)
    index = filled(rows[:4000])
    index.remove(np.arange(500))
    for turn in range(3):
        folder = tmp_path / str(turn)
        folder.mkdir()
        index.save(folder)
        index = HNSWIndex.load(folder, "euclidean", DIMENSION)
        keys = np.arange(4000 + turn * 300, 4300 + turn * 300)
        index.add(keys, rows[keys])
    assert index.keys().tolist() == list(range(500, 4900))
    assert links_of(index) == 4400
    assert recall(index, np.arange(500, 4900), rows[500:4900]) >= 0.98


def test_no_damage_within_a_graph_leads_out_of_its_memory(tmp_path: Path) -> None:
    """A checksum finds all damage, but even without one a search must not crash."""
    filled(random_rows(3000)).save(tmp_path)
    path, dice = tmp_path / GRAPH, np.random.default_rng(8)
    whole = np.fromfile(path, np.uint32)
    for _ in range(150):
        words = whole.copy()
        words[dice.integers(0, len(words), 20)] = dice.integers(0, 2**32, 20, np.uint64).astype(np.uint32)
        words.tofile(path)
        try:
            saved = SavedGraph(path, DIMENSION)
        except SnapshotDamaged:
            continue
        assert len(saved.nearest(random_rows(1, seed=1)[0], 50)[0]) <= SEARCH_WIDTH


def test_a_graph_that_the_disk_has_no_room_for_is_not_taken_for_saved(tmp_path: Path) -> None:
    index = filled(random_rows(3000))
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, usual[1]))
    try:
        with pytest.raises(OSError, match="could be written"):
            index.save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@pytest.mark.parametrize("cut", [-4, 100, 0])
def test_a_graph_that_lost_its_end_is_reported_as_damage(tmp_path: Path, cut: int) -> None:
    filled(random_rows(3000)).save(tmp_path)
    graph = tmp_path / GRAPH
    graph.write_bytes(graph.read_bytes()[:cut])
    with pytest.raises(SnapshotDamaged):
        HNSWIndex.load(tmp_path, "euclidean", DIMENSION)
    with pytest.raises(SnapshotDamaged):
        SavedGraph(graph, DIMENSION)
