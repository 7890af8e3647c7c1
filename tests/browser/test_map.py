"""The map as people use it: drawn, moved, looked into, and kept up to date."""

import pytest
from playwright.sync_api import expect

from gallery.models import Image
from gallery.services import delete_images
from search.map import services
from search.map.models import Layout
from tests.support.browser import WINDOWS, fill
from tests.support.browser_map import PHONE, SPACE, SPOT, make_map, middle, open_map, settled

pytestmark = pytest.mark.django_db(transaction=True)


# Of the picture's middle: what is on the canvas, and what the thumbnail has.
PIXEL = """(id) => new Promise((resolve) => {
  const root = document.querySelector("#map");
  root.addEventListener("drawn", () => {
    const { view, positions, canvas } = root.map;
    const [row] = positions.rowsOf([id]);
    const [x, y] = view.toStage(positions.x[row], positions.y[row]).map((at) => Math.round(at * devicePixelRatio));
    const gl = canvas.getContext("webgl2");
    const pixels = new Uint8Array(4 * 64);
    gl.readPixels(x - 4, canvas.height - y - 4, 8, 8, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    const mean = [0, 0, 0, 0];
    pixels.forEach((value, at) => { mean[at % 4] += value / 64; });
    resolve(mean);
  }, {once: true});
  root.map.changed();
})"""


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
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom out").click()
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
    page.wait_for_function("""() => [...document.querySelector("#map").map.tiles.held.values()]
      .some((tile) => tile.level === 512 && [...tile.cells.values()].includes(true))""")
    window.scripted()


def test_fingers_pinch_and_draw(visit, worker):
    images = make_map(worker)
    window = visit(**PHONE)
    page = open_map(window)
    first = settled(page)
    x, y = middle(page)
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *points):
        touches = [{"x": px, "y": py, "id": number} for number, (px, py) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

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


def test_pictures_come_and_go_while_the_page_is_open(visit, worker):
    images = make_map(worker)
    window = visit()
    page = open_map(window)
    delete_images(ids=[images[2].pk])
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function(f"() => document.querySelector('#map').map.positions.count === {len(images) - 1}")
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
    expect(page.get_by_role("heading", level=2)).to_have_text("The map is being created")
    Layout.objects.filter(pk=layout.pk).update(stage="laying out", done=10, total=750)
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("Arranging pictures: 10 of 750")
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
