"""Takes the pictures beside this file: the pages of a site with the sample gallery, in the machine's own Chromium.

``make screenshots`` runs it, in a data folder of its own. The gallery's photographs are free; docs/sample-gallery.md
says whose they are.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LARGEST = 150_000  # bytes of one picture
QUALITIES = (82, 74, 66, 58, 50)

LAPTOP = {"viewport": {"width": 1366, "height": 768}}
DARK = LAPTOP | {"color_scheme": "dark"}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5, "is_mobile": True, "has_touch": True}
PHONE_DARK = PHONE | {"color_scheme": "dark"}
PHONE_RUSSIAN = PHONE | {"locale": "ru-RU"}
WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def prepare() -> dict[str, str]:
    """Fill the site, and look at all that is in it. Returns addresses of pages that have numbers in them."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    add_samples()
    call_command("fetch_models")
    call_command("extract_features")
    call_command("build_index")
    call_command("find_duplicates")
    lay_out_map()
    return addresses()


def add_samples() -> None:
    """The sample gallery, mixed, so that copies do not stand side by side; an album; something in the trash."""
    from gallery import samples, services
    from gallery.models import Image

    pictures = list(samples.pictures(samples.folder()))
    random.Random(3).shuffle(pictures)
    for data, title, tags in pictures:
        services.add_image(data=data, title=title, tags=tags)
    for title in ("Space", "At home"):
        words = {"Space": ["astronaut", "galaxies", "rocket"], "At home": ["cat", "coffee", "moving clock"]}[title]
        ids = list(Image.objects.filter(tags__name__in=words).values_list("pk", flat=True))
        services.add_to_album(ids=ids, title=title)


def lay_out_map() -> None:
    from search.map import services

    services.advance(services.request_layout(space="neural").pk)


def addresses() -> dict[str, str]:
    from gallery.models import Image
    from search.duplicates.models import Group

    picture, copy = (Image.objects.get(title=title) for title in ("Cat", "Cat, cropped"))
    group = Group.objects.filter(members__image__title="Cat").first()
    pair = "/duplicates/"
    if group:
        other = group.members.exclude(image=group.keeper_id).first()
        pair = f"/duplicates/compare/{group.keeper_id}/{other.image_id}/?view=overlay"
    return {
        "picture": picture.get_absolute_url(),
        "why": f"{copy.get_absolute_url()}why/?query={picture.pk}",
        "compare": pair,
        "album": "/albums/1/",
        "map": f"/map/?picture={picture.pk}",
    }


@contextmanager
def served() -> Iterator[str]:
    """The site's address while it is served."""
    from wsgiref.simple_server import make_server

    from django.core.wsgi import get_wsgi_application

    from tests.support.live_server import Quiet, Server

    server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class Camera:
    """Opens pages in windows, and writes what they show."""

    def __init__(self, browser: Any, base: str, cookie: dict[str, str]) -> None:
        self.browser, self.base, self.cookie = browser, base, cookie

    @contextmanager
    def window(self, options: dict[str, Any], path: str, *, owner: bool = False) -> Iterator[Any]:
        context = self.browser.new_context(**options)
        if owner:
            context.add_cookies([self.cookie | {"url": self.base}])
        page = context.new_page()
        page.goto(self.base + path)
        yield page
        context.close()

    def take(self, name: str, options: dict[str, Any], path: str, *, owner: bool = False) -> None:
        with self.window(options, path, owner=owner) as page:
            self.keep(name, page)

    def keep(self, name: str, page: Any) -> None:
        page.wait_for_load_state("networkidle")
        if page.locator("#map").count():
            page.locator("#map.ready").wait_for()
        page.wait_for_timeout(1_500)
        write(name, page.screenshot())


def write(name: str, screenshot: bytes) -> None:
    """As WebP, as good as fits into ``LARGEST``."""
    from PIL import Image

    picture = Image.open(BytesIO(screenshot)).convert("RGB")
    for quality in QUALITIES:
        out = BytesIO()
        picture.save(out, "WEBP", quality=quality, method=6)
        if out.tell() <= LARGEST:
            break
    (HERE / f"{name}.webp").write_bytes(out.getvalue())
    print(f"{name}.webp: {out.tell():,} bytes")


