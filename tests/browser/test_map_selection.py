"""Pictures are found and picked on the map."""

import json

import pytest
from playwright.sync_api import expect

from gallery.models import Image
from tests.support.browser import log_in, query
from tests.support.browser_map import LOADED, SPACE, SPOT, lasso, make_map, open_map, settled

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_click_opens_the_picture_with_what_is_like_it(visit, worker):
    images = make_map(worker)
    window = visit()
    page = open_map(window)
    page.mouse.click(*page.evaluate(SPOT, images[4].pk))
    panel = page.get_by_role("complementary")
    expect(panel.get_by_role("heading", level=2).first).to_have_text("Scene 4")
    expect(panel.locator(".shown")).to_have_attribute("href", images[4].get_absolute_url())
    panel.get_by_role("link", name="Colours", exact=True).click()
    expect(panel.locator("#by-color")).to_have_attribute("aria-current", "true")
    expect(panel.locator(".tile img").first).to_have_attribute("alt", "Scene 5")
    panel.get_by_role("button", name="Show these on the map").click()
    expect(page.locator(".found")).to_contain_text("found")
    panel.locator(".tile a").first.click()
    expect(panel.locator("#panel-title")).to_have_text("Scene 5")
    assert f"picture={images[5].pk}" in page.url
    page.reload()
    expect(page.locator("#panel-title")).to_have_text("Scene 5")
    window.scripted()


def test_what_a_picture_finds_lights_up(visit, worker):
    make_map(worker)
    window = visit()
    page = open_map(window)
    page.get_by_label("Find on the map by picture").set_input_files(query())
    expect(page.locator(".found")).to_contain_text("found")
    assert settled(page)["lit"] > 0
    page.locator(".unlight").click()
    assert settled(page)["lit"] == 0
    window.scripted()


def test_what_words_find_lights_up(visit, worker):
    make_map(worker)
    window = visit()
    page = open_map(window)
    search = page.get_by_label("Find on the map by words")
    search.fill("scene 7")
    search.press("Enter")
    expect(page.locator(".found")).to_contain_text("found")
    assert settled(page)["lit"] > 0
    window.scripted()


def test_a_lasso_picks_pictures_to_tag_and_to_put_in_an_album(visit, worker):
    images = make_map(worker)
    window = visit()
    page = log_in(window, f"/login/?next=/map/%3Fspace={SPACE}")
    page.locator("#map.ready").wait_for()
    page.wait_for_function(LOADED)
    page.get_by_role("button", name="Lasso").click()
    lasso(page, images[3])
    bar = page.get_by_role("group", name="Selected pictures")
    expect(bar).to_contain_text("selected")
    count = settled(page)["picked"]
    assert 0 < count < len(images)
    bar.get_by_text("Tag", exact=True).click()
    bar.get_by_label("Tags, separated by commas").fill("picked")
    bar.get_by_role("button", name="Add").click()
    expect(page.locator(".said")).to_contain_text(f"Tagged {count} picture")
    bar.get_by_text("Album", exact=True).click()
    bar.get_by_label("Title of a new or existing album").fill("From the map")
    bar.get_by_role("button", name="Add to album").click()
    expect(page.locator(".said")).to_contain_text("From the map")
    assert Image.objects.filter(tags__name="picked", albums__title="From the map").count() == count
    bar.get_by_text("Download").click()
    with page.expect_download() as download:
        bar.get_by_role("button", name="List (JSON)").click()
    assert len(json.loads(download.value.path().read_text())) == count
    bar.get_by_role("button", name="More like these").click()
    expect(page.locator("#panel-title")).to_have_text("Similar pictures")
    expect(page.locator(".panel .note").first).to_contain_text(f"Similar to the average of {count} picture")
    bar.get_by_role("button", name="Clear").click()
    expect(bar).to_be_hidden()
    window.scripted()


def test_all_that_is_seen_can_be_picked_by_keyboard(visit, worker):
    images = make_map(worker)
    window = visit()
    page = open_map(window)
    page.get_by_role("application").focus()
    page.keyboard.press("a")
    expect(page.locator(".picked .count")).to_have_text(f"{len(images)} pictures selected")
    page.keyboard.press("Escape")
    expect(page.locator(".picked")).to_be_hidden()
