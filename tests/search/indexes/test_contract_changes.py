"""Every index is changed, saved and loaded, and refuses what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from search.exceptions import SnapshotDamaged
from search.indexes import index_class
from search.types import Features
from tests.support.indexes import Kind, assert_same, expected


def test_a_key_that_is_added_again_is_replaced(kind: Kind) -> None:
    index, keys, rows = kind.filled(200)
    rows = rows.copy()
    rows[:50] = kind.features(50, seed=4)
    index.add(keys[:50], rows[:50])
    assert len(index) == 200
    for query in rows[[0, 49, 120]]:
        assert_same(index.search(query, 20), expected(kind.metric, query, keys, rows)[:20])


def test_the_last_of_a_repeated_key_wins(kind: Kind) -> None:
    index, rows = kind.empty(), kind.features(3)
    index.add(np.array([5, 6, 5]), rows)
    assert index.keys().tolist() == [5, 6]
    assert index.search(rows[2], 1).keys.tolist() == [5]
    assert index.search(rows[2], 1).distances.tolist() == [0.0]
    assert len(index.within(rows[0], 0)) == 0


def test_a_removed_key_is_gone(kind: Kind) -> None:
    index, keys, rows = kind.filled(300)
    index.remove(keys[:120])
    assert index.keys().tolist() == sorted(keys[120:].tolist())
    for query in rows[:4]:
        assert_same(index.search(query, 300), expected(kind.metric, query, keys[120:], rows[120:]))


def test_unknown_keys_are_not_missed_when_removed(kind: Kind) -> None:
    index, keys, rows = kind.filled(50)
    index.remove(np.array([-5, 10**15]))
    index.remove(np.array([keys[0], keys[0], 3]))
    assert len(index) == 49
    assert_same(index.search(rows[0], 50), expected(kind.metric, rows[0], keys[1:], rows[1:]))


def test_all_can_be_removed_and_come_back(kind: Kind) -> None:
    index, keys, rows = kind.filled(150)
    for _ in range(3):
        index.remove(keys)
        assert len(index) == len(index.search(rows[0], 9)) == len(index.within(rows[0], 1000)) == 0
        index.add(keys, rows[::-1])
        assert_same(index.search(rows[7], 9), expected(kind.metric, rows[7], keys, rows[::-1])[:9])


def test_adding_and_removing_nothing_changes_nothing(kind: Kind) -> None:
    index, keys, _ = kind.filled(10)
    index.add(keys[:0], kind.features(0))
    index.remove(keys[:0])
    assert len(index) == 10


def test_features_may_be_read_only(kind: Kind) -> None:
    index, rows = kind.empty(), kind.features(50)
    rows.flags.writeable = False
    index.add(np.arange(50), rows)
    assert index.search(rows[7], 1).keys.tolist() == index.within(rows[7], 0).keys.tolist() == [7]


def test_negative_and_huge_keys_are_keys(kind: Kind) -> None:
    index, rows = kind.empty(), kind.features(3)
    index.add(np.array([-1, 2**63 - 1, -(2**63)]), rows)
    assert [index.search(row, 1).keys[0] for row in rows] == [-1, 2**63 - 1, -(2**63)]


@pytest.mark.parametrize("count", [0, 1, 500])
def test_what_is_saved_is_loaded_and_can_change(kind: Kind, count: int, tmp_path: Path) -> None:
    index, keys, rows = kind.filled(count)
    index.remove(keys[: count // 3])
    keys, rows = keys[count // 3 :], rows[count // 3 :]
    index.save(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    loaded = kind.load(tmp_path)
    assert loaded.keys().tolist() == sorted(keys.tolist())
    loaded.add(keys + 10_000, kind.features(len(keys), seed=5))
    loaded.remove(keys[::2])
    keys = np.concatenate((keys[1::2], keys + 10_000))
    rows = np.concatenate((rows[1::2], kind.features(len(rows), seed=5)))
    query = kind.features(1, seed=6)[0]
    assert_same(loaded.search(query, 40), expected(kind.metric, query, keys, rows)[:40])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == written


def test_a_missing_file_is_reported_as_damage(kind: Kind, tmp_path: Path) -> None:
    kind.filled(100)[0].save(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        path = tmp_path / name
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(SnapshotDamaged):
            kind.load(tmp_path)
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(SnapshotDamaged):
            kind.load(tmp_path)
        path.write_bytes(content)
    assert len(kind.load(tmp_path)) == 100


def test_another_dimension_is_reported_as_damage(kind: Kind, tmp_path: Path) -> None:
    kind.filled(100)[0].save(tmp_path)
    with pytest.raises(SnapshotDamaged):
        index_class(kind.name).load(tmp_path, kind.metric, kind.dimension + 1)


def wrong_features(kind: Kind) -> Iterator[Features]:
    rows = kind.features(2)
    yield rows[:, 1:]
    yield rows[0]
    yield rows.astype(np.float64)
    yield rows.astype(np.int64)
    if kind.metric == "euclidean":
        yield np.full_like(rows, np.nan)
        yield np.full_like(rows, np.inf)


def test_wrong_shapes_and_dtypes_are_refused_and_change_nothing(kind: Kind) -> None:
    index, _, rows = kind.filled(10)
    for wrong in wrong_features(kind):
        with pytest.raises(ValueError, match="must be"):
            index.add(np.array([1, 2]), wrong)
        with pytest.raises(ValueError, match="must be"):
            index.search(wrong[0], 1)
        with pytest.raises(ValueError, match="must be"):
            index.within(wrong[0], 1)
    with pytest.raises(ValueError, match="one key for each"):
        index.add(np.array([1, 2, 3]), rows[:2])
    assert len(index) == 10