def take_all(camera: Camera, at: dict[str, str]) -> None:
    camera.take("gallery", LAPTOP, "/")
    camera.take("words", LAPTOP, "/search/?q=a rocket at night")
    camera.take("picture", LAPTOP, at["picture"])
    camera.take("help", LAPTOP, "/help/")
    camera.take("map", LAPTOP, "/map/")
    camera.take("albums", LAPTOP, "/albums/")
    camera.take("tags", LAPTOP, "/tags/")
    camera.take("selecting", LAPTOP, "/?select=1", owner=True)
    camera.take("duplicates", LAPTOP, "/duplicates/", owner=True)
    camera.take("compare", LAPTOP, at["compare"], owner=True)
    camera.take("dark-gallery", DARK, "/")
    camera.take("dark-picture", DARK, at["picture"])
    camera.take("dark-map", DARK, at["map"])
    camera.take("phone-gallery", PHONE, "/")
    camera.take("phone-picture", PHONE_DARK, at["picture"])
    camera.take("phone-search", PHONE_RUSSIAN, "/search/?q=astronaut")
    camera.take("phone-map", PHONE, "/map/")
    explain(camera, at["why"])
    search_by_picture(camera)
    add_pictures(camera)
    throw_away(camera, at["album"])


def explain(camera: Camera, path: str) -> None:
    with camera.window(LAPTOP, path) as page:
        page.locator(".matches").scroll_into_view_if_needed()
        camera.keep("why", page)


def search_by_picture(camera: Camera) -> None:
    """By a part of a photograph."""
    with camera.window(LAPTOP, "/search/") as page:
        page.locator("#id_file").set_input_files([part_of("rocket.jpg")])
        page.locator("#results .tile").first.wait_for()
        camera.keep("search", page)


def add_pictures(camera: Camera) -> None:
    """Two that look like pictures of the gallery, and one that is no picture."""
    files = [part_of("retina.jpg", mode="L"), part_of("coffee.png", whole=True)]
    files.append({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"words"})
    with camera.window(LAPTOP, "/add/", owner=True) as page:
        page.locator("#id_pictures").set_input_files(files)
        page.locator("#send").click()
        page.locator(".outcome.bad").wait_for()
        page.locator("#outcomes").scroll_into_view_if_needed()
        camera.keep("add", page)


def throw_away(camera: Camera, album: str) -> None:
    with camera.window(LAPTOP, f"{album}?select=1", owner=True) as page:
        for box in page.locator("input[name=ids]").all()[:6]:
            box.check()
        page.locator("button[value=trash]").click()
        page.wait_for_load_state()
        page.goto(camera.base + "/trash/")
        camera.keep("trash", page)


def part_of(name: str, *, whole: bool = False, mode: str = "RGB") -> dict[str, Any]:
    """A file to send: a photograph's middle, or all of it, saved badly."""
    from PIL import Image

    from gallery import samples

    out = BytesIO()
    photograph = Image.open(samples.folder() / name).convert(mode)
    (photograph if whole else samples.crop(photograph)).save(out, "JPEG", quality=60)
    return {"name": f"{Path(name).stem} from the web.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def owner_cookie() -> dict[str, str]:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.create_superuser("owner"))
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value}


def main() -> None:
    import django
    from playwright.sync_api import sync_playwright

    django.setup()
    at, cookie = prepare(), owner_cookie()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps an event loop in this thread
    with served() as base, sync_playwright() as playwright:
        arguments = ["--headless", "--no-sandbox", *WEBGL]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        take_all(Camera(browser, base, cookie), at)
        browser.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as data:
        os.environ |= {"IMAGESITE_DATA": data, "DJANGO_SETTINGS_MODULE": "imagesite.settings"}
        main()
