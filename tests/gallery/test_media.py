"""Stored files as visitors get them: types by name, kept for ever, nothing else reachable."""

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage

from gallery.services import add_image, delete_images
from gallery.storage import DurableFileSystemStorage
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def picture():
    return add_image(data=encode(scene(1)), file_name="scene.jpg").image


def test_an_original_comes_as_it_was_sent_and_may_be_kept_for_ever(client, picture):
    response = client.get(picture.url)
    assert b"".join(response) == encode(scene(1))
    assert response["Content-Type"] == "image/jpeg"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert not response.has_header("Set-Cookie")


@pytest.mark.parametrize("base", ["/media/", "/media", "https://pictures.example.org/a b/"])
@pytest.mark.parametrize(
    "name", ["originals/0a/b1/0ab1.jpg", "a b.jpg", "/a", "//a", "a/../b", "ü", "a?b#c", "a:b", "a\\b"]
)
def test_addresses_of_files_are_those_that_django_makes(name, base):
    assert DurableFileSystemStorage(base_url=base).url(name) == FileSystemStorage(base_url=base).url(name)


def test_thumbnails_are_webp(client, picture, worker):
    worker()
    picture.refresh_from_db()
    response = client.get(picture.thumbnail_url(256))
    assert response["Content-Type"] == "image/webp"
    assert b"".join(response)[8:12] == b"WEBP"


def test_who_has_it_already_is_told_so(client, picture):
    etag = client.get(picture.url)["ETag"]
    again = client.get(picture.url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again["Cache-Control"].endswith("immutable")
    assert client.get(picture.url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_deleted_picture_is_gone_even_for_those_who_had_it(client, picture):
    etag = client.get(picture.url)["ETag"]
    delete_images(ids=[picture.pk])
    assert client.get(picture.url).status_code == 404
    assert client.get(picture.url, headers={"If-None-Match": etag}).status_code == 404


def test_types_that_browsers_do_not_show_are_downloaded(client):
    tiff = add_image(data=encode(scene(2), "TIFF"), file_name="scan.tiff").image
    response = client.get(tiff.url)
    assert response["Content-Type"] == "image/tiff"
    assert response["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "db.sqlite3",
        "originals/",
        "originals/../../secret_key",
        "../secret_key",
        "%2e%2e/secret_key",
        "..%2f..%2fsecret_key",
        "originals/aa/bb/" + 64 * "c" + ".jpg",
        "originals/cc/cc/" + 64 * "c" + ".jpg",
        "originals/cc/cc/" + 64 * "c" + ".html",
        "originals/cc/cc/" + 64 * "c" + ".jpg%0a",
        "thumbnails/cc/cc/" + 64 * "c" + "-257.webp",
    ],
)
def test_other_names_are_not_found(client, settings, name):
    settings.MEDIA_ROOT.mkdir(parents=True, exist_ok=True)
    (settings.MEDIA_ROOT.parent / "secret_key").write_text("secret")
    assert client.get(f"/media/{name}").status_code == 404


def test_a_strange_file_in_the_media_folder_is_not_served(client):
    default_storage.save("notes.html", ContentFile(b"<script>alert(1)</script>"))
    assert client.get("/media/notes.html").status_code == 404


def test_a_closed_site_shows_pictures_only_after_a_login(client, picture, settings):
    settings.PUBLIC_READING = False
    assert client.get(picture.url)["Location"].startswith("/login/")
    client.force_login(User.objects.create_user("reader"))
    response = client.get(picture.url)
    assert response.status_code == 200
    assert response["Cache-Control"].startswith("private")
