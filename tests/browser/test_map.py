"""The map as people use it: moved, looked into, searched, and pictures picked from it."""

import json

import pytest
from playwright.sync_api import expect

from gallery.models import Image
from gallery.services import delete_images
from search.map import services
from search.map.models import Layout
from tests.browser.test_browser import WINDOWS, fill, log_in, query

pytestmark = pytest.mark.django_db(transaction=True)

SPACE = "color"
PHONE = WINDOWS["phone"]
LOOK = """() => {
  const { view, level, picked, lit, pages } = document.querySelector("#map").atlas;
  return {x: view.x, y: view.y, scale: view.scale, least: view.least, level, picked: picked.length, lit: lit.length,
          held: pages.held.size, capacity: pages.capacity};
}"""
SPOT = """(id) => {
  const { view, places } = document.querySelector("#map").atlas;
  const [row] = places.rowsOf([id]);
  const corner = document.querySelector(".stage-map").getBoundingClientRect();
  const [x, y] = view.toStage(places.x[row], places.y[row]);
  return [corner.left + x, corner.top + y];
}"""
LOADED = """() => {
  const { pages } = document.querySelector("#map").atlas;
  return [...pages.held.values()].some((page) => page.loaded);
}"""
# Of the picture's middle: what is on the canvas, and what the thumbnail has.
PIXEL = """(id) => new Promise((resolve) => {
  const root = document.querySelector("#map");
  root.addEventListener("drawn", () => {
    const { view, places, canvas } = root.atlas;
    const [row] = places.rowsOf([id]);
    const [x, y] = view.toStage(places.x[row], places.y[row]).map((at) => Math.round(at * devicePixelRatio));
    const gl = canvas.getContext("webgl2");
    const pixels = new Uint8Array(4 * 64);
    gl.readPixels(x - 4, canvas.height - y - 4, 8, 8, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    const mean = [0, 0, 0, 0];
    pixels.forEach((value, at) => { mean[at % 4] += value / 64; });
    resolve(mean);
  }, {once: true});
  root.atlas.changed();
})"""


def make_map(worker, count=40):
    images = fill(count, worker)
    services.advance(services.request_layout(space=SPACE).pk)
    return images


def open_map(window, path=f"/map/?space={SPACE}"):
    page = window.open(path)
    page.locator("#map.ready").wait_for()
    page.wait_for_function(LOADED)
    return page


def settled(page):
    """What the map shows once it stands still."""
    before = None
    while (now := page.evaluate(LOOK)) != before:
        before = now
        page.wait_for_timeout(150)
    return now


def middle(page):
    box = page.locator(".stage-map").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def lasso(page, image, size=60):
    x, y = page.evaluate(SPOT, image.pk)
    page.mouse.move(x - size, y - size)
    page.mouse.down()
    for dx, dy in ((size, -size), (size, size), (-size, size)):
        page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


def test_the_map_shows_the_pictures_where_they_are(visit, worker):
    images = make_map(worker)
    window = visit()
    page = open_map(window)
    settled(page)
    stored = {image.pk: tuple(bytes.fromhex(image.color[1:])) for image in Image.objects.all()}
    apart = []
    for image in images[:8]:
        red, green, blue, alpha = page.evaluate(PIXEL, image.pk)
        assert alpha == 255
        apart.append(sum(abs(a - b) for a, b in zip((red, green, blue), stored[image.pk], strict=True)))
    assert min(apart) > 0  # small pictures, not only their mean colours
    window.scripted()


def test_wheel_drag_and_double_click_move_the_map(visit, worker):
    make_map(worker)
    window = visit()
    page = open_map(window)
    first = settled(page)
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    closer = settled(page)
    assert closer["scale"] > 1.5 * first["scale"]
    page.mouse.down()
    page.mouse.move(x + 100, y + 40, steps=5)
    page.mouse.up()
    moved = settled(page)
    assert moved["x"] == pytest.approx(closer["x"] - 100 / closer["scale"], abs=0.2)
    assert moved["y"] == pytest.approx(closer["y"] - 40 / closer["scale"], abs=0.2)
    page.mouse.dblclick(x, y)
    assert settled(page)["scale"] == pytest.approx(2 * closer["scale"], rel=0.01)
    expect(page.locator(".panel")).to_be_hidden()
    window.scripted()


def test_keys_and_buttons_move_the_map(visit, worker):
    make_map(worker)
    window = visit()
    page = open_map(window)
    stage = page.get_by_role("application")
    first = settled(page)
    stage.focus()
    page.keyboard.press("+")
    closer = settled(page)
    assert closer["scale"] > first["scale"]
    page.keyboard.press("ArrowRight")
    assert settled(page)["x"] > closer["x"]
    page.keyboard.press("0")
    assert settled(page)["scale"] == pytest.approx(first["least"], rel=0.01)
    page.get_by_role("button", name="Closer").click()
    page.get_by_role("button", name="Farther").click()
    assert settled(page)["scale"] == pytest.approx(first["least"], rel=0.01)
    stage.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_be_hidden()
    expect(stage).to_be_focused()
    window.scripted()


