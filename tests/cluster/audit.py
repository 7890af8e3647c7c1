"""What must be true of a cluster once it has settled, whatever happened to it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import psycopg

from search.methods import METHODS
from tests.cluster.clients import FIRST, Visitors, ranks

AT_ONCE = 4
WHOLE = """
    SELECT count(*) FROM gallery_image i JOIN search_feature f ON f.image_id = i.id
    WHERE f.data IS NOT NULL AND NOT f.stale AND i.thumbnailed
"""


def audit(visitors: Visitors, database: str) -> list[str]:
    """One line for everything that is wrong."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        kept = pool.map(lambda one: _kept(visitors, *one), product(visitors.hosts, visitors.there.items()))
        gone = pool.map(lambda one: _gone(visitors, *one), product(visitors.hosts, visitors.gone.items()))
        return [line for lines in (*kept, *gone, _rows(visitors, database)) for line in lines]


def _kept(visitors: Visitors, host: str, item: tuple[int, bytes]) -> Iterable[str]:
    """It is there, its file too, and it is the first of every space."""
    key, data = item
    image = visitors.ask(host, "GET", f"/api/images/{key}/")
    if image.status != 200:
        yield f"{host} has no picture {key}: {image.status}"
        return
    file = visitors.pool.request("GET", image.body["url"])
    if (file.status, file.data) != (200, data):
        yield f"The file of {key} is not what was sent: {file.status}"
    found = visitors.search(host, data, kind="")
    if ranks(found, key) != FIRST or found.body["skipped"]:
        yield f"{host} does not find {key} first: {ranks(found, key)} {found.status} {found.body.get('skipped')}"


def _gone(visitors: Visitors, host: str, item: tuple[int, bytes]) -> Iterable[str]:
    key, data = item
    if (status := visitors.ask(host, "GET", f"/api/images/{key}/").status) != 404:
        yield f"{host} still has the deleted picture {key}: {status}"
    if ranks(visitors.search(host, data, kind=""), key):
        yield f"{host} still finds the deleted picture {key}"


def _rows(visitors: Visitors, database: str) -> Iterable[str]:
    """Every picture has all its features and nothing is under way."""
    with psycopg.connect(database.replace("postgres://", "postgresql://")) as connection:

        def number(query: str) -> int:
            row = connection.execute(query).fetchone()  # type: ignore[arg-type]
            return int(row[0]) if row else 0

        images = number("SELECT count(*) FROM gallery_image")
        if images != len(visitors.there):
            yield f"{images} pictures are stored, and {len(visitors.there)} were promised to be"
        if (whole := number(WHOLE)) != images * len(METHODS):
            yield f"{whole} features instead of {images * len(METHODS)}"
        if stuck := number("SELECT count(*) FROM search_extraction"):
            yield f"{stuck} pictures are still taken for being worked on"
        if jobs := number("SELECT count(*) FROM search_job WHERE state <> 'done'"):
            yield f"{jobs} jobs are not done"
