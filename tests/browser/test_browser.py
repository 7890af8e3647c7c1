"""The site as people use it, in a real browser, with real features."""

import base64
import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from gallery.models import Image
from gallery.services import add_image
from gallery.web.paging import PAGE_SIZE
from search.retrieval.live import forget
from tests.drawings import encode, scene

pytestmark = pytest.mark.django_db(transaction=True)

SHAPES = [(320, 240), (240, 320), (400, 200), (256, 256), (360, 240)]

HAND_OVER = """([kind, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  if (type.startsWith("text/")) transfer.setData(type, atob(data));
  else transfer.items.add(new File([bytes], name, {type}));
  const event = kind === "paste" ? new ClipboardEvent(kind, {clipboardData: transfer, bubbles: true, cancelable: true})
    : new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event);
}"""


def fill(count, worker=None):
    """Pictures of several shapes; every third is a copy of the one before, in other bytes."""
    for number in range(count):
        seed, quality = (number - 1, 60) if number % 3 == 2 else (number, 90)
        pixels = scene(seed, SHAPES[seed % len(SHAPES)])
        add_image(
            data=encode(pixels, quality=quality), title=f"Scene {number}", tags=["even" if number % 2 == 0 else "odd"]
        )
    if worker:
        worker()
    forget()
    return list(Image.objects.order_by("pk"))


def query(seed=1):
    return {"name": "query.jpg", "mimeType": "image/jpeg", "buffer": encode(scene(seed, SHAPES[seed]), quality=88)}


def hand_over(page, kind, data, name="query.jpg", mime="image/jpeg"):
    page.evaluate(HAND_OVER, [kind, name, mime, base64.b64encode(data).decode()])


def log_in(window, path):
    User.objects.create_superuser("owner", password="a long enough one")
    page = window.open(path)
    page.get_by_label("Username").fill("owner")
    page.get_by_label("Password").fill("a long enough one")
    page.locator("main").get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login/" not in url)  # what a test then intercepts must not be this page itself
    return page


def test_scrolling_brings_all_pictures(visit):
    images = fill(2 * PAGE_SIZE + 5)
    window = visit()
    page = window.open("/")
    tiles = page.locator(".grid .tile")
    for _ in range(60):
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
    page.get_by_role("link", name="Next pictures").click()
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
    page.get_by_role("link", name="Perceptual hash").click()
    expect(page.locator("#by-phash")).to_have_attribute("aria-current", "true")
    expect(page).to_have_url(f"{window.base}{images[1].get_absolute_url()}?method=phash")
    expect(page.locator("#announcer")).to_contain_text("most alike first")
    best = page.locator("#similar .tile").first
    expect(best).to_contain_text("alike")
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
    expect(page.get_by_role("region", name="in title or tags").locator(".tile")).to_have_count(1)


def test_the_first_tab_stop_skips_to_the_content(visit):
    page = visit().open("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_choosing_a_file_searches_at_once(visit, worker):
    fill(6, worker)
    window = visit()
    page = window.open("/search/")
    page.get_by_label("Choose a picture").set_input_files(query())
    expect(page.locator("#results .tile a img").first).to_have_attribute("alt", "Scene 1")
    expect(page.locator("#query")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("most alike first")
    expect(page).to_have_url(re.compile(r"/search/[\w-]{22}/$"))
    page.get_by_role("link", name="Colours").click()
    expect(page.locator("#results .why").first).to_contain_text("alike")
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
    expect(page.get_by_text("is deleted, and its address")).to_be_visible()
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing here")


def test_words_search_by_meaning_and_each_result_says_why(visit, worker):
    fill(4, worker)
    window = visit()
    page = window.open("/search/")
    page.get_by_role("link", name="a boat on the water").click()
    expect(page.get_by_role("heading", name="By what they show")).to_be_visible()
    expect(page.locator("#results .tile")).to_have_count(4)
    assert page.url.endswith("/search/?q=a%20boat%20on%20the%20water")
    page.get_by_role("link", name="Why Scene").first.click()
    expect(page.get_by_role("heading", name="Meaning")).to_be_visible()
    window.scripted()


def test_a_box_is_drawn_by_mouse_and_by_keys(visit, worker):
    fill(4, worker)
    window = visit()
    page = window.open(Image.objects.get(title="Scene 1").get_absolute_url())
    page.get_by_text("Search by a part of it").click()
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
    page.get_by_role("link", name="By all of it").click()
    expect(page.get_by_role("heading", name="More like this", exact=True)).to_be_visible()
    window.scripted()


def test_pictures_are_selected_and_put_into_an_album(visit):
    fill(5)
    window = visit()
    log_in(window, "/add/")
    page = window.open("/?select=1")
    page.locator(".tile a.frame").nth(1).click()
    page.locator(".tile a.frame").nth(3).click(modifiers=["Shift"])
    expect(page.locator(".count")).to_have_text("3 selected")
    page.get_by_label("Album, new or old").fill("Drawn")
    page.get_by_role("button", name="Put in").click()
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
    expect(page.locator("#summary")).to_have_text("1 added, 1 already here, 1 not added")
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
    page.get_by_role("button", name="Add pictures").click()
    expect(page.locator(".outcome.bad")).to_contain_text("cannot be reached")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#summary")).to_have_text("1 added")
    assert any(wrong.startswith("failed:") for wrong in window.wrong)
    window.wrong.clear()


def test_a_busy_site_is_sent_the_picture_again(visit):
    page = log_in(visit(expected=(429,)), "/add/")
    page.route("**/add/", lambda route: route.fulfill(status=429, headers={"Retry-After": "1"}), times=1)
    page.get_by_label("Choose pictures").set_input_files(query())
    page.get_by_role("button", name="Add pictures").click()
    expect(page.locator(".outcome")).to_contain_text("goes on by itself")
    expect(page.locator("#summary")).to_have_text("1 added")


def test_all_works_without_javascript(visit, worker):
    images = fill(PAGE_SIZE + 2, worker)
    page = visit(java_script_enabled=False).open("/")
    expect(page.locator(".tile")).to_have_count(PAGE_SIZE)
    page.get_by_role("link", name="Next pictures").click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("link", name="Scene 1", exact=True).click()
    page.get_by_role("link", name="Perceptual hash").click()
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


WINDOWS = {
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "laptop": {"viewport": {"width": 1366, "height": 768}},
    "dark": {"viewport": {"width": 1366, "height": 768}, "color_scheme": "dark"},
}


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
