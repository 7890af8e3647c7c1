"""Searches that have an address: words, and pictures that are kept for a while."""

import io
import json
import re
from datetime import timedelta
from urllib.parse import urlsplit

import numpy as np
import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from PIL import Image as Pillow

from search.query_uploads import services
from search.query_uploads.models import QueryUpload
from search.query_uploads.tasks import forget_expired
from search.web.throttles import KeepThrottle
from tests.support.api import error_of
from tests.support.api import picture as picture_to_send
from tests.support.images import encode, scene
from tests.support.pages import add, links, text, upload

pytestmark = pytest.mark.django_db


def search_by(client, seed=1, **how):
    """The page of a search by an upload, and where it is."""
    response = client.post("/search/", {"file": upload(seed), **how}, follow=True)
    return response, response.redirect_chain[-1][0]


def test_a_search_by_picture_can_be_opened_again_by_anyone_with_its_address(client, worker):
    picture = add(1, size=(320, 240))
    worker()
    page, address = search_by(client)
    again = Client().get(address)
    assert re.fullmatch(r"/search/[\w-]{22}/", address)
    assert links(again) == links(page)
    assert links(again)[0] == picture.get_absolute_url()
    assert "no-store" in again["Cache-Control"]


def test_what_is_kept_is_a_copy_without_what_the_file_knew(client):
    exif = Pillow.Exif()
    exif[0x010F] = "A camera that tells"
    out = io.BytesIO()
    Pillow.fromarray(scene(1)).save(out, "JPEG", exif=exif)
    assert b"A camera that tells" in out.getvalue()
    out.seek(0)
    out.name = "told.jpg"
    client.post("/search/", {"file": out})
    answer = client.get(QueryUpload.objects.get().url)
    kept = b"".join(answer.streaming_content)
    assert answer["Content-Type"] == "image/jpeg"
    assert b"A camera" not in kept
    assert Pillow.open(io.BytesIO(kept)).size == (320, 240)


def test_kept_pictures_are_not_among_the_public_media(client, settings):
    search_by(client)
    name = QueryUpload.objects.get().file_name
    assert services.storage().exists(name)
    assert not any(settings.MEDIA_ROOT.rglob("*.jpg"))
    assert client.get(f"/media/{name}").status_code == 404


def test_when_its_time_is_over_a_search_is_gone_and_then_its_file(client):
    _, address = search_by(client)
    upload = QueryUpload.objects.get()
    QueryUpload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert [client.get(each).status_code for each in (address, upload.url)] == [404, 404]
    forget_expired()
    assert not QueryUpload.objects.exists()
    assert not services.storage().exists(upload.file_name)


def test_a_search_can_be_deleted_at_once(client):
    _, address = search_by(client)
    name = QueryUpload.objects.get().file_name
    assert client.get(f"{address}delete/").status_code == 405
    assert "has been deleted" in text(client.post(f"{address}delete/", follow=True))
    assert client.get(address).status_code == 404
    assert not services.storage().exists(name)


def test_a_site_that_keeps_nothing_answers_all_the_same(client, settings, worker):
    picture = add(1)
    worker()
    settings.QUERY_KEPT = 0
    page = client.post("/search/", {"file": upload(1)})
    assert (page.status_code, links(page)[0]) == (200, picture.get_absolute_url())
    assert "search" not in client.post("/api/search/image/", {"file": picture_to_send()}).json()
    assert not QueryUpload.objects.exists()


def test_a_search_is_answered_though_there_is_no_room_to_keep_its_picture(client, worker, monkeypatch):
    picture = add(1)
    worker()

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(services.storage(), "save", full)
    assert links(client.post("/search/", {"file": upload(1)}))[0] == picture.get_absolute_url()
    assert not QueryUpload.objects.exists()


