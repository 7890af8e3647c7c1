from __future__ import annotations

from collections.abc import Mapping

import pytest

from search.methods import METHODS, method_class
from search.retrieval import fusion
from search.retrieval.fusion import Ranking, hits_of
from search.types import Confidence, Evidence, Hit


def fuse(rankings: Mapping[str, Ranking]) -> list[Hit]:
    """Fused with the confidences of the methods; a space that is not in their table has the usual one."""
    known = {space: method_class(space).confidence for space in METHODS}
    return fusion.fuse(rankings, {space: known.get(space, Confidence()) for space in rankings})


def ranking(*keys: int, score: float = 0.9) -> dict[int, Evidence]:
    return {key: Evidence(rank, float(rank), score) for rank, key in enumerate(keys, start=1)}


def measured(distances: dict[int, float], unrelated: float) -> dict[int, Evidence]:
    """A ranking whose scores fall in a straight line to 0 at ``unrelated``."""
    ordered = sorted(distances.items(), key=lambda item: item[1])
    return {
        key: Evidence(rank, distance, max(0.0, 1 - distance / unrelated))
        for rank, (key, distance) in enumerate(ordered, start=1)
    }


def crowd(nearest: float, step: float) -> dict[int, float]:
    """Neighbours by chance."""
    return {1000 + i: nearest + i * step for i in range(60)}


# Half of the neighbours by colour, and all those by hash, are what chance gives.
COLOURS = measured({1: 0.9} | crowd(0.3, 0.02), 1.14)
HASHES = measured({1: 6.0} | crowd(88, 0.5), 96)
IDENTICAL = {500: Evidence(1, 0.0, 1.0)} | {3000 + i: Evidence(2 + i, 1.0, 0.1) for i in range(60)}
VERIFIED = {1: Evidence(1, 1e-9, 1 - 1e-9)} | {2000 + i: Evidence(2 + i, 0.95, 0.05) for i in range(60)}
KINDS = measured({1: 1.2} | crowd(0.5, 0.01), 1.3)


def test_one_space_keeps_its_order_distances_and_scores() -> None:
    hits = hits_of(ranking(7, 3, 5), "phash")
    assert [(hit.key, hit.distance, hit.score) for hit in hits] == [(7, 1.0, 0.9), (3, 2.0, 0.9), (5, 3.0, 0.9)]
    assert hits[0].methods["phash"].rank == 1


def test_a_picture_that_two_spaces_put_first_comes_before_those_that_one_does() -> None:
    hits = fuse({"a": ranking(1, 2, 3), "b": ranking(4, 1, 5)})
    assert hits[0].key == 1
    assert set(hits[0].methods) == {"a", "b"}


@pytest.mark.parametrize("space, proof", [("local", VERIFIED), ("phash", HASHES)])
def test_proof_in_one_space_is_worth_more_than_ranks_in_others(space: str, proof: Ranking) -> None:
    hits = fuse({space: proof, "color": COLOURS, "neural": KINDS})
    assert hits[0].key == 1
    assert hits[0].score > 0.9


def test_a_verified_match_beats_another_that_is_the_same_to_all_that_may_err() -> None:
    assert fuse({"local": VERIFIED, "color": IDENTICAL, "neural": IDENTICAL, "semantic": IDENTICAL})[0].key == 1


def test_a_blind_space_changes_nothing() -> None:
    blind = {9: Evidence(1, 96.0, 0.0), 8: Evidence(2, 97.0, 0.0)}
    with_it, without = fuse({"local": VERIFIED, "blind": blind}), fuse({"local": VERIFIED})
    assert [(hit.key, hit.score) for hit in with_it] == [(hit.key, hit.score) for hit in without]


def test_a_space_that_does_not_know_a_picture_does_not_push_it_down() -> None:
    seen = fuse({"local": VERIFIED})[0].score
    assert fuse({"local": VERIFIED, "neural": measured(crowd(0.5, 0.01), 1.3)})[0].score == seen


def test_a_little_evidence_in_all_spaces_adds_up() -> None:
    some = {1: 0.6} | crowd(0.7, 0.01)
    alone_score = next(hit.score for hit in fuse({"a": measured(some, 1.0)}) if hit.key == 1)
    together = fuse({name: measured(some, 1.0) for name in "abc"})[0]
    assert together.key == 1
    assert together.score > 1.8 * alone_score


def test_the_same_picture_in_every_space_scores_next_to_one_and_nothing_scores_more() -> None:
    same = {1: Evidence(1, 0.0, 1.0), 2: Evidence(2, 1.0, 0.4)}
    hits = fuse({"a": same, "b": same})
    assert hits[0].score == pytest.approx(1 - Confidence().least_doubt ** 2)
    assert all(0 < hit.score <= 1 for hit in hits)
    assert all(hit.distance == pytest.approx(1 - hit.score) for hit in hits)


def test_what_knows_kinds_says_less_of_which_picture_it_is() -> None:
    one, other = {1: 0.4} | crowd(0.7, 0.01), {2: 0.4} | crowd(0.7, 0.01)
    keys = [hit.key for hit in fuse({"semantic": measured(one, 1.0), "color": measured(other, 1.0)})]
    assert keys[0] == 2
    assert keys.index(1) > 1


def test_a_space_that_is_asked_alone_has_its_full_say() -> None:
    ranking = measured({1: 0.4} | crowd(0.7, 0.01), 1.0)
    assert fuse({"semantic": ranking, "local": {}})[0].score == fuse({"color": ranking})[0].score


def test_a_space_with_a_single_picture_is_heard() -> None:
    hits = fuse({"a": {5: Evidence(1, 0.0, 1.0)}, "b": {6: Evidence(1, 0.5, 0.3)}})
    assert [hit.key for hit in hits] == [5, 6]
    assert hits[0].score > 0.9


def test_a_rank_without_likeness_is_no_vote() -> None:
    hits = fuse({"blind": ranking(9, 8, score=0.0), "seeing": ranking(1)})
    assert [hit.key for hit in hits] == [1]


def test_equal_evidence_is_ordered_by_key_whatever_the_order_of_the_spaces() -> None:
    one, other = {"a": ranking(5), "b": ranking(2)}, {"b": ranking(2), "a": ranking(5)}
    assert [hit.key for hit in fuse(one)] == [hit.key for hit in fuse(other)] == [2, 5]


def test_no_rankings_give_no_hits() -> None:
    assert fuse({}) == []
    assert fuse({"a": {}}) == []
