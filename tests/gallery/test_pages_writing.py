"""Pages on which pictures are added, changed and deleted, and who may."""

import re

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from gallery.models import Image
from gallery.services import trash_images
from gallery.trash.views import UNDO_SALT
from tests.support.pages import add, as_editor, text, upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client):
    return as_editor(client)


def test_adding_needs_a_login_and_a_permission(client):
    assert client.get("/add/")["Location"] == "/login/?next=/add/"
    client.force_login(User.objects.create_user("reader"))
    assert client.get("/add/").status_code == 403
    assert client.post("/add/", {"pictures": upload(1)}).status_code == 403
    assert not Image.objects.exists()


def test_every_file_gets_its_answer(editor):
    known = add(1, "Known")
    files = [
        upload(1),
        upload(2, "fresh.jpg"),
        SimpleUploadedFile("notes.txt", b"words"),
        SimpleUploadedFile("no", b""),
    ]
    response = editor.post("/add/", {"pictures": files, "tags": "Beach, holiday ,,beach"})
    fresh = Image.objects.get(title="fresh")
    assert response.status_code == 200
    assert [outcome.created for outcome in response.context["outcomes"]] == [False, True, False, False]
    page = text(response)
    assert f'Already in the gallery: <a href="{known.get_absolute_url()}">Known</a>' in page
    assert f'Added: <a href="{fresh.get_absolute_url()}">fresh</a>' in page
    assert page.count("Not added.") == 2
    assert [tag.name for tag in fresh.tags.all()] == ["beach", "holiday"]


def test_a_script_that_sends_one_file_gets_its_answer_alone(editor):
    good = editor.post("/add/", {"pictures": upload(1)}, headers={"HX-Request": "true"})
    bad = editor.post("/add/", {"pictures": SimpleUploadedFile("x", b"x")}, headers={"HX-Request": "true"})
    none = editor.post("/add/", {}, headers={"HX-Request": "true"})
    assert [good.status_code, bad.status_code, none.status_code] == [200, 400, 400]
    assert [text(each).count("<li") for each in (good, bad, none)] == [1, 1, 1]


def test_a_file_above_the_limit_is_refused_by_its_size(editor, settings):
    settings.MAX_IMAGE_BYTES = 1_000
    response = editor.post("/add/", {"pictures": upload(1)})
    assert response.status_code == 400
    assert "larger than" in text(response)


def test_title_and_tags_can_be_changed(editor):
    picture = add(1, "Before", ["old"])
    assert 'value="Before"' in text(editor.get(reverse("gallery:edit", args=[picture.pk])))
    response = editor.post(reverse("gallery:edit", args=[picture.pk]), {"title": "After", "tags": "new, newer"})
    assert response["Location"] == picture.get_absolute_url()
    picture.refresh_from_db()
    assert picture.title == "After"
    assert {tag.name for tag in picture.tags.all()} == {"new", "newer"}


def test_a_deleted_picture_is_in_the_trash_until_that_is_undone(editor):
    picture = add(1, "Doomed", ["old"])
    address = reverse("gallery:delete", args=[picture.pk])
    assert "Move “Doomed” to the trash?" in text(editor.get(address))
    page = text(editor.post(address, follow=True))
    assert "Moved “Doomed” to the trash" in page
    assert not Image.objects.exists()
    undo = re.search(r'name="undo" value="([^"]+)"', page)[1]
    answer = editor.post("/restore/", {"undo": undo, "next": "/tags/"}, follow=True)
    assert answer.redirect_chain[-1][0] == "/tags/"
    assert "Restored 1 picture." in text(answer)
    assert list(Image.objects.get().tags.values_list("name", flat=True)) == ["old"]
    again = editor.post("/restore/", {"undo": undo, "next": "https://example.com/"}, follow=True)
    assert again.redirect_chain[-1][0] == "/"
    assert "nothing left to restore" in text(again)


def test_only_what_this_site_signed_is_undone(editor):
    picture = add(1)
    trash_images(ids=[picture.pk])
    for undo in ("", str(picture.pk), signing.dumps([picture.pk], salt="other")):
        assert editor.post("/restore/", {"undo": undo}).status_code == 404
    assert not Image.objects.exists()


def test_undoing_needs_the_permission_to_delete(client):
    undo = signing.dumps([1], salt=UNDO_SALT)
    assert client.post("/restore/", {"undo": undo})["Location"].startswith("/login/")
    client.force_login(User.objects.create_user("reader"))
    assert client.post("/restore/", {"undo": undo}).status_code == 403


@pytest.mark.parametrize("page", ["edit", "delete"])
def test_changing_needs_a_permission(client, page):
    address = reverse(f"gallery:{page}", args=[add(1).pk])
    assert client.post(address)["Location"].startswith("/login/")
    client.force_login(User.objects.create_user("reader"))
    assert client.post(address).status_code == 403
    assert Image.objects.exists()


def test_logging_in_leads_back_and_logging_out_is_a_post(client):
    User.objects.create_user("reader", password="a long enough one")
    wrong = client.post("/login/", {"username": "reader", "password": "guess"})
    assert "Please enter a correct username" in text(wrong)
    form = {"username": "reader", "password": "a long enough one", "next": "/search/"}
    assert client.post("/login/", form)["Location"] == "/search/"
    assert "Log out" in text(client.get("/"))
    assert client.post("/logout/")["Location"] == "/"
    assert "Log in" in text(client.get("/"))
