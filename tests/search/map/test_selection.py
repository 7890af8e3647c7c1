"""What is done with pictures that were selected on the map."""

import csv
import io
import json
import zipfile

import pytest
from django.core.files.storage import default_storage

from gallery.models import Album
from gallery.services import update_image
from tests.support.maps import SPACE, fill
from tests.support.pages import as_editor, text

pytestmark = pytest.mark.django_db


def test_tags_are_added_to_those_that_there_are(client, worker):
    images = fill(worker, 3)
    answer = as_editor(client).post("/map/tag/", {"ids": f"{images[0].pk},{images[1].pk},999", "tags": "Sea, blue"})
    assert answer.json() == {"message": "Tagged 2 pictures."}
    assert {tag.name for tag in images[0].tags.all()} == {"group 0", "sea", "blue"}
    assert {tag.name for tag in images[2].tags.all()} == {"group 2"}


def test_an_album_is_found_by_its_title_or_made(admin_client, worker):
    images = fill(worker, 3)
    for chosen in (images[:2], images[1:]):
        ids = ",".join(str(image.pk) for image in chosen)
        assert admin_client.post("/map/album/", {"ids": ids, "title": "Summer"}).status_code == 200
    [album] = Album.objects.all()
    assert album.images.count() == 3


@pytest.mark.parametrize("address", ["/map/tag/", "/map/album/"])
def test_writing_needs_permission(client, worker, address):
    [image] = fill(worker, 1)
    assert client.post(address, {"ids": image.pk, "tags": "x", "title": "x"}).status_code == 403
    assert not Album.objects.exists()


@pytest.mark.parametrize("address", ["/map/tag/", "/map/album/", "/map/export/", "/map/alike/"])
def test_what_changes_or_costs_needs_this_sites_own_form(worker, address):
    from django.test import Client

    assert Client(enforce_csrf_checks=True).post(address, {"ids": "1"}).status_code == 403


@pytest.mark.parametrize("ids", ["", "1,x", "-1", "1;2", "9" * 30])
def test_ids_that_are_none_are_refused(client, ids, db):
    assert client.post("/map/export/", {"ids": ids, "format": "csv"}).status_code == 400


def test_a_selection_can_be_taken_along(client, worker):
    images = fill(worker, 3)
    update_image(image=images[0], title="=1+1")
    ids = ",".join(str(image.pk) for image in images[:2])

    def sent(name):
        return b"".join(client.post("/map/export/", {"ids": ids, "format": name}))

    rows = json.loads(sent("json"))
    assert [row["id"] for row in rows] == [image.pk for image in images[:2]]
    assert rows[1]["tags"] == ["group 1"]
    lines = list(csv.DictReader(io.StringIO(sent("csv").decode())))
    assert [line["sha256"] for line in lines] == [image.sha256 for image in images[:2]]
    assert lines[0]["title"] == "'=1+1"
    archive = zipfile.ZipFile(io.BytesIO(sent("zip")))
    assert archive.testzip() is None
    with default_storage.open(images[1].file_name) as original:
        assert archive.read(f"{images[1].pk} scene 1.jpg") == original.read()


def test_a_zip_that_is_too_large_is_refused(client, worker, monkeypatch):
    [image] = fill(worker, 1)
    monkeypatch.setattr("gallery.zip_download.LARGEST_ZIP", 10)
    assert client.post("/map/export/", {"ids": image.pk, "format": "zip"}).status_code == 400


def test_the_mean_of_copies_finds_the_one_that_is_left(client, worker):
    from tests.support.pages import copy

    images = fill(worker, 12)
    copies = [copy(quality) for quality in (30, 50, 70)]
    worker()
    ids = ",".join(str(image.pk) for image in copies)
    page = text(client.post("/map/alike/", {"ids": ids, "space": SPACE}))
    shown_ids = [line.split("/")[0] for line in page.split('href="/images/')[1:]]
    assert shown_ids[0] == str(images[1].pk)
    assert not {str(image.pk) for image in copies} & set(shown_ids)


@pytest.mark.parametrize("space", ["phash", "nonsense"])
def test_a_mean_is_asked_of_spaces_that_have_one(client, worker, space):
    [image] = fill(worker, 1)
    answer = client.post("/map/alike/", {"ids": image.pk, "space": space})
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_searches_by_a_mean_are_counted_with_the_others(client, worker, monkeypatch):
    from search.map.views import SearchThrottle

    [image] = fill(worker, 1)
    monkeypatch.setattr(SearchThrottle, "THROTTLE_RATES", {"search": "1/min"})
    statuses = [client.post("/map/alike/", {"ids": image.pk, "space": SPACE}).status_code for _ in range(2)]
    assert statuses == [200, 429]
