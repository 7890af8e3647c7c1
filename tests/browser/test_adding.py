"""Adding pictures in a real browser."""

import pytest
from playwright.sync_api import expect

from search.retrieval.live import forget
from tests.support.browser import SHAPES, fill, log_in, query
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_picture_can_be_added_and_then_found(visit, worker):
    known = fill(3, worker)[0]
    window = visit(expected=(400,))
    page = log_in(window, "/add/")
    files = [
        query(4) | {"name": "new one.jpg"},
        {"name": "known.jpg", "mimeType": "image/jpeg", "buffer": encode(scene(0, SHAPES[0]), quality=90)},
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"words"},
    ]
    page.get_by_label("Choose pictures").set_input_files(files)
    page.get_by_label("Tags").fill("fresh")
    page.get_by_role("button", name="Add 3 pictures").click()
    expect(page.locator("#summary")).to_have_text("1 added, 1 already in the gallery, 1 not added")
    expect(page.locator(".outcome.same")).to_contain_text(known.title)
    worker()
    forget()
    window.scripted()
    page.get_by_role("link", name="new one").click()
    expect(page.locator(".about .chip")).to_have_text("fresh")
    page.get_by_role("link", name="Search by picture").click()
    page.wait_for_url("**/search/")  # with its script, which searches as soon as a picture is chosen
    page.get_by_label("Choose a picture").set_input_files(query(4))
    expect(page.locator("#results .tile a img").first).to_have_attribute("alt", "new one")


def test_a_file_that_could_not_be_sent_waits_for_another_try(visit):
    window = visit()
    page = log_in(window, "/add/")
    page.route("**/add/", lambda route: route.abort(), times=1)
    page.get_by_label("Choose pictures").set_input_files(query())
    page.get_by_role("button", name="Add 1 picture", exact=True).click()
    expect(page.locator(".outcome.bad")).to_contain_text("cannot be reached")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#summary")).to_have_text("1 added")
    assert any(wrong.startswith("failed:") for wrong in window.wrong)
    window.wrong.clear()


def test_a_busy_site_is_sent_the_picture_again(visit):
    page = log_in(visit(expected=(429,)), "/add/")
    page.route("**/add/", lambda route: route.fulfill(status=429, headers={"Retry-After": "1"}), times=1)
    page.get_by_label("Choose pictures").set_input_files(query())
    page.get_by_role("button", name="Add 1 picture", exact=True).click()
    expect(page.locator(".outcome")).to_contain_text("continue automatically")
    expect(page.locator("#summary")).to_have_text("1 added")
