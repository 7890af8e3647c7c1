"""A layout is computed, drawn, and takes over from the one before, whatever is killed meanwhile."""

import numpy as np
import PIL.Image
import pytest
from django.core.files.storage import default_storage

from search.exceptions import SearchError, UnknownSpace
from search.locks import exclusive
from search.map import build, services, tiles
from search.map.codec import unpack
from search.map.models import Layout, Point, Tile
from search.map.positions import current, serving
from tests.support.maps import SPACE, colour_at, fill, fresh, make

pytestmark = pytest.mark.django_db


def test_every_picture_has_a_position_of_its_own(worker):
    images = fill(worker, 12)
    layout = make()
    positions = current(layout).positions
    assert set(positions["id"].tolist()) == {image.pk for image in images}
    assert len({(float(each["x"]), float(each["y"])) for each in positions}) == 12
    assert (layout.state, layout.count) == (Layout.State.DONE, 12)


def test_the_pyramid_shows_each_picture_in_its_cell(worker):
    images = fill(worker, 70)
    layout = make()
    assert {tile.level for tile in layout.tiles.all()} == {128, 64, 32, 16}
    assert layout.tiles.filter(level=128).count() == 2
    for image in (images[0], images[33], images[69]):
        with default_storage.open(image.thumbnail_name(256)) as file:
            expected = np.asarray(PIL.Image.open(file).convert("RGB")).mean(axis=(0, 1))
        assert np.abs(colour_at(layout, image) - expected).max() < 14


def test_a_coarse_tile_is_four_finer_ones(worker):
    fill(worker, 70)
    layout = make()
    coarse = tiles.read(Tile.objects.get(layout=layout, level=64, number=0))
    fine = tiles.read(Tile.objects.get(layout=layout, level=128, number=1)).resize((512, 512), PIL.Image.Resampling.BOX)
    assert np.abs(np.asarray(coarse.crop((512, 0, 1024, 512))).astype(int) - np.asarray(fine)).mean() < 8


@pytest.mark.parametrize("level", tiles.LEVELS)
def test_cells_cover_a_tile_without_overlap(level):
    cells = {tiles.cell(slot, level) for slot in range(tiles.slots_of(level))}
    assert cells == {(x, y) for x in range(0, 1024, level) for y in range(0, 1024, level)}


def test_the_old_map_serves_until_the_new_one_is_ready(worker, monkeypatch):
    fill(worker, 8)
    old = make()
    new = services.request_layout(space=SPACE)
    seen = []
    draw = tiles.draw

    def watched(layout, progress):
        seen.append(serving(SPACE).pk)
        return draw(layout, progress)

    monkeypatch.setattr(build.tiles, "draw", watched)
    services.advance(new.pk)
    assert seen == [old.pk]
    assert serving(SPACE).pk == new.pk


def test_a_map_goes_on_where_a_killed_worker_left_it(worker, monkeypatch):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build.tiles, "draw", dies)
        with pytest.raises(KeyboardInterrupt):
            services.advance(layout.pk)
    positions = fresh(layout).positions
    assert fresh(layout).state == Layout.State.RUNNING
    monkeypatch.setattr(build, "lay_out", dies)  # it has its positions; only the tiles are missing
    services.advance(layout.pk)
    assert fresh(layout).state == Layout.State.DONE
    assert fresh(layout).positions == positions


def test_a_map_that_kills_its_worker_is_given_up(worker, monkeypatch):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)
    monkeypatch.setattr(build, "make", lambda layout: (_ for _ in ()).throw(KeyboardInterrupt))
    for _ in range(services.MAX_TRIES):
        with pytest.raises(KeyboardInterrupt):
            services.advance(layout.pk)
    services.advance(layout.pk)
    assert fresh(layout).state == Layout.State.FAILED
    assert "died" in fresh(layout).error


def test_while_one_works_another_leaves_it_alone(worker):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)
    with exclusive(services.lock_of(SPACE)) as free:
        assert free
        services.advance(layout.pk)
    assert fresh(layout).state == Layout.State.QUEUED
    services.advance(layout.pk)
    assert fresh(layout).state == Layout.State.DONE


def test_asking_twice_makes_one_map(worker):
    fill(worker, 8)
    assert services.request_layout(space=SPACE) == services.request_layout(space=SPACE)


def test_a_space_without_distances_in_the_plane_has_no_map():
    with pytest.raises(SearchError, match="as a map"):
        services.request_layout(space="phash")
    with pytest.raises(UnknownSpace):
        services.request_layout(space="nonsense")


def test_a_first_map_is_made_by_itself(worker, django_capture_on_commit_callbacks):
    fill(worker, services.FEWEST)
    with django_capture_on_commit_callbacks(execute=True):
        services.sweep()
    assert [layout.space for layout in services.mapped()] == services.mappable()[:1]


def test_a_map_that_most_pictures_came_to_later_is_made_again(worker, django_capture_on_commit_callbacks):
    fill(worker, 4)
    old = make()
    fill(worker, 4, begin=20)
    services.catch_up(SPACE)
    with django_capture_on_commit_callbacks(execute=True):
        services.sweep()
    assert serving(SPACE).pk > old.pk
    assert serving(SPACE).count == 8


def test_only_the_last_two_maps_are_kept(worker):
    fill(worker, 5)
    first = make()
    files = [tiles.file_name(tile) for tile in first.tiles.all()]
    make()
    make()
    assert Layout.objects.count() == services.RETAINED
    assert not any(default_storage.exists(name) for name in files)


def test_positions_are_stored_whole(worker):
    fill(worker, 4)
    layout = make()
    assert len(unpack(fresh(layout).positions)) == 4
    assert not Point.objects.exists()
