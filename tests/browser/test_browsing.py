"""The gallery as people use it, in a real browser, with real features."""

import pytest
from playwright.sync_api import expect

from gallery.models import Image
from gallery.web.paging import PAGE_SIZE
from tests.support.browser import WINDOWS, fill, log_in, query

pytestmark = pytest.mark.django_db(transaction=True)


def test_scrolling_brings_all_pictures(visit):
    images = fill(2 * PAGE_SIZE + 5)
    window = visit()
    page = window.open("/")
    tiles = page.locator(".grid .tile")
    for _ in range(600):
        if tiles.count() == len(images):
            break
        expect(page.locator(".next.htmx-request")).to_have_count(0)  # who outruns the server sees the foot move away
        page.mouse.wheel(0, 250)
        page.wait_for_timeout(40)
    expect(tiles).to_have_count(len(images))
    addresses = tiles.locator("a").evaluate_all("(links) => links.map((link) => link.pathname)")
    assert addresses == [image.get_absolute_url() for image in reversed(images)]
    window.scripted()


def test_when_the_next_pictures_fail_there_is_a_link(visit):
    fill(PAGE_SIZE + 1)
    window = visit()
    window.page.route("**/?page=*", lambda route: route.abort(), times=1)
    page = window.open("/")
    page.mouse.wheel(0, 10_000)
    page.get_by_role("link", name="More pictures").click()
    expect(page.locator(".tile")).to_have_count(1)
    assert any(wrong.startswith("failed:") for wrong in window.wrong)
    window.wrong.clear()


def test_from_a_picture_to_one_like_it(visit, worker):
    images = fill(6, worker)
    window = visit()
    page = window.open("/")
    page.get_by_role("link", name="Scene 1", exact=True).click()
    page.get_by_role("link", name="More like this").click()
    expect(page).to_have_url(f"{window.base}{images[1].get_absolute_url()}#similar")
    page.get_by_role("link", name="Copies").click()
    expect(page.locator("#by-phash")).to_have_attribute("aria-current", "true")
    expect(page).to_have_url(f"{window.base}{images[1].get_absolute_url()}?method=phash")
    expect(page.locator("#announcer")).to_contain_text("most similar first")
    best = page.locator("#similar .tile").first
    expect(best).to_contain_text("match")
    window.scripted()
    best.locator("a.frame").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Scene 2")
    window.scripted()


def test_keys_lead_to_neighbours_and_to_the_search_field(visit, worker):
    fill(3, worker)
    page = visit().open(Image.objects.get(title="Scene 1").get_absolute_url())
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", level=1)).to_have_text("Scene 0")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", level=1)).to_have_text("Scene 1")
    page.keyboard.press("/")
    expect(page.get_by_label("Search pictures by words")).to_be_focused()
    page.keyboard.type("Scene 2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Title or tags contain").locator(".tile")).to_have_count(1)


def test_the_first_tab_stop_skips_to_the_content(visit):
    page = visit().open("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_pictures_are_selected_and_put_into_an_album(visit):
    fill(5)
    window = visit()
    log_in(window, "/add/")
    page = window.open("/?select=1")
    page.locator(".tile a.frame").nth(1).click()
    page.locator(".tile a.frame").nth(3).click(modifiers=["Shift"])
    expect(page.locator(".count")).to_have_text("3 selected")
    page.get_by_label("New or existing album").fill("Drawn")
    page.get_by_role("button", name="Add to album").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Drawn")
    expect(page.locator(".tile")).to_have_count(3)
    window.scripted()


def test_a_picture_is_seen_large_and_stepped_from_by_keys(visit):
    fill(4)
    window = visit()
    page = window.open("/")
    page.get_by_role("link", name="Scene 3", exact=True).focus()
    page.keyboard.press("v")
    large = page.get_by_role("dialog")
    expect(large.get_by_role("img", name="Scene 3")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(large.get_by_role("img", name="Scene 2")).to_be_visible()
    page.keyboard.press("Escape")
    expect(large).not_to_be_visible()
    expect(page.get_by_role("link", name="Scene 2", exact=True)).to_be_focused()
    window.scripted()


def test_all_works_without_javascript(visit, worker):
    images = fill(PAGE_SIZE + 2, worker)
    page = visit(java_script_enabled=False).open("/")
    expect(page.locator(".tile")).to_have_count(PAGE_SIZE)
    page.get_by_role("link", name="More pictures").click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("link", name="Scene 1", exact=True).click()
    page.get_by_role("link", name="Copies").click()
    expect(page.locator("#similar .tile a img").first).to_have_attribute("alt", images[2].title)
    page.get_by_role("link", name="Search by picture").click()
    page.get_by_label("Choose a picture").set_input_files(query())
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#results .tile a img").first).to_have_attribute("alt", "Scene 1")


def test_a_page_that_is_slow_to_read_does_not_move(visit, worker):
    fill(30, worker)
    window = visit()
    slow = window.page.context.new_cdp_session(window.page)
    slow.send("Emulation.setCPUThrottlingRate", {"rate": 20})
    for _ in range(5):
        window.open("/")
        window.page.wait_for_load_state("networkidle")
        window.scripted()


@pytest.mark.parametrize("name", WINDOWS)
def test_pages_fit_their_windows(visit, worker, screenshots, name):
    images = fill(30, worker)
    window = visit(**WINDOWS[name])
    page = window.page

    def look(what):
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, what
        window.scripted()
        if what != "results":  # a phone has gone on to these, past the head of the page
            expect(page.get_by_role("button", name="Русский")).to_be_in_viewport()
        file = screenshots / f"{name}-{what}.png"
        page.screenshot(path=file)
        assert file.stat().st_size > 10_000

    window.open("/")
    look("gallery")
    window.open(images[1].get_absolute_url())
    look("image")
    window.open("/search/")
    look("search")
    page.get_by_label("Choose a picture").set_input_files(query())
    expect(page.locator("#results .tile").first).to_be_visible()
    look("results")
