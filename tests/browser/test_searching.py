"""Searching in a real browser: by a file, by paste and drop, by words, by a part."""

import re

import pytest
from playwright.sync_api import expect

from gallery.models import Image
from tests.support.browser import fill, hand_over, query

pytestmark = pytest.mark.django_db(transaction=True)


def test_choosing_a_file_searches_at_once(visit, worker):
    fill(6, worker)
    window = visit()
    page = window.open("/search/")
    page.get_by_label("Choose a picture").set_input_files(query())
    expect(page.locator("#results .tile a img").first).to_have_attribute("alt", "Scene 1")
    expect(page.locator("#query")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("most similar first")
    expect(page).to_have_url(re.compile(r"/search/[\w-]{22}/$"))
    page.get_by_role("link", name="Colours").click()
    expect(page.locator("#results .why").first).to_contain_text("match")
    expect(page).to_have_url(re.compile(r"method=color$"))
    page.go_back()
    expect(page.locator("#by-all")).to_have_attribute("aria-current", "true")
    window.scripted()


def test_a_search_is_opened_again_and_deleted(visit, worker):
    fill(3, worker)
    window = visit(expected=(404,))
    page = window.open("/search/")
    page.get_by_label("Choose a picture").set_input_files(query())
    expect(page.locator("#query")).to_be_visible()
    address = page.url
    other = visit()
    other.page.goto(address)
    expect(other.page.locator("#results .tile a img").first).to_have_attribute("alt", "Scene 1")
    page.get_by_role("button", name="Delete now").click()
    expect(page.get_by_text("The picture you searched with has been deleted")).to_be_visible()
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")


def test_words_search_by_meaning_and_each_result_says_why(visit, worker):
    fill(4, worker)
    window = visit()
    page = window.open("/search/")
    page.get_by_role("link", name="a boat on the water").click()
    expect(page.get_by_role("heading", name="By content")).to_be_visible()
    expect(page.locator("#results .tile")).to_have_count(4)
    assert page.url.endswith("/search/?q=a%20boat%20on%20the%20water")
    page.get_by_role("link", name="Why Scene").first.click()
    expect(page.get_by_role("heading", name="Similar content")).to_be_visible()
    window.scripted()


def test_a_box_is_drawn_by_mouse_and_by_keys(visit, worker):
    fill(4, worker)
    window = visit()
    page = window.open(Image.objects.get(title="Scene 1").get_absolute_url())
    page.get_by_text("Search by part of the picture").click()
    box = page.get_by_role("group", name="Box")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"region=0\.23%2C0\.25%2C0\.5%2C0\.52"))
    expect(page.get_by_role("heading", name="More like this part")).to_be_visible()
    area = page.locator(".box-layer").bounding_box()
    assert area
    page.mouse.move(area["x"] + 4, area["y"] + 4)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2, steps=3)
    page.mouse.up()
    expect(page).not_to_have_url(re.compile(r"region=0\.23%2C"))
    expect(page.locator(".box-layer")).to_have_count(1)
    page.get_by_role("link", name="Search by the whole picture").click()
    expect(page.get_by_role("heading", name="More like this", exact=True)).to_be_visible()
    window.scripted()


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_picture_can_be_handed_over(visit, worker, way):
    fill(6, worker)
    window = visit()
    page = window.open("/search/")
    hand_over(page, way, query()["buffer"])
    expect(page.locator("#results .tile a img").first).to_have_attribute("alt", "Scene 1")
    window.scripted()


def test_an_address_that_cannot_be_fetched_is_explained(visit):
    window = visit(expected=(400,))
    page = window.open("/search/")
    hand_over(page, "paste", b"http://127.0.0.1/secret.jpg", mime="text/plain")
    expect(page.locator("#error-url")).to_contain_text("public internet")
    expect(page.get_by_label("address of a picture")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#announcer")).to_contain_text("public internet")
    page.get_by_label("Choose a picture").set_input_files({"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"x"})
    expect(page.locator("#error-file p")).to_be_visible()
    expect(page.locator("#error-url")).to_be_empty()
    window.scripted()
