"""The database is the truth; what a process holds follows it at once."""

from __future__ import annotations

import numpy as np
import pytest

from gallery.models import Image
from gallery.services import add_image, delete_images
from search.features import backlog
from search.features.backlog import lacking, mark_stale
from search.features.extraction import extract
from search.features.store import NewFeature, store
from search.features.versions import state_of, states_of
from search.methods import METHODS, get_method
from search.models import Extraction, Feature, Space
from search.retrieval.engine import search
from search.retrieval.live import forget, view_of
from search.retrieval.queries import query_by_image, query_by_pixels
from search.snapshots import build
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db


def add(seed: int) -> int:
    image = add_image(data=encode(scene(seed, (200, 150)), "PNG"), title=str(seed)).image
    extract([image.pk])
    return image.pk


def found(seed: int, space: str = "phash", limit: int = 3) -> list[int]:
    query = query_by_pixels(scene(seed, (200, 150)), space)
    return [hit.key for hit in search(query, method=space, limit=limit).hits]


@pytest.mark.parametrize("space", METHODS)
def test_a_picture_is_found_as_soon_as_its_feature_is_stored(space: str) -> None:
    ids = [add(seed) for seed in range(4)]
    assert found(2, space)[0] == ids[2]
    assert search(query_by_pixels(scene(2, (200, 150)), space), method=space).hits[0].distance < 0.01


@pytest.mark.parametrize("space", METHODS)
def test_it_is_found_in_a_snapshot_in_the_tail_and_in_both(space: str) -> None:
    first = [add(seed) for seed in range(4)]
    build.build(space)
    forget()
    later = [add(seed) for seed in range(4, 8)]
    assert [found(seed, space)[0] for seed in range(8)] == first + later
    view = view_of(state_of(space))
    assert (len(view.index), len(view.tail), len(view.keys())) == (4, 4, 8)


@pytest.mark.parametrize("space", METHODS)
def test_a_deleted_picture_never_comes_back(space: str) -> None:
    ids = [add(seed) for seed in range(5)]
    build.build(space)
    assert found(1, space)[0] == ids[1]
    delete_images(ids=[ids[1]])
    assert ids[1] not in found(1, space, limit=10)
    forget()
    assert ids[1] not in found(1, space, limit=10)
    build.build(space)
    forget()
    assert sorted(found(1, space, limit=10)) == [ids[0], ids[2], ids[3], ids[4]]


def test_many_deleted_rows_do_not_take_the_places_of_the_living() -> None:
    ids = [add(seed) for seed in range(40)]
    build.build("phash")
    delete_images(ids=ids[:35])
    assert sorted(found(3, limit=5)) == ids[35:]


def test_a_feature_that_is_extracted_again_replaces_the_old_one() -> None:
    ids = [add(seed) for seed in range(3)]
    build.build("phash")
    other = get_method("phash").extract(scene(99, (200, 150)))
    mark_stale(states_of(["phash"]), [ids[0]])
    store([NewFeature(ids[0], "phash", get_method("phash").version, other)])
    assert found(99)[0] == ids[0]
    assert len(view_of(state_of("phash")).keys()) == 3
    assert not Feature.objects.filter(stale=True).exists()


def test_a_picture_deleted_while_it_is_worked_on_leaves_no_feature() -> None:
    image_id = add(1)
    data = Feature.objects.get(space="phash").data
    delete_images(ids=[image_id])
    store([NewFeature(image_id, "phash", get_method("phash").version, bytes(data))])
    assert found(1) == []


def test_numbers_are_given_out_once_and_in_order() -> None:
    ids = [add(seed) for seed in range(3)]
    delete_images(ids=ids[:1])
    rows = Feature.objects.filter(space="phash").order_by("sequence")
    assert list(rows.values_list("sequence", "image_id")) == [(2, ids[1]), (3, ids[2]), (4, ids[0])]
    assert Space.objects.get(pk="phash").head == 4


def test_extraction_is_safe_to_run_twice_and_for_pictures_that_are_gone() -> None:
    image_id = add(1)
    head = Space.objects.get(pk="phash").head
    extract([image_id, 10_000])
    assert Space.objects.get(pk="phash").head == head
    assert not Extraction.objects.exists()


def test_a_picture_whose_file_is_lost_does_not_stop_the_others_and_is_given_up_in_the_end() -> None:
    lost = add_image(data=encode(scene(1, (60, 60)), "PNG")).image
    kept = add_image(data=encode(scene(2, (60, 60)), "PNG")).image
    lost_file = lost.file_name
    from django.core.files.storage import default_storage

    default_storage.delete(lost_file)
    for _ in range(backlog.MAX_TRIES):
        extract([lost.pk, kept.pk])
    assert Feature.objects.filter(image_id=kept.pk).count() == len(METHODS)
    assert "No such file" in Extraction.objects.get(pk=lost.pk).error
    assert not lacking(states_of(METHODS)).exists()
    assert backlog.pending(state_of("phash")) == 0
    mark_stale(states_of(METHODS), [lost.pk])
    assert list(lacking(states_of(METHODS))) == [lost]


def test_a_stored_picture_is_no_answer_to_itself() -> None:
    ids = [add(seed) for seed in range(3)]
    result = search(query_by_image(ids[0]), limit=10)
    assert ids[0] not in [hit.key for hit in result.hits]
    assert not result.skipped


def test_a_picture_that_is_still_worked_on_says_so() -> None:
    image = add_image(data=encode(scene(1, (60, 60)), "PNG")).image
    result = search(query_by_image(image.pk))
    assert set(result.skipped) == set(METHODS)
    assert result.hits == ()


def test_one_broken_space_does_not_take_the_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [add(seed) for seed in range(3)]
    monkeypatch.setattr(type(get_method("color")), "score", lambda self, distance: 1 / 0)
    result = search(query_by_pixels(scene(1, (200, 150))))
    assert result.hits[0].key == ids[1]
    assert set(result.skipped) == {"color"}


def test_a_mirrored_and_turned_copy_is_found_by_its_hash() -> None:
    ids = [add(seed) for seed in range(5)]
    for turned in (np.fliplr(scene(3, (200, 150))), np.rot90(scene(3, (200, 150)))):
        hit = search(query_by_pixels(np.ascontiguousarray(turned), "phash"), method="phash").hits[0]
        assert hit.key == ids[3]
        assert hit.distance <= 8


def test_the_same_bytes_make_one_image() -> None:
    data = encode(scene(1, (60, 60)), "PNG")
    first, second = add_image(data=data), add_image(data=data)
    assert (first.created, second.created) == (True, False)
    assert first.image == second.image
    assert Image.objects.count() == 1