def test_from_the_whole_to_one_picture_with_few_textures(visit, worker):
    images = make_map(worker)
    window = visit()
    page = open_map(window)
    levels = set()
    for _ in range(12):
        x, y = page.evaluate(SPOT, images[5].pk)
        page.mouse.move(x, y)
        page.mouse.wheel(0, -240)
        now = settled(page)
        levels.add(now["level"])
        assert now["held"] <= now["capacity"]
    assert max(levels) == 512
    assert len(levels) >= 3
    page.wait_for_function("""() => [...document.querySelector("#map").atlas.pages.held.values()]
      .some((page) => page.level === 512 && [...page.cells.values()].includes(true))""")
    window.scripted()


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
    page.get_by_label("Find on the map, by a picture").set_input_files(query())
    expect(page.locator(".found")).to_contain_text("found")
    assert settled(page)["lit"] > 0
    page.locator(".unlight").click()
    assert settled(page)["lit"] == 0
    window.scripted()


def test_what_words_find_lights_up(visit, worker):
    make_map(worker)
    window = visit()
    page = open_map(window)
    search = page.get_by_label("Find on the map, in words")
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
    bar.get_by_label("Tags, between commas").fill("picked")
    bar.get_by_role("button", name="Add").click()
    expect(page.locator(".said")).to_contain_text(f"Tagged: {count} picture")
    bar.get_by_text("Album", exact=True).click()
    bar.get_by_label("Title of an album").fill("From the map")
    bar.get_by_role("button", name="Put in").click()
    expect(page.locator(".said")).to_contain_text("From the map")
    assert Image.objects.filter(tags__name="picked", albums__title="From the map").count() == count
    bar.get_by_text("Download").click()
    with page.expect_download() as download:
        bar.get_by_role("button", name="List (JSON)").click()
    assert len(json.loads(download.value.path().read_text())) == count
    bar.get_by_role("button", name="More like these").click()
    expect(page.locator("#panel-title")).to_have_text("Like these")
    expect(page.locator(".panel .note").first).to_contain_text(f"By the mean of {count} picture")
    bar.get_by_role("button", name="Clear").click()
    expect(bar).to_be_hidden()
    window.scripted()


def test_fingers_pinch_and_draw(visit, worker):
    images = make_map(worker)
    window = visit(**PHONE)
    page = open_map(window)
    first = settled(page)
    x, y = middle(page)
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *points):
        places = [{"x": px, "y": py, "id": number} for number, (px, py) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (x - 40, y), (x + 40, y))
    for apart in (60, 80, 100, 120):
        touch("touchMove", (x - apart, y), (x + apart, y))
    touch("touchEnd")
    assert settled(page)["scale"] == pytest.approx(3 * first["scale"], rel=0.1)
    page.get_by_role("button", name="Show all").tap()
    settled(page)
    page.get_by_role("button", name="Lasso").tap()
    px, py = page.evaluate(SPOT, images[3].pk)
    touch("touchStart", (px - 30, py - 30))
    for dx, dy in ((30, -30), (30, 30), (-30, 30)):
        touch("touchMove", (px + dx, py + dy))
    touch("touchEnd")
    expect(page.get_by_role("group", name="Selected pictures")).to_contain_text("selected")
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


def test_pictures_come_and_go_while_the_page_is_open(visit, worker):
    images = make_map(worker)
    window = visit()
    page = open_map(window)
    delete_images(ids=[images[2].pk])
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function(f"() => document.querySelector('#map').atlas.places.count === {len(images) - 1}")
    window.scripted()


def test_without_script_the_whole_map_is_a_picture(visit, worker):
    make_map(worker)
    page = visit(java_script_enabled=False).open("/map/")
    picture = page.get_by_alt_text("All pictures").first
    expect(picture).to_be_visible()
    page.locator("main").get_by_role("link", name="Go to the gallery").first.click()
    expect(page.locator(".tile").first).to_be_visible()


def test_the_page_waits_for_its_first_map(visit, worker):
    fill(8, worker)
    layout = Layout.objects.create(space=SPACE)
    window = visit()
    page = window.open("/map/")
    expect(page.get_by_role("heading", level=2)).to_have_text("The map is being made")
    Layout.objects.filter(pk=layout.pk).update(stage="laying out", done=10, total=750)
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("Laying out: 10 of 750")
    services.advance(layout.pk)
    page.locator("#map.ready").wait_for()
    window.scripted()


@pytest.mark.parametrize("name", WINDOWS)
def test_the_map_fits_its_window(visit, worker, screenshots, name):
    make_map(worker)
    window = visit(**WINDOWS[name])
    page = open_map(window)
    settled(page)
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(over) <= 0
    assert page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0
    expect(page.get_by_role("button", name="Русский")).to_be_in_viewport()
    file = screenshots / f"{name}-map.png"
    page.screenshot(path=file)
    assert file.stat().st_size > 10_000
    window.scripted()
