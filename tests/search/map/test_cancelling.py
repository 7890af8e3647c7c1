"""A map that is cancelled stops soon, leaves no files, and the one that serves goes on serving."""

import pytest
from django.core.files.storage import default_storage

from search.locks import exclusive
from search.map import build, services, tiles
from search.map.layout import lay_out
from search.map.models import Layout, Tile
from search.map.positions import serving
from tests.support.api import error_of, holder
from tests.support.maps import SPACE, fill, fresh, make

pytestmark = pytest.mark.django_db


def files_of(layout):
    folder = f"atlas/{layout.pk}"
    return default_storage.listdir(folder)[1] if default_storage.exists(folder) else []


def nothing_is_left_of(layout):
    layout = fresh(layout)
    left = [
        layout.positions,
        layout.labels,
        layout.overview,
        files_of(layout),
        list(Tile.objects.filter(layout=layout)),
    ]
    return layout.state == Layout.State.CANCELLED and not any(left)


def test_laying_out_stops_in_the_middle(worker, monkeypatch):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)
    steps = []

    def watched(rows, old, step):
        def cancelling(done):
            steps.append(done)
            services.cancel(fresh(layout))
            step(done)

        return lay_out(rows, old, step=cancelling)

    monkeypatch.setattr(build, "lay_out", watched)
    services.advance(layout.pk)
    assert len(steps) == 1
    assert nothing_is_left_of(layout)


def test_tiles_that_are_drawn_already_are_removed(worker, monkeypatch):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)
    draw, drawn = tiles.draw, []

    def cancelled_at_the_end(layout, progress):
        draw(layout, progress)
        drawn.extend(files_of(layout))
        services.cancel(fresh(layout))

    monkeypatch.setattr(tiles, "draw", cancelled_at_the_end)
    services.advance(layout.pk)
    assert drawn
    assert nothing_is_left_of(layout)


def test_what_a_killed_worker_has_left_is_removed_at_once(worker, monkeypatch):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build.poster, "draw_overview", dies)
        with pytest.raises(KeyboardInterrupt):
            services.advance(layout.pk)
    assert files_of(layout)
    assert services.cancel(fresh(layout))
    assert nothing_is_left_of(layout)


def test_what_a_worker_leaves_that_dies_after_the_cancelling_is_removed_by_a_sweep(worker, monkeypatch):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)

    def cancelled_and_dies(*_):
        services.cancel(fresh(layout))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build.poster, "draw_overview", cancelled_and_dies)
        with pytest.raises(KeyboardInterrupt):
            services.advance(layout.pk)
    assert files_of(layout)
    services.sweep()
    assert nothing_is_left_of(layout)


def test_the_map_before_goes_on_serving(worker):
    fill(worker, 8)
    old, new = make(), services.request_layout(space=SPACE)
    services.cancel(new)
    services.advance(new.pk)
    assert serving(SPACE) == old
    assert files_of(old)
    assert nothing_is_left_of(new)


def test_a_cancelled_map_is_not_begun_again_by_itself(worker, django_capture_on_commit_callbacks):
    fill(worker, services.FEWEST)
    space = services.mappable()[0]
    services.cancel(services.request_layout(space=space))
    with django_capture_on_commit_callbacks(execute=True):
        services.sweep()
    assert Layout.objects.count() == 1
    services.request_layout(space=space)
    assert Layout.objects.count() == 2


def test_a_worker_that_is_still_on_it_is_not_disturbed(worker):
    fill(worker, 8)
    layout = make()
    Layout.objects.update(state=Layout.State.RUNNING)
    with exclusive(services.lock_of(SPACE)):
        services.cancel(fresh(layout))
        assert files_of(layout)
    services.sweep()
    assert nothing_is_left_of(layout)


def test_staff_cancel_a_map_by_the_api_once(worker):
    fill(worker, 5)
    staff = holder(is_staff=True)
    layout = services.request_layout(space=SPACE)
    cancelled = staff.post(f"/api/map/{layout.pk}/cancel/")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert error_of(staff.post(f"/api/map/{layout.pk}/cancel/"), 409)["code"] == "job_ended"
    error_of(holder("change_image").post(f"/api/map/{layout.pk}/cancel/"), 403)
