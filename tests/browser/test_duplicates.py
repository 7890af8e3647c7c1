"""Duplicates as staff review them: by keyboard, by mouse, without a script."""

import pytest
from playwright.sync_api import expect

from gallery.models import Image
from gallery.services import add_image, trash_images
from search.duplicates import detection
from search.features import extraction
from search.retrieval.live import forget
from tests.support.browser import WINDOWS, log_in
from tests.support.images import encode, scene

pytestmark = pytest.mark.django_db(transaction=True)

SIZE = (320, 240)


def fill(*seeds, copies=1):
    """Pictures, and copies of each that are worse and worse."""
    for seed in seeds:
        for quality in [90, 50, 30, 20][: 1 + copies]:
            add_image(data=encode(scene(seed, SIZE), quality=quality), title=f"Scene {seed}, {quality}")
    extraction.extract(list(Image.objects.values_list("pk", flat=True)), ["phash"])
    detection.detect()
    forget()


def review(window):
    """Logged in, with the script at work."""
    page = log_in(window, "/duplicates/")
    expect(page.locator(".group.current")).to_have_count(1)
    return page


def titles():
    return set(Image.objects.values_list("title", flat=True))


def test_groups_are_decided_by_keys_alone(visit):
    fill(1, 2, 3, copies=2)
    window = visit()
    page = review(window)
    current, decided = page.locator(".group.current"), page.locator(".group.decided")
    expect(page.locator(".group")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(current.get_by_role("radio", checked=True)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(current.get_by_role("radio").nth(1)).to_be_checked()
    page.keyboard.press("k")
    expect(decided).to_contain_text("Kept “Scene 3, 50” and moved 2 to the trash.")
    expect(page.locator("#announcer")).to_contain_text("moved 2 to the trash")
    page.keyboard.press("n")
    expect(decided.nth(1)).to_contain_text("not duplicates")
    expect(decided).to_have_count(2)
    assert titles() == {f"Scene {seed}, {quality}" for seed in (1, 2) for quality in (90, 50, 30)} | {"Scene 3, 50"}
    page.keyboard.press("u")
    expect(decided).to_have_count(1)
    page.keyboard.press("u")
    expect(page.locator(".group:not(.decided)")).to_have_count(3)
    assert len(titles()) == 9
    page.keyboard.press("s")
    expect(page.locator(".group").nth(1)).to_have_class("group current")
    window.scripted()


def test_keys_are_explained_and_lead_to_comparing(visit):
    fill(1)
    window = visit()
    page = review(window)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", level=1)).to_have_text("Recompressed")
    page.wait_for_load_state()  # keys are read by a script, which comes after the page
    page.keyboard.press("ArrowRight")
    slider = page.get_by_label("Visibility of B")
    upper = page.locator(".upper")
    expect(upper).to_have_js_property("complete", True)
    before = upper.evaluate("(image) => getComputedStyle(image).clipPath")
    slider.fill("90")
    assert upper.evaluate("(image) => getComputedStyle(image).clipPath") != before
    slider.blur()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_alt_text("Where the two pictures differ")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator(".messages")).to_contain_text("Kept one")
    assert titles() == {"Scene 1, 90"}
    page.keyboard.press("u")
    expect(page.locator(".group")).to_have_count(1)
    assert len(titles()) == 2
    window.scripted()


def test_somebody_who_was_quicker_is_told_of(visit):
    fill(1)
    window = visit(expected=(409,))
    page = review(window)
    trash_images(ids=[Image.objects.get(title="Scene 1, 50").pk])
    page.get_by_role("button", name="Keep selected").click()
    expect(page.get_by_role("alert")).to_contain_text("somebody has already made a decision")
    assert titles() == {"Scene 1, 90"}


def test_all_works_without_javascript(visit):
    fill(1, 2)
    page = log_in(visit(java_script_enabled=False), "/duplicates/")
    page.locator(".group").first.get_by_role("button", name="Keep selected").click()
    expect(page.locator(".messages")).to_contain_text("moved 1 to the trash")
    expect(page.locator(".group")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".group")).to_have_count(2)
    page.locator(".group").first.get_by_role("button", name="Keep selected").click()
    page.get_by_role("link", name="Trash").click()
    page.get_by_role("checkbox").check(force=True)
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".messages")).to_contain_text("Restored 1 picture")
    assert len(titles()) == 4


def test_a_copy_that_is_sent_is_shown_beside_what_is_here(visit):
    fill(1, copies=0)
    window = visit()
    page = log_in(window, "/add/")
    file = {"name": "again.jpg", "mimeType": "image/jpeg", "buffer": encode(scene(1, SIZE), quality=40)}
    page.get_by_label("Choose pictures").set_input_files(file)
    page.get_by_role("button", name="Add 1 picture", exact=True).click()
    expect(page.locator(".outcome.near")).to_contain_text("Already in the gallery?")
    expect(page.get_by_alt_text("The new picture")).to_have_js_property("naturalWidth", 256)
    assert titles() == {"Scene 1, 90"}
    page.get_by_role("button", name="Add anyway").click()
    expect(page.locator(".outcome.good")).to_contain_text("again")
    assert titles() == {"Scene 1, 90", "again"}
    window.scripted()


@pytest.mark.parametrize("name", WINDOWS)
def test_pages_fit_their_windows(visit, screenshots, name):
    fill(1, 2, copies=3)
    window = visit(**WINDOWS[name])
    page = log_in(window, "/duplicates/")
    comparing = page.locator(".compare").first.get_attribute("href")

    def look(what):
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, what
        window.scripted()
        page.screenshot(path=screenshots / f"{name}-{what}.png")

    look("duplicates")
    for view in ("side", "overlay", "difference"):
        window.open(f"{comparing}?view={view}")
        look(f"compare-{view}")
    window.open("/trash/")
    look("trash")
