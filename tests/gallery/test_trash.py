"""What is in the trash is gone for everybody, can come back for thirty days, and is then gone for good."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from gallery.models import TRASH_RETENTION, Album, Image, Tag
from gallery.services import add_image, delete_images, purge_trash, restore_images, trash_images
from gallery.trash.listing import trash_page
from search.features.extraction import extract
from search.models import Feature
from search.retrieval.engine import search
from search.retrieval.queries import query_by_image, query_by_pixels
from tests.support.api import holder, writer
from tests.support.images import encode, scene
from tests.support.pages import text

pytestmark = pytest.mark.django_db


def picture(seed=1, **options):
    image = add_image(
        data=encode(scene(seed, (300, 200)), "JPEG", **options), file_name=f"{seed}.jpg", tags=["one"]
    ).image
    extract([image.pk], ["phash", "color"])
    image.refresh_from_db()
    return image


def found(seed=1):
    return [hit.key for hit in search(query_by_pixels(scene(seed, (300, 200)), "phash"), method="phash").hits]


def files(settings):
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_no_page_answer_search_or_file_shows_it(client):
    image, other = picture(1), picture(2)
    Album.objects.create(title="All").images.set([image, other])
    assert trash_images(ids=[image.pk, 999]) == [image.pk]
    assert found() == [other.pk]
    assert [hit.key for hit in search(query_by_image(other.pk, "color"), method="color").hits] == []
    assert client.get(f"/images/{image.pk}/").status_code == 404
    assert client.get(f"/api/images/{image.pk}/").status_code == 404
    assert client.get(f"/api/images/{image.pk}/similar/").status_code == 404
    assert [one["id"] for one in client.get("/api/images/").json()["results"]] == [other.pk]
    assert f"/images/{image.pk}/" not in text(client.get("/"))
    assert client.get(image.url).status_code == client.get(image.thumbnail_url()).status_code == 404
    assert client.get(image.url, headers={"If-None-Match": f'"{image.url.rpartition("/")[2]}"'}).status_code == 404
    assert client.get(other.url).status_code == 200
    assert [one.pk for one in Album.objects.get().images.all()] == [other.pk]
    assert Tag.objects.get().images.count() == 1
    assert not Feature.objects.filter(image_id=image.pk, data__isnull=False).exists()


def test_who_may_empty_the_trash_sees_its_pictures_but_no_cache_keeps_them(client):
    image = picture()
    trash_images(ids=[image.pk])
    client.force_login(User.objects.create_superuser("owner"))
    answer = client.get(image.thumbnail_url())
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"


def test_it_comes_back_as_it_was_and_is_found_again(worker):
    image = picture()
    album = Album.objects.create(title="Best")
    album.images.add(image)
    trash_images(ids=[image.pk])
    assert found() == []
    assert restore_images(ids=[image.pk]) == [image.pk]
    worker()
    assert found() == [image.pk]
    assert [tag.name for tag in Image.objects.get().tags.all()] == ["one"]
    assert [one.title for one in Image.objects.get().albums.all()] == ["Best"]


def test_doing_it_twice_changes_nothing():
    image = picture()
    assert [trash_images(ids=[image.pk]), trash_images(ids=[image.pk])] == [[image.pk], []]
    assert [restore_images(ids=[image.pk]), restore_images(ids=[image.pk])] == [[image.pk], []]


def test_sending_the_same_bytes_again_takes_it_out_of_the_trash():
    image = picture()
    trash_images(ids=[image.pk])
    added = add_image(data=encode(scene(1, (300, 200)), "JPEG"), file_name="again.jpg", title="New", tags=["two"])
    assert (added.image.pk, added.created) == (image.pk, True)
    assert Image.objects.get().title == "New"
    assert {tag.name for tag in Image.objects.get().tags.all()} == {"one", "two"}


def test_after_thirty_days_it_is_gone_with_its_files(settings):
    old, young = picture(1), picture(2)
    trash_images(ids=[old.pk, young.pk])
    Image.everything.filter(pk=old.pk).update(trashed_at=timezone.now() - TRASH_RETENTION - timedelta(minutes=1))
    assert purge_trash() == 1
    assert list(Image.everything.values_list("pk", flat=True)) == [young.pk]
    assert len(files(settings)) == 1 + len(young.thumbnail_sizes)
    assert restore_images(ids=[old.pk]) == []


def test_only_what_is_in_the_trash_can_be_purged():
    image = picture()
    assert purge_trash(ids=[image.pk]) == 0
    assert Image.objects.exists()


def test_deleting_over_the_api_is_for_good(settings):
    client = writer()
    image = picture()
    assert client.delete(f"/api/images/{image.pk}/").status_code == 204
    assert client.get(f"/api/images/{image.pk}/").status_code == 404
    assert not Image.everything.exists()
    assert not files(settings)


def test_deleting_does_not_reach_into_the_trash():
    image = picture()
    trash_images(ids=[image.pk])
    assert delete_images(ids=[image.pk]) == 0
    assert Image.everything.exists()


@pytest.fixture
def owner(client):
    client.force_login(User.objects.create_superuser("owner"))
    return client


def test_the_page_restores_and_deletes_only_what_is_chosen(owner):
    first, second, third = (picture(seed) for seed in (1, 2, 3))
    trash_images(ids=[first.pk, second.pk, third.pk])
    assert text(owner.get("/trash/")).count('type="checkbox"') == 3
    owner.post("/trash/restore/", {"image": [first.pk]})
    assert list(Image.objects.values_list("pk", flat=True)) == [first.pk]
    assert "cannot be undone" in text(owner.post("/trash/purge/", {"image": [second.pk]}))
    assert Image.everything.count() == 3
    assert "Permanently deleted 1 picture" in text(
        owner.post("/trash/purge/", {"image": [second.pk], "sure": 1}, follow=True)
    )
    assert set(Image.everything.values_list("pk", flat=True)) == {first.pk, third.pk}


@pytest.mark.parametrize("chosen", [{}, {"image": "x"}, {"image": "9" * 40}, {"image": "-1"}])
def test_a_broken_choice_does_no_harm(owner, chosen):
    image = picture()
    trash_images(ids=[image.pk])
    assert owner.post("/trash/restore/", chosen).status_code == 302
    assert owner.post("/trash/purge/", chosen | {"sure": 1}).status_code == 302
    assert Image.everything.count() == 1


def test_its_pages_follow_each_other(owner):
    ids = [picture(seed).pk for seed in range(5)]
    for key in ids:
        trash_images(ids=[key])
    seen, page = [], ""
    for _ in range(5):
        shown = trash_page(page, size=2)
        seen += [image.pk for image in shown.images]
        page = shown.next
        if not page:
            break
    assert seen == ids[::-1]
    for bad in ("x", "2026-01-01_1", "_", "2026-01-01T00:00:00+00:00_x"):
        assert owner.get("/trash/", {"page": bad}).status_code == 404


@pytest.mark.parametrize("address", ["/trash/", "/trash/restore/", "/trash/purge/"])
def test_the_trash_is_for_staff_who_may_delete(client, address):
    ask = client.get if address == "/trash/" else client.post
    assert ask(address)["Location"].startswith("/login/")
    client.force_login(User.objects.create_user("reader"))
    assert ask(address).status_code == 403
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert ask(address).status_code == 403


def test_the_api_lists_and_restores():
    image = picture()
    trash_images(ids=[image.pk])
    client = holder("change_image", "delete_image", is_staff=True)
    assert [one["id"] for one in client.get("/api/duplicates/trash/").json()["results"]] == [image.pk]
    answer = client.post("/api/duplicates/trash/restore/", {"images": [image.pk, 5]}, "application/json")
    assert answer.json() == {"images": [image.pk]}
    assert Image.objects.exists()
    assert writer().get("/api/duplicates/trash/").status_code == 403
    assert holder(is_staff=True).get("/api/duplicates/trash/").status_code == 403
