from __future__ import annotations

import hashlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from gallery.models import Image
from gallery.web.paging import PAGE_SIZE
from tests.support.api import add, error_of, holder, picture, writer

pytestmark = pytest.mark.django_db

FIELDS = {
    *("id", "url", "thumbnail_url", "title", "width", "height"),
    *("sha256", "format", "bytes", "tags", "created_at"),
}


def test_an_upload_answers_with_the_image(client: Client) -> None:
    answer = writer().post("/api/images/", {"file": picture(name="sea.png"), "tags": "Sea, blue"})
    assert answer.status_code == 201
    image = answer.json()
    assert set(image) == FIELDS | {"created"}
    assert image["created"] is True
    assert (image["title"], image["tags"], image["format"]) == ("sea", ["blue", "sea"], "PNG")
    assert (image["width"], image["height"], image["bytes"]) == (160, 120, picture().size)
    assert image["sha256"] == hashlib.sha256(picture().read()).hexdigest()
    assert client.get(f"/api/images/{image['id']}/").json() == {name: image[name] for name in FIELDS}


def test_the_addresses_in_an_answer_are_usable_as_they_are(client: Client, worker) -> None:
    image = add(writer())
    assert image["url"].startswith("http://testserver/")
    assert client.get(image["thumbnail_url"]).status_code == 200
    worker()
    image = client.get(f"/api/images/{image['id']}/").json()
    assert b"".join(client.get(image["url"])) == picture().read()
    assert b"".join(client.get(image["thumbnail_url"]))[8:12] == b"WEBP"


def test_the_same_bytes_again_answer_with_the_image_that_is_there() -> None:
    client = writer()
    first = add(client, title="First")
    answer = client.post("/api/images/", {"file": picture(), "title": "Second"})
    assert answer.status_code == 200
    assert answer.json() == {**first, "created": False}
    assert Image.objects.count() == 1


def test_tags_may_be_repeated_fields() -> None:
    assert add(writer(), tags=["a", "b, c", " "])["tags"] == ["a", "b", "c"]


def test_what_is_no_picture_is_refused_and_not_stored() -> None:
    file = picture()
    file.file.seek(0)
    file.file.truncate(300)
    error = error_of(writer().post("/api/images/", {"file": file}), 400)
    assert error["fields"]["file"] == [error["message"]]
    assert not Image.objects.exists()


def test_an_upload_without_a_file_names_the_field() -> None:
    error = error_of(writer().post("/api/images/", {"title": "No file"}), 400)
    assert list(error["fields"]) == ["file"]
    error = error_of(writer().post("/api/images/", {"file": "text, not a file"}), 400)
    assert list(error["fields"]) == ["file"]


def test_a_body_that_is_too_large_is_refused(settings) -> None:
    settings.MAX_IMAGE_BYTES = 1_000
    error = error_of(writer().post("/api/images/", {"file": picture()}), 400)
    assert list(error["fields"]) == ["file"]
    file = SimpleUploadedFile("large.png", bytes(1_100_000))
    error = error_of(writer().post("/api/images/", {"file": file}), 413)
    assert error["code"] == "too_large"
    assert "0.001 MB" in error["message"]


def test_title_and_tags_can_be_changed_one_without_the_other() -> None:
    client = writer()
    url = f"/api/images/{add(client, title='Old', tags='a')['id']}/"
    changed = client.patch(url, {"title": "New"}, content_type="application/json").json()
    assert (changed["title"], changed["tags"]) == ("New", ["a"])
    changed = client.patch(url, {"tags": ["B", "c"]}, content_type="application/json").json()
    assert (changed["title"], changed["tags"]) == ("New", ["b", "c"])
    changed = client.patch(url, {"title": "", "tags": []}, content_type="application/json").json()
    assert (changed["title"], changed["tags"]) == ("", [])
    assert client.get(url).json() == changed


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "New", "tags": "not a list"}, "tags"),
        ({"title": "New", "tags": ["x" * 51]}, "tags"),
        ({"title": "New", "tags": [{}]}, "tags"),
        ({"title": "x" * 201, "tags": ["b"]}, "title"),
        ({"title": None, "tags": ["b"]}, "title"),
        ({"title": "nul \0", "tags": ["b"]}, "title"),
        ({"title": "New", "sha256": "0"}, "sha256"),
    ],
)
def test_a_change_that_is_wrong_in_part_changes_nothing(changes: dict[str, object], field: str) -> None:
    client = writer()
    image = add(client, title="Old", tags="a")
    url = f"/api/images/{image['id']}/"
    error = error_of(client.patch(url, changes, content_type="application/json"), 400)
    assert list(error["fields"]) == [field]
    now = client.get(url).json()
    assert (now["title"], now["tags"]) == ("Old", ["a"])


