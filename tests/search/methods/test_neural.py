"""Neural features: a space over an image encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.encoders import EncoderMissing, load
from search.indexes.metrics import METRICS
from search.methods import get_method
from search.methods.base import Picture
from search.methods.neural import NeuralFeatures
from tests.support.images import scene


def pictures(count: int) -> list[Picture]:
    return [Picture(scene(seed, (120, 90))) for seed in range(count)]


def apart(one: bytes, other: bytes) -> float:
    rows = get_method("neural").rows([one, other])
    return float(METRICS["euclidean"].distances(rows[0], rows[1:])[0])


def test_it_is_the_configured_encoder() -> None:
    method = get_method("neural")
    assert isinstance(method, NeuralFeatures)
    assert method.version.startswith("image-network:efficientnet-lite0@")
    assert len(method.version) <= 80
    assert not method.knows_words


def test_a_feature_is_a_unit_vector_in_two_bytes_a_number() -> None:
    method = get_method("neural")
    stored = method.extract(scene(1))
    assert len(stored) == 2 * method.dimension
    rows = method.rows([stored])
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows) == pytest.approx(1, abs=1e-3)
    assert np.array_equal(method.queries(stored), rows)


def test_a_picture_is_itself_in_any_batch_and_size() -> None:
    method = get_method("neural")
    together = method.extract_many(pictures(5))
    for picture, stored in zip(pictures(5), together, strict=True):
        assert apart(method.extract(picture.pixels), stored) < 0.005
    for shape in ((1, 1, 3), (2, 900, 3), (900, 2, 3)):
        assert method.fits(method.extract(np.zeros(shape, np.uint8)))


def test_the_same_thing_is_nearer_than_another(shared_data: Path) -> None:
    """Of 8 classes of caltech with 4 pictures each; chance is 0.1."""
    folders = sorted(path for path in (shared_data / "caltech").iterdir() if path.is_dir())[:8]
    files = [file for folder in folders for file in sorted(folder.iterdir())[:4]]
    many = [Picture(np.asarray(Image.open(file).convert("RGB"))) for file in files]
    rows = get_method("neural").rows(get_method("neural").extract_many(many))
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=2) + 9 * np.eye(len(rows))
    right = [files[i].parent == files[j].parent for i, j in enumerate(distances.argmin(axis=1))]
    assert np.mean(right) > 0.8


def test_the_score_is_one_for_the_same_and_falls_with_the_distance() -> None:
    method = get_method("neural")
    scores = [method.score(distance) for distance in np.linspace(0, 2, 21)]
    assert scores[0] == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.01


def test_networks_that_are_shared_run_once_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    from search.encoders.network import Network

    ran: list[str] = []
    run = Network.run
    monkeypatch.setattr(Network, "run", lambda self, inputs: (ran.append(self.path.name), run(self, inputs))[1])
    picture = Picture(scene(2))
    get_method("neural").extract_many([picture])
    once = len(ran)
    get_method("semantic").extract_many([picture])
    assert once == len(ran) == 1
    assert picture.activations


def test_what_is_no_feature_of_it_does_not_fit() -> None:
    method = get_method("neural")
    assert method.fits(bytes(2 * method.dimension))
    for stored in (
        b"",
        bytes(2 * method.dimension - 1),
        bytes(2 * method.dimension + 2),
        b"\xff" * 2 * method.dimension,
    ):
        assert not method.fits(stored)


def test_another_version_is_another_object_and_an_unknown_one_is_none() -> None:
    method = get_method("neural")
    again = method.at(method.version)
    assert again is not None
    assert again.version == method.version
    for unknown in ("", "1", "image-network:gone@0123456789ab", method.version.replace("image-network", "image-text")):
        assert method.at(unknown) is None


def test_without_its_encoder_it_names_the_cure(settings, tmp_path: Path) -> None:
    settings.MODELS_ROOT = tmp_path
    method = get_method("neural")
    assert (method.metric, method.index, method.knows_words) == ("euclidean", "hnsw", False)
    for needed in (lambda: method.version, lambda: method.dimension, lambda: method.extract(scene(1))):
        with pytest.raises(EncoderMissing, match="fetch_models efficientnet-lite0"):
            needed()


def test_the_features_are_those_of_the_encoder(encoders: Path) -> None:
    picture = Picture(scene(3))
    seen = load(encoders, "efficientnet-lite0").encode_image([picture])
    stored = get_method("neural").extract(picture.pixels)
    assert np.abs(get_method("neural").rows([stored]) - seen).max() < 1e-3
