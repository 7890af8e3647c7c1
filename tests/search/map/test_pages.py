"""The page of the map, and what it loads."""

import io

import PIL.Image
import pytest

from gallery.models import Image
from gallery.services import delete_images
from search.map import services
from search.map.models import Layout, Tile
from search.map.positions import browser_bytes
from tests.support.maps import SPACE, fill, make
from tests.support.pages import as_editor, text

pytestmark = pytest.mark.django_db


def test_the_page_without_script_shows_the_whole_and_a_way_to_the_gallery(client, worker):
    fill(worker, 5)
    layout = make()
    page = text(client.get("/map/"))
    assert f'src="/map/{layout.pk}/overview.webp"' in page
    assert 'class="button" href="/"' in page
    picture = PIL.Image.open(io.BytesIO(b"".join(client.get(f"/map/{layout.pk}/overview.webp"))))
    assert max(picture.size) == 1600


def test_an_empty_site_says_what_a_map_needs(client, db):
    assert "needs a few pictures" in text(client.get("/map/"))


def test_while_the_first_map_is_made_the_page_says_how_far_it_is(client, worker):
    fill(worker, 5)
    layout = services.request_layout(space=SPACE)
    Layout.objects.filter(pk=layout.pk).update(stage="laying out", done=300, total=750)
    page = text(client.get("/map/"))
    assert "Arranging pictures: 300 of 750" in page
    assert 'id="waiting"' in page


def test_positions_are_sent_once(client, worker):
    fill(worker, 5)
    layout = make()
    first = client.get(f"/map/{layout.pk}/places/")
    assert first.content == browser_bytes(layout)
    again = client.get(f"/map/{layout.pk}/places/", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    delete_images(ids=[Image.objects.first().pk])
    changed = client.get(f"/map/{layout.pk}/places/", headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert len(changed.content) == len(first.content) - 16


def test_the_api_lists_maps_with_all_that_a_viewer_needs(client, worker):
    fill(worker, 5)
    layout = make()
    [found] = client.get("/api/map/").json()["results"]
    assert (found["id"], found["space"], found["count"]) == (layout.pk, SPACE, 5)
    for address in (found["places_url"], found["overview_url"], *(tiles[0] for tiles in found["pages"].values())):
        assert client.get(address).status_code == 200
    tile = client.get(found["pages"]["128"][0])
    assert tile["Cache-Control"] == "public, max-age=31536000, immutable"


def test_an_old_address_of_a_tile_gives_the_new_tile_but_not_for_ever(client, worker):
    fill(worker, 5)
    layout = make()
    answer = client.get(f"/map/{layout.pk}/128/0-{'0' * 16}.webp")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-cache"


def test_thumbnails_come_from_the_site_itself(client, worker):
    [image] = fill(worker, 1)
    assert b"".join(client.get(f"/map/pictures/{image.pk}-256.webp"))[8:12] == b"WEBP"
    assert client.get(f"/map/pictures/{image.pk}-300.webp").status_code == 404
    assert client.get("/map/pictures/999-256.webp").status_code == 404


def test_a_closed_site_shows_no_map_to_strangers(client, worker, settings):
    fill(worker, 5)
    layout = make()
    settings.PUBLIC_READING = False
    tile = Tile.objects.filter(layout=layout).first()
    for address in (
        "/map/",
        f"/map/{layout.pk}/places/",
        f"/map/{layout.pk}/overview.webp",
        f"/map/{layout.pk}/{tile.level}/0-{tile.digest}.webp",
        "/map/pictures/1-256.webp",
    ):
        assert client.get(address).status_code == 302, address
    assert client.get("/api/map/").status_code == 401
    answer = as_editor(client).get(f"/map/{layout.pk}/{tile.level}/0-{tile.digest}.webp")
    assert answer["Cache-Control"].startswith("private")
