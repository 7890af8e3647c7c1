"""Every page is clean to axe-core: light and dark, on a laptop and a phone, in English and Russian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from gallery.models import Image
from gallery.services import add_to_album, trash_images
from search.duplicates import detection
from search.map import services as maps
from tests.support.browser import WINDOWS, fill
from tests.support.images import encode, scene
from tests.support.pages import upload

pytestmark = pytest.mark.django_db(transaction=True)

WAYS: dict[str, dict[str, Any]] = {
    "English, light, laptop": WINDOWS["laptop"],
    "Russian, dark, phone": WINDOWS["phone"] | {"color_scheme": "dark", "locale": "ru-RU"},
}
ALL = {"rules": {"target-size": {"enabled": True}}}
# The page on which the API is tried is another project's inside this frame.
FRAME = {"runOnly": ["html-has-lang", "document-title", "meta-viewport"]}
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
STRANGERS = ("/", "/login/", "/albums/", "/map/")
EMPTY = ("/", "/albums/", "/tags/", "/map/", "/duplicates/", "/trash/", "/search/?q=zebra")


def violations(page: Page, where: str, options: dict[str, Any]) -> list[str]:
    """What axe-core finds wrong in the page as it is now, one line a rule and place."""
    if page.locator("#map").count():
        page.locator("#map.ready").wait_for()
    found = Axe().run(page, options=options).response["violations"]
    return [f"{where}: {rule['id']} {node['target']} {node['html'][:120]}" for rule in found for node in rule["nodes"]]


def pages_of(worker: Callable[[], None], client: Client) -> list[str]:
    """A site with something on each of its pages, and where they are."""
    images = fill(10, worker)
    trash_images(ids=[images[9].pk])
    album = add_to_album(ids=[images[0].pk, images[1].pk], title="Drawn")
    detection.detect()
    maps.advance(maps.request_layout(space="color").pk)
    first, copy = (Image.objects.get(title=f"Scene {number}") for number in (1, 2))
    kept = client.post("/search/", {"file": upload(1)}).headers["Location"]
    picture = first.get_absolute_url()
    return [
        *("/", "/?select=1", "/?tag=even", "/?q=zebra", "/?sort=title", "/tags/", "/albums/", "/add/", "/help/"),
        *(picture, f"{picture}edit/", f"{picture}delete/", f"{picture}?region=0.2,0.2,0.5,0.5"),
        *("/search/", "/search/?q=scene", kept, f"{kept}?region=0.2,0.2,0.5,0.5"),
        f"{copy.get_absolute_url()}why/?query={first.pk}",
        *(reverse("gallery:album", args=[album.pk]), reverse("gallery:album-edit", args=[album.pk])),
        *("/map/?space=color", f"/map/?space=color&picture={first.pk}"),
        *("/duplicates/", reverse("duplicates:compare", args=[first.pk, copy.pk]), "/trash/", "/nothing/here/"),
    ]


def owner(page: Page, base: str) -> None:
    """From now on the page is asked for by somebody who may do everything."""
    user, _ = User.objects.get_or_create(username="owner", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": base}])


def test_every_page_is_clean(visit, worker, client):
    pages, wrong = pages_of(worker, client), []
    for name, window in WAYS.items():
        visitor = visit(expected=(404,), **window)
        for path in STRANGERS:
            wrong += violations(visitor.open(path), f"{name}, stranger, {path}", ALL)
        owner(visitor.page, visitor.base)
        for path in pages:
            wrong += violations(visitor.open(path), f"{name}, {path}", ALL)
        visitor.scripted()
    wrong += violations(visit().open("/api/docs/"), "API", FRAME)
    narrow = visit(expected=(404,), viewport={"width": 320, "height": 640})
    owner(narrow.page, narrow.base)
    wrong += [f"{path} is wider than its window" for path in pages if narrow.open(path).evaluate(TOO_WIDE)]
    assert wrong == []


def test_empty_pages_are_clean(visit):
    wrong = []
    for name, window in WAYS.items():
        visitor = visit(**window)
        owner(visitor.page, visitor.base)
        for path in EMPTY:
            wrong += violations(visitor.open(path), f"{name}, {path}", ALL)
    assert wrong == []


def test_what_opens_on_a_page_is_clean(visit, worker, client):
    pages_of(worker, client)
    visitor = visit(expected=(400,))
    owner(visitor.page, visitor.base)
    page = visitor.open("/")
    page.locator("a.frame").first.focus()
    page.keyboard.press("v")
    expect(page.get_by_role("dialog")).to_be_visible()
    wrong = violations(page, "lightbox", ALL)
    page = visitor.open("/duplicates/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    wrong += violations(page, "keys", ALL)
    page = visitor.open("/add/")
    copy = {"name": "copy.jpg", "mimeType": "image/jpeg", "buffer": encode(scene(0, (320, 240)), quality=70)}
    new = {"name": "new.jpg", "mimeType": "image/jpeg", "buffer": encode(scene(50, (320, 240)))}
    page.get_by_label("Choose pictures").set_input_files([new, copy, copy | {"buffer": b"no picture"}])
    page.get_by_role("button", name="Add 3 pictures").click()
    expect(page.locator("#summary")).to_have_text("1 added, 1 already in the gallery, 1 not added")
    wrong += violations(page, "outcomes", ALL)
    page = visitor.open("/search/")
    page.get_by_label("Choose a picture").set_input_files(copy | {"buffer": b"no picture"})
    expect(page.locator("#error-file p")).to_be_visible()
    wrong += violations(page, "error", ALL)
    assert wrong == []
