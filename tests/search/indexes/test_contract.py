"""Every index of the table, with every metric it knows, against distances computed in plain numpy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from search.exceptions import UnknownSpace
from search.indexes import index_class
from tests.support.indexes import Kind, assert_same, expected


def test_an_empty_index_answers_nothing(kind: Kind) -> None:
    index, query = kind.empty(), kind.features(1)[0]
    assert len(index) == len(index.keys()) == 0
    assert len(index.search(query, 5)) == len(index.within(query, 1000)) == 0


def test_one_item_is_found(kind: Kind) -> None:
    index, keys, rows = kind.filled(1)
    assert_same(index.search(rows[0], 1), [(0.0, int(keys[0]))])
    assert_same(index.within(rows[0], 0), [(0.0, int(keys[0]))])


@pytest.mark.parametrize("k", [1, 10, 300, 301, 5000])
def test_the_nearest_are_the_nearest_by_hand(kind: Kind, k: int) -> None:
    index, keys, rows = kind.filled(300)
    for query in kind.features(5, seed=1):
        assert_same(index.search(query, k), expected(kind.metric, query, keys, rows)[:k])


@pytest.mark.parametrize("k", [0, -1])
def test_none_are_found_when_none_are_asked_for(kind: Kind, k: int) -> None:
    index, _, rows = kind.filled(10)
    assert len(index.search(rows[0], k)) == 0


@pytest.mark.parametrize("k", [1, 10, 100])
@pytest.mark.parametrize("every", [1, 2, 10, 300, 3000])
def test_only_allowed_keys_are_found(kind: Kind, every: int, k: int) -> None:
    index, keys, rows = kind.filled(3000)
    allowed = np.unique(np.append(keys[::every], [-4, 10**12]))
    inside = np.isin(keys, allowed)
    found = right = 0
    for query in kind.features(5, seed=11):
        wanted = expected(kind.metric, query, keys[inside], rows[inside])[:k]
        matches = index.search(query, k, allowed)
        assert len(matches) == len(wanted)
        if index.exact:
            assert_same(matches, wanted)
        assert np.isin(matches.keys, allowed).all()
        found += len({key for _, key in wanted} & set(matches.keys.tolist()))
        right += len(wanted)
    assert found >= 0.98 * right


def test_nothing_is_found_when_nothing_is_allowed(kind: Kind) -> None:
    index, keys, rows = kind.filled(300)
    for allowed in (keys[:0], np.array([-1, 10**12])):
        assert len(index.search(rows[0], 5, allowed)) == 0


def test_removed_and_replaced_keys_are_what_they_are_now_when_allowed(kind: Kind) -> None:
    index, keys, rows = kind.filled(200)
    index.remove(keys[:10])
    index.add(keys[10:20], rows[:10])
    assert index.search(rows[0], 5, np.sort(keys[:10])).keys.tolist() == []
    assert index.search(rows[0], 1, np.sort(keys[5:20])).keys.tolist() == [keys[10]]
    assert index.search(rows[0], 1, np.sort(keys[5:20])).distances.tolist() == [0.0]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_all_within_a_radius_are_found(kind: Kind, share: float) -> None:
    index, keys, rows = kind.filled(300)
    query = kind.features(1, seed=2)[0]
    right = expected(kind.metric, query, keys, rows)
    radius = right[int(share * 299)][0] + 1e-4
    assert_same(index.within(query, radius), [pair for pair in right if pair[0] <= radius])


@pytest.mark.parametrize("radius", [-1.0, float("nan")])
def test_nothing_lies_within_an_impossible_radius(kind: Kind, radius: float) -> None:
    index, _, rows = kind.filled(10)
    assert len(index.within(rows[0], radius)) == 0


def test_everything_lies_within_an_endless_radius(kind: Kind) -> None:
    index, _, rows = kind.filled(100)
    assert len(index.within(rows[0], float("inf"))) == 100


@pytest.mark.parametrize("count", [3, 100, 3000])
def test_equal_features_are_ordered_by_key(kind: Kind, count: int) -> None:
    index, keys = kind.empty(), np.random.default_rng(3).permutation(count)
    row = kind.features(1)
    index.add(keys, np.repeat(row, count, axis=0))
    assert index.within(row[0], 0).keys.tolist() == list(range(count))
    if index.exact or count < 1000:
        assert index.search(row[0], count // 2).keys.tolist() == list(range(count // 2))


def test_many_threads_may_search_at_once(kind: Kind) -> None:
    index = kind.filled(3000)[0]
    queries = kind.features(40, seed=7)
    alone = [index.search(query, 10).keys.tolist() for query in queries]
    with ThreadPoolExecutor(8) as pool:
        together = [matches.keys.tolist() for matches in pool.map(lambda query: index.search(query, 10), queries)]
    assert together == alone


def test_most_of_the_nearest_are_found_in_a_large_index(kind: Kind) -> None:
    index, keys, rows = kind.filled(6000)
    found = right = 0
    for query in kind.features(30, seed=8):
        wanted = {key for _, key in expected(kind.metric, query, keys, rows)[:10]}
        found += len(wanted & set(index.search(query, 10).keys.tolist()))
        right += len(wanted)
    assert found == right if index.exact else found >= 0.98 * right


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UnknownSpace, match="vptree"):
        index_class("r-tree")
