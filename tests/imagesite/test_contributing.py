"""The worked examples of CONTRIBUTING.md work."""

from __future__ import annotations

import numpy as np
import pytest

from gallery.imports import CONTAINERS
from gallery.models import Image
from search.encoders import ENCODERS, load, make
from search.indexes import INDEXES, index_class
from search.indexes.brute import BruteIndex
from search.methods import METHODS, get_method
from search.methods.base import Picture
from tests.support.examples import line, written
from tests.support.images import scene
from tests.support.imports import picture, run


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Makes the file that an example adds to a folder, outside the project, and gives its module."""
    monkeypatch.syspath_prepend(tmp_path)
    return lambda folder: written(folder, tmp_path)


def test_the_method_sees_the_average_colour(example, monkeypatch):
    name, _, path = line(example("search/methods"))
    monkeypatch.setitem(METHODS, name, path)
    method = get_method(name)
    stored = method.extract(np.full((4, 6, 3), (255, 0, 51), np.uint8))
    assert method.fits(stored)
    np.testing.assert_allclose(method.rows([stored, stored]), [[1, 0, 0.2]] * 2)
    assert method.queries(stored).shape == (1, method.dimension)
    assert method.score(0) == 1


def test_the_index_finds_what_a_scan_finds(example, monkeypatch, tmp_path):
    name, label, path = line(example("search/indexes"))
    monkeypatch.setitem(INDEXES, name, (label, path))
    random, scan = np.random.default_rng(0), BruteIndex("hamming", 4)
    index = index_class(name)("hamming", 4)
    rows = random.integers(0, 2**64, (500, 4), dtype=np.uint64)
    for each in (index, scan):
        each.add(np.arange(500), rows)
    index.save(tmp_path)
    for found in (index, index_class(name).load(tmp_path, "hamming", 4)):
        for radius in (0, 100, 120, 256):
            assert found.within(rows[7], radius).keys.tolist() == scan.within(rows[7], radius).keys.tolist()


def test_the_encoder_is_made_and_run(example, monkeypatch, tmp_path):
    name, label, path = line(example("search/encoders"))
    monkeypatch.setitem(ENCODERS, name, (label, path))
    make(name, tmp_path)
    encoder = load(tmp_path, name)
    vectors = encoder.encode_image([Picture(scene(seed, (64, 48))) for seed in (1, 2)])
    assert vectors.shape == (2, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


@pytest.mark.django_db
def test_the_import_source_gives_titles_and_tags(example, monkeypatch, tmp_path, settings):
    settings.DATA = tmp_path / "data"
    monkeypatch.setitem(CONTAINERS, ".csv", example("gallery/imports").entries)
    (tmp_path / "a.png").write_bytes(picture(1))
    (tmp_path / "list.csv").write_text("file,title,tags\na.png,A scene,sea;sun\nmissing.png,,\n")
    assert run(tmp_path / "list.csv")[1] == {"missing.png": "unreadable"}
    image = Image.objects.get()
    assert image.title == "A scene"
    assert {tag.name for tag in image.tags.all()} == {"sea", "sun"}
