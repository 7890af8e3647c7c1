"""What the contract suite does not ask of the inverted file: its vocabulary, its size, its parts."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from search.exceptions import SnapshotDamaged
from search.indexes import new_tail
from search.indexes.inverted.index import ENOUGH, GROWN, LARGEST, InvertedIndex
from search.keypoints import codec, extraction
from search.keypoints.codec import ROW, SIFT
from search.keypoints.vocabulary import SHIPPED, drawing, shipped
from search.types import Features
from tests.support import keypoint_rows


@cache
def collection(count: int = 40) -> Features:
    """Rows of real records."""
    return codec.rows([extraction.extract(drawing(seed + 500)) for seed in range(count)])


def filled(rows: Features, trained: bool = False) -> InvertedIndex:
    index = InvertedIndex("votes", ROW)
    if trained:
        index.train(rows)
    index.add(np.arange(len(rows)), rows)
    return index


def halves(seed: int) -> Features:
    """A row of the left half of a picture of the collection."""
    return codec.rows([extraction.extract(drawing(seed + 500)[:, :200])])[0]


@pytest.mark.parametrize("trained", [False, True])
def test_parts_of_pictures_find_them(trained: bool) -> None:
    index = filled(collection(), trained)
    assert [int(index.search(halves(seed), 1).keys[0]) for seed in range(10)] == list(range(10))


def test_votes_alone_never_look_like_certainty() -> None:
    index = filled(collection())
    assert index.search(collection()[3], 1).distances.tolist() == [0.0]
    found = index.search(halves(3), 40).distances
    assert 0.9 <= found[0] < found[1] <= found[-1] <= 1


def test_a_keypoint_takes_at_most_15_bytes_in_memory(tmp_path: Path) -> None:
    index = filled(collection(), trained=True)
    index.save(tmp_path)
    vocabulary = sum((tmp_path / f"{name}.npy").stat().st_size for name in ("centres", "weights", "starts"))
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    points = sum(codec.count(row.tobytes()) for row in collection())
    assert (total - vocabulary) / points < 15
    assert 15 * codec.MOST <= 6 * 1024


def test_a_vocabulary_is_learned_from_the_collection_and_always_the_same() -> None:
    one, other = InvertedIndex("votes", ROW), InvertedIndex("votes", ROW)
    one.train(collection())
    other.train(collection())
    for index in (one, other):
        index.add(np.arange(40), collection())
    assert len(one._vocabulary) > SHIPPED
    assert one.search(halves(5), 9).distances.tolist() == other.search(halves(5), 9).distances.tolist()
    assert one.search(halves(5), 9).distances.tolist() != filled(collection()).search(halves(5), 9).distances.tolist()


def test_too_few_keypoints_teach_nothing() -> None:
    index = InvertedIndex("votes", ROW)
    index.train(collection()[:3])
    assert len(index._vocabulary) == SHIPPED


def test_training_comes_before_pictures() -> None:
    with pytest.raises(ValueError, match="before"):
        filled(collection()[:2]).train(collection())


def test_it_outgrows_its_vocabulary_as_the_collection_grows() -> None:
    index = InvertedIndex("votes", ROW)
    assert [index.outgrown(count) for count in (ENOUGH - 1, ENOUGH)] == [False, True]
    index.train(collection())
    assert index.outgrown(GROWN * 40)
    index._learned_from = ENOUGH
    assert [index.outgrown(count) for count in (GROWN * ENOUGH - 1, GROWN * ENOUGH)] == [False, True]
    index._own = shipped(SIFT).__class__(np.zeros((LARGEST, 64), np.float32), np.ones(LARGEST, np.float32))
    assert not index.outgrown(10**9)


def test_the_vocabulary_is_saved_and_goes_to_the_index_beside(tmp_path: Path) -> None:
    index = filled(collection(), trained=True)
    index.save(tmp_path)
    loaded = InvertedIndex.load(tmp_path, "votes", ROW)
    tail = new_tail(loaded)
    assert len(tail) == 0
    tail.add(np.arange(40), collection())
    for other in (loaded, tail, deepcopy(loaded)):
        assert other.search(halves(7), 40).distances.tolist() == index.search(halves(7), 40).distances.tolist()


def test_a_copy_changes_apart_from_the_original() -> None:
    index = filled(collection()[:20])
    twin = deepcopy(index)
    twin.remove(np.arange(10))
    twin.add(np.array([90]), collection()[30:31])
    assert index.keys().tolist() == list(range(20))
    assert twin.keys().tolist() == [*range(10, 20), 90]
    assert twin.search(collection()[30], 1).keys.tolist() == [90]


def test_many_small_additions_are_as_one_large_one() -> None:
    rows = keypoint_rows.drawn("votes", 300, np.random.default_rng(0))
    one, many = (InvertedIndex("votes", keypoint_rows.DIMENSION) for _ in range(2))
    one.add(np.arange(300), rows)
    for start in range(0, 300, 3):
        many.add(np.arange(start, start + 3), rows[start : start + 3])
    query = keypoint_rows.drawn("votes", 1, np.random.default_rng(1))[0]
    assert one.search(query, 300).distances.tolist() == many.search(query, 300).distances.tolist()
    assert len(many._parts) < 8


def test_pictures_without_keypoints_are_kept_and_near_to_nothing() -> None:
    flat = codec.rows([extraction.extract(np.zeros((50, 50, 3), np.uint8))])
    index = filled(np.concatenate((collection()[:3], flat, flat)))
    assert len(index) == 5
    assert index.search(collection()[0], 5).distances.tolist()[-2:] == [1.0, 1.0]
    assert index.search(flat[0], 5).distances.tolist() == [1.0] * 5


@pytest.mark.parametrize("name", ["slots", "starts", "counts", "keys", "centres"])
def test_files_that_do_not_go_together_are_damage(name: str, tmp_path: Path) -> None:
    filled(collection()[:5]).save(tmp_path)
    array = np.load(tmp_path / f"{name}.npy")
    wrong = array + 1 if name in ("slots", "starts", "counts") else array[:-1]
    np.save(tmp_path / f"{name}.npy", wrong)
    with pytest.raises(SnapshotDamaged):
        InvertedIndex.load(tmp_path, "votes", ROW)
