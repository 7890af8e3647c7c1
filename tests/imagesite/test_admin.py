from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gallery.models import Album, Image, Tag
from gallery.services import add_image
from search.features.backlog import MAX_TRIES
from search.features.store import current
from search.features.versions import state_of
from search.methods import METHODS, label_of
from search.models import Extraction, Feature, Job, Snapshot
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db

Worker = Callable[[], None]


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def images() -> list[Image]:
    pictures = [encode(scene(seed, (160, 120)), "PNG") for seed in range(3)]
    return [add_image(data=data, title=f"Picture {n}", tags=["drawn"]).image for n, data in enumerate(pictures)]


def act(admin: Client, model: str, action: str, *keys: object, **more: object) -> str:
    """Choose rows of a list and do something with them, as the admin's form does; the page that follows."""
    sent = {"action": action, "_selected_action": list(keys), **more}
    answer = admin.post(f"/admin/{model}/", sent, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def page(admin: Client, path: str) -> str:
    answer = admin.get(f"/admin/{path}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "gallery/image/",
        "gallery/tag/",
        "gallery/album/add/",
        "search/space/",
        "search/space/phash/change/",
        "search/job/",
        "search/snapshot/",
        "search/extraction/",
        "gallery/tag/add/",
    ],
)
def test_pages_work_while_nothing_is_there_and_after(admin: Client, images, worker: Worker, path: str) -> None:
    page(admin, path)
    worker()
    text = page(admin, path)
    assert "<script>" not in text
    assert "style=" not in text


def test_pictures_are_listed_with_thumbnails_filtered_and_searched(admin: Client, images, worker: Worker) -> None:
    worker()
    text = page(admin, "gallery/image/")
    assert all(image.title in text and f"{image.sha256}-256.webp" in text for image in images)
    for query in ("q=picture+1", f"q={images[1].sha256[:12]}"):
        text = page(admin, f"gallery/image/?{query}")
        assert "Picture 1" in text
        assert "Picture 2" not in text
    assert "Picture 1" in page(admin, "gallery/image/?format=PNG&tags__id__exact=" + str(Tag.objects.get().pk))
    assert "Picture 1" not in page(admin, "gallery/image/?format=JPEG")


@pytest.mark.parametrize("path", ["gallery/image/", "search/job/", "search/snapshot/"])
def test_a_list_costs_no_query_for_each_row(admin: Client, images, worker: Worker, path: str) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page(admin, path)
        return len(queries)

    act(admin, "search/space", "extract_again", "color")
    worker()
    before = cost()
    for seed in range(3, 6):
        add_image(data=encode(scene(seed, (160, 120)), "PNG"), tags=["drawn", str(seed)])
        act(admin, "search/space", "build_index", "color")
        worker()
    assert cost() <= before


def test_title_and_tags_are_changed_through_the_services(admin: Client, images) -> None:
    tag = Tag.objects.create(name="other")
    url = f"/admin/gallery/image/{images[0].pk}/change/"
    answer = admin.post(url, {"title": "  New \n title ", "tags": [tag.pk]})
    assert answer.status_code == 302
    images[0].refresh_from_db()
    assert images[0].title == "New title"
    assert [one.name for one in images[0].tags.all()] == ["other"]


def test_pictures_are_not_added_here(admin: Client) -> None:
    assert admin.get("/admin/gallery/image/add/").status_code == 403


def test_deleted_pictures_lose_their_files_and_features_too(admin: Client, images, worker: Worker, settings) -> None:
    worker()
    act(admin, "gallery/image", "delete_selected", images[0].pk, images[1].pk, post="yes")
    admin.post(f"/admin/gallery/image/{images[2].pk}/delete/", {"post": "yes"})
    assert not Image.objects.exists()
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    assert not any(current(state_of(space)).exists() for space in METHODS)


def test_pictures_are_extracted_again(admin: Client, images, worker: Worker) -> None:
    worker()
    right = dict(Feature.objects.filter(space="phash").values_list("image_id", "data"))
    Feature.objects.filter(space="phash").update(data=bytes(128))
    assert "2 pictures" in act(admin, "gallery/image", "extract_again", images[0].pk, images[1].pk)
    worker()
    now = dict(Feature.objects.filter(space="phash").values_list("image_id", "data"))
    assert [bytes(now[image.pk]) == bytes(right[image.pk]) for image in images] == [True, True, False]