def test_a_deleted_image_is_gone(client: Client) -> None:
    remover = writer()
    image = add(remover)
    url = f"/api/images/{image['id']}/"
    assert remover.delete(url).status_code == 204
    error_of(client.get(url), 404)
    error_of(remover.delete(url), 404)
    error_of(client.get(f"{url}similar/"), 404)


def test_the_list_is_followed_page_by_page(client: Client) -> None:
    rows = [Image(sha256=f"{n:064}", format="PNG", bytes=1, width=1, height=1) for n in range(PAGE_SIZE + 2)]
    Image.objects.bulk_create(rows)
    first = client.get("/api/images/").json()
    assert set(first) == {"results", "next"}
    assert all(set(image) == FIELDS for image in first["results"])
    second = client.get(first["next"]).json()
    ids = [image["id"] for image in first["results"] + second["results"]]
    assert ids == sorted((image.pk for image in Image.objects.all()), reverse=True)
    assert second["next"] is None
    assert client.get("/api/images/?page=2").json() == second


def test_the_list_costs_two_queries_however_long(client: Client, django_assert_num_queries) -> None:
    uploader = writer()
    for seed in range(3):
        add(uploader, seed, tags=f"a,{seed}")
    with django_assert_num_queries(2):
        assert len(client.get("/api/images/").json()["results"]) == 3


def test_the_list_is_filtered_by_tag_and_title_and_says_so_in_next(client: Client, monkeypatch) -> None:
    uploader = writer()
    for seed in range(3):
        add(uploader, seed, title=f"Blue sea {seed}", tags="sea")
    add(uploader, 3, title="Sea", tags="other")
    assert [image["title"] for image in client.get("/api/images/?q=sea+blue+1").json()["results"]] == ["Blue sea 1"]
    assert [image["title"] for image in client.get("/api/images/?tag=Other").json()["results"]] == ["Sea"]
    monkeypatch.setattr("gallery.web.paging.page_of.__defaults__", ("", 2))
    first = client.get("/api/images/?tag=sea&q=blue").json()
    rest = client.get(first["next"]).json()
    assert [image["title"][-1] for image in first["results"] + rest["results"]] == ["2", "1", "0"]


@pytest.mark.parametrize("page", ["0", "-1", "x", "before-", "before-x", "1e3", "99999999999999999999"])
def test_a_page_that_cannot_be_is_no_page(client: Client, page: str) -> None:
    error_of(client.get("/api/images/", {"page": page}), 404)


def test_a_page_behind_the_last_is_empty(client: Client) -> None:
    assert client.get("/api/images/?page=1000").json() == {"results": [], "next": None}
    assert client.get("/api/images/?page=before-99999999999999999999999").json() == {
        "results": [],
        "next": None,
    }


def test_odd_filters_are_answered(client: Client) -> None:
    error_of(client.get("/api/images/?q=%00"), 400)
    error_of(client.get("/api/images/?tag=%00"), 400)
    assert client.get("/api/images/?q=%25_'%22&tag=%ff").json()["results"] == []


def test_ids_beyond_all_bounds_are_not_found(client: Client) -> None:
    for pk in ("0", "99999999999999999999", "9" * 5_000):
        error_of(client.get(f"/api/images/{pk}/"), 404)
        error_of(client.get(f"/api/images/{pk}/similar/"), 404)
    error_of(writer().delete("/api/images/99999999999999999999/"), 404)


def test_each_kind_of_writing_needs_its_own_permission(client: Client) -> None:
    image = add(holder("add_image"))
    url = f"/api/images/{image['id']}/"
    for stranger, status in ((client, 401), (holder("view_image"), 403)):
        error_of(stranger.post("/api/images/", {"file": picture(2)}), status)
        error_of(stranger.patch(url, {"title": "x"}, content_type="application/json"), status)
        error_of(stranger.delete(url), status)
    error_of(holder("add_image").delete(url), 403)
    error_of(holder("delete_image").patch(url, {"title": "x"}, content_type="application/json"), 403)
    assert holder("change_image").patch(url, {"title": "x"}, content_type="application/json").status_code == 200
    assert holder("delete_image").delete(url).status_code == 204
