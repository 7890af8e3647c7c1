"""The map follows the collection: pictures come, go and come back, and nothing else moves."""

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from gallery.services import delete_images
from search.map import services, tiles
from search.map.models import Tile
from search.map.positions import current, etag
from tests.support.maps import SPACE, centre_of, colour_at, colour_of_slot, fill, fresh, ids_on, make

pytestmark = pytest.mark.django_db


def test_a_new_picture_gets_a_position_and_nothing_else_moves(worker):
    fill(worker, 10)
    layout = make()
    before = current(layout).positions
    [new] = fill(worker, 1, begin=50)
    assert new.pk not in ids_on(layout)
    services.catch_up(SPACE)
    after = current(fresh(layout)).positions
    assert np.array_equal(after[np.isin(after["id"], before["id"])], before)
    assert new.pk in ids_on(layout)
    apart = np.hypot(before["x"] - centre_of(layout, new)[0][0], before["y"] - centre_of(layout, new)[0][1])
    assert 0.8 < apart.min() < 5
    assert colour_at(layout, new).std() >= 0


def test_a_copy_lies_beside_what_it_copies(worker):
    images = fill(worker, 30)
    layout = make()
    from tests.support.pages import copy

    twin = copy(40)
    worker()
    services.catch_up(SPACE)
    positions = current(fresh(layout)).positions
    [(x, y)] = centre_of(layout, twin)
    others = positions[positions["id"] != twin.pk]
    near = others["id"][np.argsort(np.hypot(others["x"] - x, others["y"] - y))[:6]]
    assert images[1].pk in near


def test_a_deleted_picture_is_gone_at_once_and_its_cell_is_wiped(worker):
    images = fill(worker, 8)
    layout = make()
    now = current(layout)
    slot = int(now.slots[now.positions["id"] == images[3].pk][0])
    old_files = {tiles.file_name(tile) for tile in layout.tiles.all()}
    tag = etag(layout)
    delete_images(ids=[images[3].pk])
    assert images[3].pk not in ids_on(layout)
    assert etag(fresh(layout)) != tag
    services.catch_up(SPACE)
    assert images[3].pk not in ids_on(layout)
    assert colour_of_slot(layout, slot).max() < 12
    assert not any(default_storage.exists(name) for name in old_files)


def test_a_picture_that_was_added_later_can_go_too(worker):
    fill(worker, 8)
    layout = make()
    [new] = fill(worker, 1, begin=60)
    services.catch_up(SPACE)
    delete_images(ids=[new.pk])
    assert new.pk not in ids_on(layout)
    services.catch_up(SPACE)
    [newer] = fill(worker, 1, begin=61)
    services.catch_up(SPACE)
    slots = current(fresh(layout)).slots
    assert newer.pk in ids_on(layout)
    assert len(set(slots.tolist())) == len(slots)


def test_what_comes_back_has_its_old_position(worker):
    from gallery.services import restore_images, trash_images

    images = fill(worker, 8)
    layout = make()
    centre = centre_of(layout, images[2])
    trash_images(ids=[images[2].pk])
    services.catch_up(SPACE)
    assert images[2].pk not in ids_on(layout)
    restore_images(ids=[images[2].pk])
    worker()
    services.catch_up(SPACE)
    assert centre_of(layout, images[2]) == centre


def test_catching_up_twice_changes_nothing(worker):
    fill(worker, 8)
    layout = make()
    fill(worker, 2, begin=70)
    services.catch_up(SPACE)
    before, tag, digests = (
        current(fresh(layout)).positions,
        etag(fresh(layout)),
        list(layout.tiles.values_list("digest")),
    )
    services.catch_up(SPACE)
    assert np.array_equal(current(fresh(layout)).positions, before)
    assert etag(fresh(layout)) == tag
    assert list(layout.tiles.values_list("digest")) == digests


def test_a_lost_tile_is_drawn_again(client, worker):
    fill(worker, 5)
    layout = make()
    tile = Tile.objects.get(layout=layout, level=64)
    default_storage.delete(tiles.file_name(tile))
    address = reverse("atlas:page", args=[layout.pk, 64, 0, tile.digest])
    assert client.get(address).status_code == 404
    services.catch_up(SPACE)
    assert client.get(address).status_code == 200
