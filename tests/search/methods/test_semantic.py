"""The joint space of pictures and words, and searches in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gallery.services import add_image
from search.exceptions import BadQuery
from search.features.extraction import extract
from search.methods import get_method
from search.methods.base import Picture
from search.methods.semantic import JointSpace
from search.retrieval.engine import search
from search.retrieval.live import forget
from search.retrieval.queries import query_by_pixels, query_by_text
from search.snapshots import build
from tests.support import tiny_encoder
from tests.support.images import encode, scene


def test_it_is_the_bundled_space_where_there_is_no_clip() -> None:
    method = get_method("semantic")
    assert isinstance(method, JointSpace)
    assert method.version.startswith("image-text:conse@")
    assert method.knows_words


def test_a_clip_encoder_is_preferred_as_soon_as_it_is_there(settings, tmp_path: Path) -> None:
    settings.MODELS_ROOT = tmp_path
    tiny_encoder.make(tmp_path, 0)
    method = JointSpace()
    assert method.encoder_name == "conse"
    made = tiny_encoder.make(tmp_path, 0, name="clip:tiny:drawn", kind="clip")
    assert method.encoder_name == made.name
    settings.SEMANTIC_ENCODER = "conse"
    assert method.encoder_name == "conse"


def test_words_and_pictures_are_rows_of_one_index() -> None:
    method = get_method("semantic")
    rows = method.encode_text("a dog on the beach")
    assert rows.shape == (1, method.dimension)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows) == pytest.approx(1, abs=1e-3)
    assert method.rows([method.extract(scene(1))]).shape == rows.shape


def test_scores_of_words_are_on_a_scale_of_their_own() -> None:
    """A picture is never as near to words as to itself."""
    method = get_method("semantic")
    assert method.score(1.0) < method.word_score(1.0)
    assert method.word_score(2.0) < 0.01


def test_words_find_what_they_name(shared_data: Path) -> None:
    files = sorted((shared_data / "imagenet").iterdir())[:40]
    many = [Picture(np.asarray(Image.open(file).convert("RGB"))) for file in files]
    method = get_method("semantic")
    rows = method.rows(method.extract_many(many))
    names = [file.stem.split("_", 1)[-1].replace("_", " ") for file in files]
    ranks = []
    for i, name in enumerate(names):
        distances = np.linalg.norm(rows - method.encode_text(f"a photo of a {name}"), axis=1)
        ranks.append(int((distances < distances[i]).sum()))
    assert np.mean(np.array(ranks) < 5) > 0.7


@pytest.mark.django_db
def test_a_search_in_words_asks_only_spaces_that_know_words() -> None:
    ids = [add_image(data=encode(scene(seed), "PNG")).image.pk for seed in range(3)]
    extract(ids)
    for method in ("semantic", "all"):
        result = search(query_by_text("a red circle", method), method=method)
        assert sorted(hit.key for hit in result.hits) == ids or method == "all"
        assert all(set(hit.methods) == {"semantic"} for hit in result.hits)
        assert result.skipped == {}
    with pytest.raises(BadQuery, match="Colours"):
        query_by_text("a red circle", "color")


@pytest.mark.django_db
def test_words_find_the_picture_through_the_whole_site(shared_data: Path) -> None:
    chosen = {"a dolphin": "dolphin", "a pizza": "pizza", "a wheelchair": "wheelchair"}
    keys: dict[str, list[int]] = {}
    for words, name in chosen.items():
        files = sorted((shared_data / "caltech" / name).iterdir())[:5]
        keys[words] = [add_image(data=file.read_bytes()).image.pk for file in files]
        extract(keys[words])
    for built in (False, True):
        if built:
            build.build("semantic")
            forget()
        for words, right in keys.items():
            best = [hit.key for hit in search(query_by_text(words), limit=5).hits]
            assert len(set(best) & set(right)) >= 4
            scores = [hit.score for hit in search(query_by_text(words, "semantic"), method="semantic").hits]
            assert scores == sorted(scores, reverse=True)


@pytest.mark.django_db
def test_only_allowed_pictures_are_found() -> None:
    ids = [add_image(data=encode(scene(seed), "PNG")).image.pk for seed in range(5)]
    extract(ids)
    allowed = np.array(ids[1:3])
    for query in (query_by_text("a boat"), query_by_pixels(scene(0))):
        assert {hit.key for hit in search(query, allowed=allowed).hits} <= set(ids[1:3])
    found = search(query_by_pixels(scene(0), "color"), method="color", allowed=allowed).hits
    assert sorted(hit.key for hit in found) == ids[1:3]


@pytest.mark.django_db
def test_without_a_model_a_search_in_words_says_how_to_get_one(settings, tmp_path: Path) -> None:
    settings.MODELS_ROOT = tmp_path
    for method in ("semantic", "all"):
        result = search(query_by_text("a boat", method), method=method)
        assert result.hits == ()
        assert "fetch_models conse" in result.skipped["semantic"]
