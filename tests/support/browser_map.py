"""A map in a browser: opened, waited for, measured, drawn on."""

from gallery.models import Image
from search.map import services
from tests.support.browser import WINDOWS, fill
from tests.support.prepared import begin_with

SPACE = "color"


PHONE = WINDOWS["phone"]


LOOK = """() => {
  const { view, level, picked, lit, tiles } = document.querySelector("#map").map;
  return {x: view.x, y: view.y, scale: view.scale, least: view.least, level, picked: picked.length, lit: lit.length,
          held: tiles.held.size, capacity: tiles.capacity};
}"""


SPOT = """(id) => {
  const { view, positions } = document.querySelector("#map").map;
  const [row] = positions.rowsOf([id]);
  const corner = document.querySelector(".stage-map").getBoundingClientRect();
  const [x, y] = view.toStage(positions.x[row], positions.y[row]);
  return [corner.left + x, corner.top + y];
}"""


STILL = """() => {
  const { view, frame, tiles } = document.querySelector("#map").map;
  return !view.goal && !frame && !tiles.busy && !tiles.ready.length && !tiles.queue.length;
}"""
LOADED = """() => {
  const { tiles } = document.querySelector("#map").map;
  return [...tiles.held.values()].some((tile) => tile.loaded);
}"""


def make_map(worker, count=40):
    def make():
        fill(count, worker)
        services.advance(services.request_layout(space=SPACE).pk)

    begin_with(f"a map of {count}", make)
    return list(Image.objects.order_by("pk"))


def open_map(window, path=f"/map/?space={SPACE}"):
    page = window.open(path)
    page.locator("#map.ready").wait_for()
    page.wait_for_function(LOADED)
    return page


def settled(page):
    """What the map shows once nothing moves, no frame is due and no page is on its way."""
    before = None
    while (now := page.evaluate(LOOK)) != before:
        before = now
        page.wait_for_function(STILL)
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
