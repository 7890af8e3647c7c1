"""Who may start a map, and where its progress and its error are shown."""

import io

import PIL.Image
import pytest

from search.map import build, services
from search.map.models import Layout
from search.map.positions import serving
from tests.support.api import error_of, holder
from tests.support.maps import SPACE, fill, fresh, make
from tests.support.pages import as_editor, text

pytestmark = pytest.mark.django_db


def test_staff_start_a_map_by_the_api_and_see_how_far_it_is(worker, django_capture_on_commit_callbacks):
    fill(worker, 5)
    staff = holder(is_staff=True)
    with django_capture_on_commit_callbacks(execute=True):
        started = staff.post("/api/map/", {"space": SPACE}, content_type="application/json")
    assert started.status_code == 202
    assert staff.get(started.json()["url"]).json()["state"] == "done"
    assert error_of(staff.post("/api/map/", {"space": "phash"}), 400)["code"] == "no_map"


def test_others_may_not_start_a_map(client):
    error_of(client.post("/api/map/", {"space": SPACE}), 401)
    error_of(holder("change_image").post("/api/map/", {"space": SPACE}), 403)
    error_of(client.get("/api/map/1/"), 401)


def test_a_map_that_cannot_be_made_says_why(worker, monkeypatch):
    from search.map import tasks

    fill(worker, 5)
    layout = services.request_layout(space=SPACE)
    monkeypatch.setattr(build, "lay_out", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tasks.advance(layout.pk)
    assert fresh(layout).state == Layout.State.FAILED
    assert "ZeroDivisionError" in fresh(layout).error


def test_the_admin_starts_maps_and_gives_the_poster(admin_client, worker, django_capture_on_commit_callbacks):
    fill(worker, 5)
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post("/admin/atlas/layout/new/", {"space": SPACE})
    listing = text(admin_client.get("/admin/atlas/layout/"))
    assert "done" in listing
    layout = serving(SPACE)
    poster = b"".join(admin_client.get(f"/admin/atlas/layout/{layout.pk}/map.png?size=300"))
    assert max(PIL.Image.open(io.BytesIO(poster)).size) == 300


def test_the_poster_is_for_staff(client, worker):
    fill(worker, 5)
    assert as_editor(client).get(f"/admin/atlas/layout/{make().pk}/map.png").status_code == 302
