"""Every method of the table, held to what search/methods/base.py promises."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from search.encoders import DEFAULTS
from search.exceptions import BadQuery, SpaceUnavailable, UnknownSpace
from search.explain.drawing import DRAWINGS
from search.indexes import INDEXES, index_class
from search.indexes.metrics import METRICS
from search.methods import METHODS, get_method, method_class, words_space
from search.methods.base import Comparison, Method, Picture
from search.types import Pixels
from tests.support.images import scene

PICTURES = [scene(1), scene(2, (500, 333)), scene(3, (64, 200))]
TINY = {
    "one pixel": np.full((1, 1, 3), 90, np.uint8),
    "one row": scene(4, (300, 40))[:1],
    "one column": scene(5, (40, 300))[:, :1],
    "four pixels": scene(6)[:2, :2],
    "black": np.zeros((50, 70, 3), np.uint8),
}
# Beyond these distances nothing lies.
FARTHEST = {"hamming": 256.0, "euclidean": 2.0, "votes": 1.0, "votes-orb": 1.0}
# Of each setting another choice than the one that the tests run with.
OTHER_CHOICE = {"LOCAL_FEATURES": "orb", "NEURAL_ENCODER": "conse", "SEMANTIC_ENCODER": "efficientnet-lite0"}


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> Method:
    return get_method(request.param)


def distance(method: Method, query: bytes, stored: bytes) -> float:
    """The smallest of any form of the query, as a search counts it."""
    measure, rows = METRICS[method.metric].distances, method.rows([stored])
    return min(float(measure(form, rows)[0]) for form in method.queries(query))


def compared(query: bytes | None, image: bytes, method: Method) -> Comparison:
    sizes = ((320, 240), (320, 240))
    rows = method.queries(query or image)
    return Comparison(rows, query, image, *sizes, lambda: PICTURES[0] if query else None, lambda: PICTURES[0])


def test_a_method_says_what_it_is_called_and_what_it_finds(method: Method) -> None:
    assert method.label
    assert all(text.endswith(".") for text in (method.summary, method.limits))


def test_no_two_methods_have_the_same_label_or_name() -> None:
    for attribute in ("label", "name"):
        assert len({getattr(method_class(space), attribute) for space in METHODS}) == len(METHODS)


def test_its_metric_is_known_to_its_index(method: Method) -> None:
    assert method.metric in METRICS
    assert method.index in INDEXES
    assert method.metric in index_class(method.index).metrics


def test_its_evidence_has_a_drawing(method: Method) -> None:
    assert not method.drawing or method.drawing in DRAWINGS


def test_its_confidence_leaves_doubt_and_weighs_something(method: Method) -> None:
    assert 0 < method.confidence.least_doubt < 1
    assert 0 < method.confidence.weight <= 1


def test_features_fit_and_become_rows_of_the_metric(method: Method) -> None:
    stored = [method.extract(pixels) for pixels in PICTURES]
    assert all(method.fits(data) and len(data) % np.dtype(method.stored).itemsize == 0 for data in stored)
    for rows, count in ((method.rows(stored), len(stored)), (method.rows([]), 0)):
        assert rows.shape == (count, method.dimension)
        assert rows.dtype == METRICS[method.metric].dtype
    queries = method.queries(stored[0])
    assert queries.ndim == 2
    assert queries.shape[0] >= 1
    assert queries.shape[1] == method.dimension
    assert queries.dtype == METRICS[method.metric].dtype


def test_the_same_pixels_have_the_same_feature_however_they_lie_in_memory(method: Method) -> None:
    pixels = PICTURES[0]
    before, expected = pixels.copy(), method.extract(pixels)
    reversed_twice = np.ascontiguousarray(pixels[::-1])[::-1]
    frozen = pixels.copy()
    frozen.flags.writeable = False
    assert [method.extract(each) for each in (pixels, reversed_twice, frozen)] == [expected] * 3
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("pixels", TINY.values(), ids=TINY)
def test_tiny_and_flat_pictures_have_a_feature(method: Method, pixels: Pixels) -> None:
    stored = method.extract(pixels)
    assert method.fits(stored)
    assert np.isfinite(method.rows([stored]).astype(float)).all()
    with suppress(SpaceUnavailable):  # a picture without keypoints cannot be searched by
        assert method.queries(stored).shape[1] == method.dimension


def test_several_pictures_at_once_have_the_features_that_each_has(method: Method) -> None:
    pictures = [*PICTURES, *TINY.values()]
    together = method.extract_many([Picture(pixels) for pixels in pictures])
    single = [method.extract_many([Picture(pixels)])[0] for pixels in pictures]
    # Networks add up in another order when they are given several pictures.
    np.testing.assert_allclose(method.rows(together), method.rows(single), atol=2e-3)
    assert method.extract_many([]) == []


def test_scores_fall_with_distance_from_one_to_zero(method: Method) -> None:
    distances = np.linspace(0, FARTHEST[method.metric], 200)
    scores = [method.score(each) for each in distances]
    assert scores[0] == pytest.approx(1)
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.1
    word_scores = [method.word_score(each) for each in distances]
    assert all(0 <= score <= 1 for score in word_scores)
    assert word_scores == sorted(word_scores, reverse=True)


def test_a_picture_is_at_no_distance_from_itself_and_nearer_to_its_copy_than_to_others(method: Method) -> None:
    original, *others = (method.extract(pixels) for pixels in PICTURES)
    small = Image.fromarray(PICTURES[0]).resize((240, 180), Image.Resampling.LANCZOS)
    copy = method.extract(np.asarray(small))
    assert distance(method, original, original) == pytest.approx(0, abs=1e-3)
    assert distance(method, copy, original) < min(distance(method, copy, other) for other in others)


def test_foreign_bytes_do_not_fit(method: Method) -> None:
    stored = method.extract(PICTURES[0])
    foreign = [get_method(space).extract(PICTURES[0]) for space in METHODS if get_method(space).name != method.name]
    for data in (b"", stored[:-1], stored + b"x", stored * 2, *foreign):
        assert not method.fits(data)


@pytest.mark.parametrize("space", [space for space in METHODS if method_class(space).setting])
def test_another_choice_of_its_setting_is_another_version(space: str, settings: Any) -> None:
    before = get_method(space)
    version = before.version
    setattr(settings, before.setting, OTHER_CHOICE[before.setting])
    after = get_method(space)
    assert after.version != version
    for method in (before, after):
        earlier = method.at(version)
        assert earlier
        assert earlier.version == version
        assert earlier.extract(PICTURES[0]) == before.extract(PICTURES[0])


def test_a_version_that_never_was_cannot_be_computed(method: Method) -> None:
    assert method.at("never:1") is None
    assert method.at(f"{method.name}:never@123456789abc") is None
    same = method.at(method.version)
    assert same
    assert same.version == method.version


def test_words_are_encoded_or_refused(method: Method) -> None:
    if not method.knows_words:
        with pytest.raises(BadQuery):
            method.encode_text("a dog")
        return
    for text in ("a dog", "", "словá 犬 " * 100):
        rows = method.encode_text(text)
        assert rows.shape[1] == method.dimension
        assert rows.dtype == METRICS[method.metric].dtype
        assert np.isfinite(rows.astype(float)).all()


def test_one_method_answers_words_and_at_most_one_finds_copies_and_parts() -> None:
    methods = [method_class(space) for space in METHODS]
    assert [space for space in METHODS if method_class(space).answers_words] == [words_space()]
    assert method_class(words_space()).knows_words
    assert sum(method.finds_copies for method in methods) <= 1
    assert sum(method.finds_parts for method in methods) <= 1


def test_verifying_tells_the_same_picture_from_another(method: Method) -> None:
    stored = [method.extract(pixels) for pixels in PICTURES]
    verified = method.verify(stored[0], stored)
    if not method.reranked:
        assert verified == []
        return
    own, *others = (each.distance for each in verified)
    assert len(verified) == len(stored)
    assert own < min(others) <= 1
    assert not method.finds_parts or verified[0].transform
    assert method.verify(stored[0], []) == []


def test_evidence_is_what_json_can_carry(method: Method) -> None:
    stored = method.extract(PICTURES[0])
    shown = json.loads(json.dumps(method.evidence(compared(stored, stored, method))))
    assert bool(shown) == bool(method.drawing)
    json.dumps(method.evidence(compared(None, stored, method)))


def test_without_its_model_a_method_cannot_answer_and_says_so(method: Method, settings: Any, tmp_path: Path) -> None:
    settings.MODELS_ROOT = tmp_path
    fresh = method.now()
    assert bool(fresh.encoder_name) == fresh.needs_encoder
    if not fresh.needs_encoder:
        assert fresh.version == method.version
        return
    assert fresh.encoder_name in DEFAULTS
    with pytest.raises(SpaceUnavailable):
        _ = fresh.version


def test_an_unknown_name_is_refused() -> None:
    for find in (get_method, method_class):
        with pytest.raises(UnknownSpace, match="phash"):
            find("smell")