def test_spaces_show_how_they_stand(admin: Client, images, worker: Worker) -> None:
    assert "none of 0" in page(admin, "search/space/")
    act(admin, "search/space", "build_index", *METHODS)
    worker()
    text = page(admin, "search/space/")
    assert text.count("3 of 3") == len(METHODS)
    assert all(label_of(space) in text for space in METHODS)
    Snapshot.objects.update(problem="damaged by this test")
    assert "damaged by this test" in page(admin, "search/space/")


@pytest.mark.parametrize(("action", "force"), [("build_index", False), ("extract_again", True)])
def test_an_action_starts_a_job_and_returns_at_once(admin: Client, images, worker, action: str, force: bool) -> None:
    text = act(admin, "search/space", action, "color", "phash")
    job = Job.objects.get()
    assert f'<a href="/admin/search/job/{job.pk}/change/">{job}</a> started' in text
    assert (job.state, job.spaces, job.force, str(job.requested_by)) == ("queued", ["color", "phash"], force, "root")
    worker()
    job.refresh_from_db()
    assert (job.state, job.error) == ("done", "")
    assert Snapshot.objects.count() == 2


def test_a_job_shows_a_bar_that_the_script_can_follow(admin: Client) -> None:
    job = Job.objects.create(spaces=["color"], state="running", stage="extracting features", done=3, total=8)
    for path in ("search/job/", f"search/job/{job.pk}/change/"):
        text = page(admin, path)
        assert f'data-url="/api/jobs/{job.pk}/"' in text
        assert '<progress value="3" max="8">' in text
        assert "running: extracting features" in text
        assert "admin-progress" in text
    assert admin.get(f"/api/jobs/{job.pk}/").json()["done"] == 3
    Job.objects.update(state="done")
    text = page(admin, "search/job/")
    assert 'data-url=""' in text
    assert '<progress value="1" max="1">' in text


def test_failed_pictures_are_told_and_tried_again(admin: Client, images, worker: Worker) -> None:
    Extraction.objects.all().delete()
    failed = Extraction(image_id=images[0].pk, tries=MAX_TRIES, error="a broken disk", enqueued_at=timezone.now())
    failed.save()
    Extraction.objects.create(image_id=images[1].pk, tries=1, error="once only", enqueued_at=timezone.now())
    text = page(admin, "search/extraction/")
    assert "Failed pictures" in text
    assert "a broken disk" in text
    assert "once only" not in text
    Extraction.objects.filter(pk=failed.pk).update(error="")
    assert "worker that looked at it died" in page(admin, "search/extraction/")
    act(admin, "search/extraction", "try_again", images[0].pk)
    worker()
    assert current(state_of("phash")).count() == 3
    assert not Extraction.objects.exists()


def test_what_the_program_writes_cannot_be_changed_or_deleted_by_hand(admin: Client, images, worker: Worker) -> None:
    act(admin, "search/space", "build_index", "color")
    worker()
    rows = {"space": "color", "job": Job.objects.get().pk, "snapshot": Snapshot.objects.get().pk}
    for model, key in rows.items():
        assert admin.get(f"/admin/search/{model}/add/").status_code == 403
        assert admin.post(f"/admin/search/{model}/{key}/change/", {}).status_code == 403
        assert admin.post(f"/admin/search/{model}/{key}/delete/", {"post": "yes"}).status_code == 403
        page(admin, f"search/{model}/{key}/change/")


def test_tags_are_cleaned_as_everywhere(admin: Client) -> None:
    admin.post("/admin/gallery/tag/add/", {"name": " Old  Town "})
    assert Tag.objects.get().name == "old town"
    assert "already exists" in admin.post("/admin/gallery/tag/add/", {"name": "OLD town"}).content.decode()


def test_albums_are_put_together(admin: Client, images) -> None:
    admin.post("/admin/gallery/album/add/", {"title": "Best of", "images": [images[0].pk, images[2].pk]})
    assert set(Album.objects.get().images.all()) == {images[0], images[2]}


def test_staff_without_permissions_see_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("helper", is_staff=True))
    for model in ("gallery/image", "search/space", "search/job"):
        assert client.get(f"/admin/{model}/").status_code == 403
