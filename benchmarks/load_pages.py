"""How fast the pages of the gallery come when it has a million pictures.

``python -m benchmarks.load_pages [--database postgresql] [--rows N]`` fills a database of its own with rows of
pictures, tags and albums, asks a real web server for pages, and writes its section of benchmarks/results/load.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import numpy as np

from benchmarks.load_report import put
from benchmarks.speed import table

TIMES = 60
AT_ONCE = 5_000
TAGS = 2_000
ALBUM = 100_000  # pictures in the large album
WORDS = ("boat", "church", "dog", "garden", "harbour", "mountain", "night", "street", "winter", "child")
RARE = "quetzal"  # in one title of 100,000
Row = tuple[str, ...]


def fill(rows: int) -> None:
    """Pictures without files, with titles; two tags each, a few of which are common; a large album and small ones."""
    from gallery.models import Album, Image, Tag

    dice = np.random.default_rng(7)
    Tag.objects.bulk_create([Tag(name=f"tag {i}") for i in range(TAGS)])
    tags = list(Tag.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, rows, AT_ONCE):
        Image.objects.bulk_create(_picture(i, dice) for i in range(start, min(start + AT_ONCE, rows)))
    ids = np.array(Image.objects.order_by("pk").values_list("pk", flat=True))
    given = _tagged(ids, tags, dice)
    through = Image.tags.through.objects
    for start in range(0, len(given), AT_ONCE):
        through.bulk_create(
            [Image.tags.through(image_id=image, tag_id=tag) for image, tag in given[start : start + AT_ONCE]]
        )
    for size in (min(ALBUM, rows), *[50] * 20):
        album = Album.objects.create(title=f"Album of {size}")
        for some in np.array_split(np.sort(dice.choice(ids, size, replace=False)), max(1, size // AT_ONCE)):
            album.images.add(*some.tolist())


def _picture(i: int, dice: np.random.Generator) -> Any:
    from gallery.models import Image

    one, two = dice.choice(len(WORDS), 2)
    title = f"{WORDS[one]} {WORDS[two]} {i}" + (f" {RARE}" if i % 100_000 == 50_000 else "")
    size = int(dice.integers(10_000, 9_000_000))
    return Image(sha256=f"{i:064x}", format="JPEG", bytes=size, width=1500, height=1000, title=title, thumbnailed=True)


def _tagged(ids: Any, tags: Sequence[int], dice: np.random.Generator) -> list[tuple[int, int]]:
    """(image, tag), each once; the first tags are the common ones (Zipf)."""
    places = np.minimum(dice.zipf(1.3, (len(ids), 2)), TAGS) - 1
    return [(int(key), tags[place]) for key, row in zip(ids, places, strict=True) for place in set(row.tolist())]


def addresses(rows: int, dice: np.random.Generator) -> dict[str, Callable[[], str]]:
    """What is asked, under the name of its line in the table."""
    from gallery.models import Album, Image, Tag

    last = Image.objects.order_by("-pk").values_list("pk", flat=True)[0]
    large, common, rare = Album.objects.order_by("pk")[0].pk, "tag 0", Tag.objects.order_by("-pk")[1].name

    def somewhere() -> str:
        return f"before-{int(dice.integers(last - rows + 100, last))}"

    def after(sort: str) -> str:
        from gallery.web.paging import images, page_of

        start = images().filter(pk=int(dice.integers(last - rows + 100, last)))
        return _token_of(page_of(start, sort=sort).images[0], sort)

    return {
        "first page": lambda: "/",
        "a page anywhere": lambda: f"/?page={somewhere()}",
        "more pictures (script), anywhere": lambda: f"/?page={somewhere()}&part=1",
        "common tag, first page": lambda: f"/?tag={common}".replace(" ", "+"),
        "common tag, anywhere": lambda: f"/?tag={common}&page={somewhere()}".replace(" ", "+"),
        "rare tag": lambda: f"/?tag={rare}".replace(" ", "+"),
        "oldest first, anywhere": lambda: f"/?sort=oldest&page={after('oldest')}",
        "by title, first page": lambda: "/?sort=title",
        "by title, anywhere": lambda: f"/?sort=title&page={after('title')}",
        "largest first, first page": lambda: "/?sort=size",
        "largest first, anywhere": lambda: f"/?sort=size&page={after('size')}",
        "common tag, by title": lambda: f"/?tag={common}&sort=title".replace(" ", "+"),
        "word of many titles": lambda: f"/?q={WORDS[int(dice.integers(len(WORDS)))]}",
        "word of few titles": lambda: f"/?q={RARE}",
        "word of no title": lambda: f"/?q=nothing{int(dice.integers(10**6))}",
        f"album of {min(ALBUM, rows):,}, first page": lambda: f"/albums/{large}/",
        f"album of {min(ALBUM, rows):,}, anywhere": lambda: f"/albums/{large}/?page={somewhere()}",
        f"album of {min(ALBUM, rows):,}, by title": lambda: f"/albums/{large}/?sort=title",
        "all albums": lambda: "/albums/",
        "all tags": lambda: "/tags/",
        "one picture": lambda: f"/images/{int(dice.integers(last - rows + 100, last))}/",
        "API: a page anywhere": lambda: f"/api/images/?page={somewhere()}",
    }


def _token_of(image: Any, sort: str) -> str:
    """The ``page`` parameter of what follows a picture."""
    from gallery.web import paging

    return paging._token(image, sort)


def asked(connection: HTTPConnection, address: str) -> float:
    """Milliseconds until the whole answer is there."""
    headers = {"HX-Request": "true"} if address.endswith("&part=1") else {}
    started = time.perf_counter()
    connection.request("GET", address, headers=headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{address}: {answer.status}")
    return 1000 * (time.perf_counter() - started)


def measure(rows: int) -> list[Row]:
    from benchmarks.live_api import serving

    found = []
    with serving() as connection:
        for name, address in addresses(rows, np.random.default_rng(3)).items():
            until = time.monotonic() + 10  # of a slow page a few times are enough
            took = [asked(connection, address())]
            took = [took[0]] + [asked(connection, address()) for _ in range(TIMES) if time.monotonic() < until]
            p50, p95 = np.percentile(took[1:] or took, (50, 95))
            found.append((name, f"{p50:.1f}", f"{p95:.1f}", str(max(1, len(took) - 1))))
            print(found[-1], flush=True)
    return found


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of a database: the environment's, or an empty one's; "" is SQLite in the data folder."""
    if kind == "sqlite" or os.environ.get("DATABASE_URL"):
        yield os.environ.get("DATABASE_URL", "")
        return
    from tests.support.servers import Postgres

    server = Postgres()
    try:
        yield server.url
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--data", help="a folder to keep; what a run before filled is used again")
    options = parser.parse_args()
    data = options.data or tempfile.mkdtemp()
    os.environ |= {"IMAGESITE_DATA": data, "DJANGO_SETTINGS_MODULE": "imagesite.settings", "LOG_LEVEL": "ERROR"}
    os.environ |= {"CELERY_BROKER_URL": "memory://"}
    try:
        with database(options.database) as url:
            os.environ["DATABASE_URL"] = url
            _report(options.rows, options.database)
    finally:
        if not options.data:
            shutil.rmtree(data, ignore_errors=True)


def _report(rows: int, kind: str) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from gallery.models import Image

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    if Image.objects.count() < rows:
        with transaction.atomic():
            fill(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    lines = measure(rows)
    named = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]
    text = (
        f"One process of the web server, one request at a time, {TIMES} times each at most; whole requests, "
        f"milliseconds.\n\n{table(('page', 'p50', 'p95', 'times'), lines)}"
    )
    put(f"Gallery pages at {rows:,} pictures, {named}", text)


if __name__ == "__main__":
    main()
