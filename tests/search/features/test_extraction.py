"""Pictures -> stored features: one decode, every method, in batches; a bad picture stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gallery.models import Image
from gallery.services import add_image
from search.features import backlog, extraction, store
from search.features.versions import state_of
from search.methods import METHODS, get_method
from search.methods.base import Method, Picture
from search.methods.color import ColorHistogram
from search.methods.neural import NeuralFeatures
from search.models import Extraction, Feature
from tests.support import tiny_encoder
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db


def add(count: int, size: tuple[int, int] = (96, 64)) -> list[int]:
    return [add_image(data=encode(scene(seed, size), "PNG")).image.pk for seed in range(count)]


def stored() -> dict[str, set[int]]:
    rows = Feature.objects.values_list("space", "image_id")
    return {space: {key for name, key in rows if name == space} for space in METHODS}


def test_each_picture_is_decoded_once_for_all_methods_and_thumbnails(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, decoded = add(5), []
    decode = extraction.decode
    monkeypatch.setattr(extraction, "decode", lambda data, **how: (decoded.append(1), decode(data, **how))[1])
    extraction.extract(ids)
    assert len(decoded) == len(ids)
    assert stored() == {space: set(ids) for space in METHODS}
    assert not Image.objects.filter(thumbnailed=False).exists()


@pytest.mark.parametrize("room", [0, 50_000, 10**9])
def test_groups_of_any_size_give_the_same(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "GROUP_BYTES", room)
    ids = add(5)
    extraction.extract(ids)
    assert stored() == {space: set(ids) for space in METHODS}
    assert not Extraction.objects.exists()


def test_the_pixels_in_memory_are_bounded_whatever_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "GROUP_BYTES", 100_000)
    ids = [*add(6, (200, 100)), add_image(data=encode(scene(99, (1500, 1000)), "PNG")).image.pk]
    images = list(Image.objects.filter(pk__in=ids).order_by("pk"))
    sizes = [sum(one.picture.pixels.nbytes for one in group) for group in extraction._decoded(images, {})]
    assert len(sizes) == 4
    assert max(sizes) <= 100_000 + 1024 * 1024 * 3


def test_a_batch_is_stored_in_few_transactions(django_assert_max_num_queries) -> None:
    few, many = add(4), add(12)  # the first four are the same ones
    with CaptureQueriesContext(connection) as told:
        extraction.extract(few)
    with django_assert_max_num_queries(len(told)):
        extraction.extract(many[4:])


def test_a_picture_that_one_method_cannot_do_stops_neither_the_others_nor_the_other_methods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = add(4)
    odd = scene(2, (96, 64))
    extract = ColorHistogram.extract

    def fussy(self: Method, pixels) -> bytes:
        if (pixels == odd).all():
            raise ArithmeticError("odd colours")
        return extract(self, pixels)

    monkeypatch.setattr(ColorHistogram, "extract", fussy)
    extraction.extract(ids)
    everything = {space: set(ids) for space in METHODS}
    assert stored() == everything | {"color": set(ids) - {ids[2]}}
    assert Extraction.objects.get().error == "ArithmeticError: odd colours"
    assert backlog.pending(state_of("color")) == 1
    monkeypatch.undo()
    extraction.extract(ids)
    assert stored() == everything
    assert not Extraction.objects.exists()


def test_a_file_that_cannot_be_read_stops_no_other() -> None:
    ids = add(3)
    default_storage.delete(Image.objects.get(pk=ids[1]).file_name)
    extraction.extract(ids)
    assert stored() == {space: {ids[0], ids[2]} for space in METHODS}
    assert list(Extraction.objects.values_list("pk", "tries")) == [(ids[1], 1)]


def test_a_model_that_goes_away_meanwhile_is_no_fault_of_the_pictures(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MODELS_ROOT, settings.NEURAL_ENCODER = tmp_path, "tiny"
    tiny_encoder.make(tmp_path, 0)
    ids = add(2)
    see = NeuralFeatures.extract_many

    def lose(self: NeuralFeatures, pictures: Sequence[Picture]) -> list[bytes]:
        del self.encoder
        (tmp_path / "tiny").unlink()
        return see(self, pictures)

    monkeypatch.setattr(NeuralFeatures, "extract_many", lose)
    extraction.extract(ids)
    assert not Extraction.objects.exists()
    assert stored() == {space: set() if space in {"neural", "semantic"} else set(ids) for space in METHODS}


def test_what_does_not_fit_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = add(2)
    monkeypatch.setattr(ColorHistogram, "extract", lambda self, pixels: b"short")
    extraction.extract(ids)
    assert stored()["color"] == set()
    assert "no feature" in Extraction.objects.first().error


def test_both_networks_see_a_picture_in_one_run() -> None:
    """The stored features are those of each method alone."""
    ids = add(2)
    extraction.extract(ids)
    for space in METHODS:
        alone = get_method(space).extract(scene(0, (96, 64)))
        rows = get_method(space).rows([alone, bytes(Feature.objects.get(space=space, image_id=ids[0]).data)])
        assert abs(rows[0].astype(float) - rows[1].astype(float)).max() < 0.01


def test_stored_features_come_in_the_order_they_are_asked_for() -> None:
    ids = add(5)
    extraction.extract(ids)
    asked = [ids[3], ids[0], 10**9, ids[4], ids[1]]
    assert list(store.stored_of(asked, "color", get_method("color").version)) == [ids[3], ids[0], ids[4], ids[1]]
