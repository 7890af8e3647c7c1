from __future__ import annotations

from search.fusion import alone, fuse
from search.types import Evidence


def ranking(*keys: int, score: float = 0.9) -> dict[int, Evidence]:
    return {key: Evidence(rank, float(rank), score) for rank, key in enumerate(keys, start=1)}


def test_one_space_keeps_its_order_distances_and_scores() -> None:
    hits = alone(ranking(7, 3, 5), "phash")
    assert [(hit.key, hit.distance, hit.score) for hit in hits] == [(7, 1.0, 0.9), (3, 2.0, 0.9), (5, 3.0, 0.9)]
    assert hits[0].methods["phash"].rank == 1


def test_a_picture_that_two_spaces_put_first_comes_before_those_that_one_does() -> None:
    hits = fuse({"a": ranking(1, 2, 3), "b": ranking(4, 1, 5)})
    assert hits[0].key == 1
    assert set(hits[0].methods) == {"a", "b"}


def test_first_in_every_space_scores_one_and_nothing_scores_more() -> None:
    hits = fuse({"a": ranking(1, 2), "b": ranking(1, 2)})
    assert hits[0].score == 1.0
    assert all(0 < hit.score <= 1 for hit in hits)


def test_a_rank_without_likeness_is_no_vote() -> None:
    hits = fuse({"blind": ranking(9, 8, score=0.0), "seeing": ranking(1)})
    assert [hit.key for hit in hits] == [1]


def test_equal_votes_are_ordered_by_key() -> None:
    hits = fuse({"a": ranking(5), "b": ranking(2)})
    assert [hit.key for hit in hits] == [2, 5]


def test_no_rankings_give_no_hits() -> None:
    assert fuse({}) == []
    assert fuse({"a": {}}) == []
