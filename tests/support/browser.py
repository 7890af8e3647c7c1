"""What tests in a browser share: pictures of several shapes, window sizes, logging in, pasting and dropping."""

import base64

from django.contrib.auth.models import User

from gallery.models import Image
from gallery.services import add_image
from search.retrieval.live import forget
from tests.support.images import encode, scene
from tests.support.prepared import begin_with

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
    if worker:
        begin_with(f"{count} scenes", lambda: [add_scenes(count), worker()])
    else:
        add_scenes(count)
    forget()
    return list(Image.objects.order_by("pk"))


def add_scenes(count):
    for number in range(count):
        seed, quality = (number - 1, 60) if number % 3 == 2 else (number, 90)
        pixels = scene(seed, SHAPES[seed % len(SHAPES)])
        add_image(
            data=encode(pixels, quality=quality), title=f"Scene {number}", tags=["even" if number % 2 == 0 else "odd"]
        )


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


WINDOWS = {
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "laptop": {"viewport": {"width": 1366, "height": 768}},
    "dark": {"viewport": {"width": 1366, "height": 768}, "color_scheme": "dark"},
}
