"""The map follows the collection: pictures come, go and come back, and nothing else moves."""

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from gallery.services import delete_images
from search.map import services, tiles
from search.map.models import Page
from search.map.positions import etag, shown
from tests.support.maps import SPACE, colour_at, colour_of_slot, fill, fresh, ids_on, make, place_of

pytestmark = pytest.mark.django_db


def test_a_new_picture_is_placed_and_nothing_else_moves(worker):
    fill(worker, 10)
    layout = make()
    before = shown(layout).records
    [new] = fill(worker, 1, begin=50)
    assert new.pk not in ids_on(layout)
    services.catch_up(SPACE)
    after = shown(fresh(layout)).records
    assert np.array_equal(after[np.isin(after["id"], before["id"])], before)
    assert new.pk in ids_on(layout)
    apart = np.hypot(before["x"] - place_of(layout, new)[0][0], before["y"] - place_of(layout, new)[0][1])
    assert 0.8 < apart.min() < 5
    assert colour_at(layout, new).std() >= 0


def test_a_copy_is_placed_beside_what_it_copies(worker):
    images = fill(worker, 30)
    layout = make()
    from tests.support.pages import copy

    twin = copy(40)
    worker()
    services.catch_up(SPACE)
    found = shown(fresh(layout)).records
    [place] = place_of(layout, twin)
    others = found[found["id"] != twin.pk]
    near = others["id"][np.argsort(np.hypot(others["x"] - place[0], others["y"] - place[1]))[:6]]
    assert images[1].pk in near


def test_a_deleted_picture_is_gone_at_once_and_its_cell_is_wiped(worker):
    images = fill(worker, 8)
    layout = make()
    now = shown(layout)
    slot = int(now.slots[now.records["id"] == images[3].pk][0])
    old_files = {tiles.file_name(page) for page in layout.pages.all()}
    tag = etag(layout)
    delete_images(ids=[images[3].pk])
    assert images[3].pk not in ids_on(layout)
    assert etag(fresh(layout)) != tag
    services.catch_up(SPACE)
    assert images[3].pk not in ids_on(layout)
    assert colour_of_slot(layout, slot).max() < 12
    assert not any(default_storage.exists(name) for name in old_files)


def test_a_picture_that_was_placed_later_can_go_too(worker):
    fill(worker, 8)
    layout = make()
    [new] = fill(worker, 1, begin=60)
    services.catch_up(SPACE)
    delete_images(ids=[new.pk])
    assert new.pk not in ids_on(layout)
    services.catch_up(SPACE)
    [newer] = fill(worker, 1, begin=61)
    services.catch_up(SPACE)
    slots = shown(fresh(layout)).slots
    assert newer.pk in ids_on(layout)
    assert len(set(slots.tolist())) == len(slots)


def test_what_comes_back_has_its_old_place(worker):
    from gallery.services import restore_images, trash_images

    images = fill(worker, 8)
    layout = make()
    place = place_of(layout, images[2])
    trash_images(ids=[images[2].pk])
    services.catch_up(SPACE)
    assert images[2].pk not in ids_on(layout)
    restore_images(ids=[images[2].pk])
    worker()
    services.catch_up(SPACE)
    assert place_of(layout, images[2]) == place


def test_catching_up_twice_changes_nothing(worker):
    fill(worker, 8)
    layout = make()
    fill(worker, 2, begin=70)
    services.catch_up(SPACE)
    before, tag, digests = shown(fresh(layout)).records, etag(fresh(layout)), list(layout.pages.values_list("digest"))
    services.catch_up(SPACE)
    assert np.array_equal(shown(fresh(layout)).records, before)
    assert etag(fresh(layout)) == tag
    assert list(layout.pages.values_list("digest")) == digests


def test_a_lost_page_is_drawn_again(client, worker):
    fill(worker, 5)
    layout = make()
    page = Page.objects.get(layout=layout, level=64)
    default_storage.delete(tiles.file_name(page))
    address = reverse("atlas:page", args=[layout.pk, 64, 0, page.digest])
    assert client.get(address).status_code == 404
    services.catch_up(SPACE)
    assert client.get(address).status_code == 200