def test_a_part_of_a_kept_picture_is_searched_by(client, worker):
    left, right = scene(1, (200, 200)), scene(2, (200, 200))
    picture = add(2, size=(200, 200))
    worker()
    both = io.BytesIO(encode(np.hstack([left, right]), "PNG"))
    both.name = "both.png"
    address = client.post("/search/", {"file": both}).headers["Location"]
    page = client.get(f"{address}?region=0.5,0,0.5,1&method=phash")
    assert links(page)[0] == picture.get_absolute_url()
    assert re.search(r"<strong>(9\d|100)% match", text(page))
    assert client.get(f"{address}?region=7").status_code == 400


def test_the_api_tells_where_a_search_is_kept(client, worker):
    picture = add(1)
    worker()
    sent = client.post("/api/search/image/", {"file": upload(1)}).json()
    assert set(sent["search"]) == {"id", "url", "page_url", "picture_url", "expires_at"}
    path = urlsplit(sent["search"]["url"]).path
    again = client.get(path).json()
    assert [found["image"]["id"] for found in again["results"]] == [picture.pk]
    assert again["results"][0]["score"] == sent["results"][0]["score"]
    assert links(client.get(urlsplit(sent["search"]["page_url"]).path))[0] == picture.get_absolute_url()
    assert client.delete(path).status_code == 204
    error_of(client.get(path), 404)
    error_of(client.delete(path), 404)


def test_what_is_kept_of_a_query_finds_the_same_in_every_space(client, worker):
    for seed in range(4):
        add(seed, size=(320, 240))
    worker()
    sent = client.post("/api/search/image/", {"file": upload(1)}).json()
    again = client.get(urlsplit(sent["search"]["url"]).path).json()
    assert json.dumps(again["results"]) == json.dumps(sent["results"])


def test_words_find_titles_and_tags_at_once(client):
    boat, tagged = add(1, "A red boat"), add(2, "Nothing", ["red boat"])
    add(3, "Nothing else")
    page = client.get("/search/?q=red+boat")
    assert page.status_code == 200
    assert set(links(page)) == {boat.get_absolute_url(), tagged.get_absolute_url()}
    assert 'value="red boat"' in text(page)


def test_words_are_answered_by_a_model_that_is_named(client, worker):
    picture = add(1)
    worker()
    page = text(client.get("/search/?q=a+red+boat"))
    assert picture.get_absolute_url() in page
    assert "ConSE" in page
    assert "manage.py fetch_models open_clip:" in page
    assert f"{picture.get_absolute_url()}why/?q=a+red+boat" in page
    why = text(client.get(f"{picture.get_absolute_url()}why/?q=a+red+boat"))
    assert "<blockquote>a red boat</blockquote>" in why


def test_without_a_text_model_the_page_says_what_to_do(client, settings, tmp_path):
    settings.MODELS_ROOT = tmp_path
    page = text(client.get("/search/?q=boat"))
    assert "fetch_models" in page


def test_words_that_are_too_many_are_refused(client):
    page = client.get(f"/search/?q={1001 * 'x'}")
    assert page.status_code == 400
    assert re.search(r'id="error-q"><p[^>]*>[^<]+', text(page))


def test_the_search_page_offers_examples_and_says_how_long_a_picture_is_kept(client, settings):
    page = text(client.get("/search/"))
    assert "/search/?q=a%20dog" in page
    assert "1\xa0day" in page
    settings.QUERY_KEPT = 0
    assert "It is not kept." in text(client.get("/search/"))


def test_who_searches_by_many_pictures_is_answered_but_they_are_not_all_kept(client, monkeypatch):
    cache.clear()
    monkeypatch.setitem(KeepThrottle.THROTTLE_RATES, "keep", "2/hour")
    pages = [client.post("/search/", {"file": upload(1)}) for _ in range(3)]
    assert [page.status_code for page in pages] == [302, 302, 200]
    assert "this one is not kept" in text(pages[2])
    assert "search" not in client.post("/api/search/image/", {"file": picture_to_send(1)}).json()
    assert QueryUpload.objects.count() == 2
    cache.clear()
