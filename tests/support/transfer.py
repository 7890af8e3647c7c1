"""Exports and imports, and what must be the same before and after."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

from django.core.files.storage import default_storage
from django.core.management import call_command

from gallery.models import Album, Image
from gallery.services import delete_images, purge_trash
from search.duplicates.models import Verdict
from search.methods import METHODS
from search.retrieval.engine import search
from search.retrieval.live import forget
from search.retrieval.queries import query_by_image

COUNT = 6


def run(*arguments: str | Path) -> str:
    said = StringIO()
    try:
        call_command(*map(str, arguments), stdout=said, stderr=said)
    finally:
        print(said.getvalue())  # noqa: T201 (shown when a test fails)
    return said.getvalue()


def empty_the_site() -> None:
    delete_images(ids=list(Image.objects.values_list("pk", flat=True)))
    purge_trash(ids=list(Image.everything.values_list("pk", flat=True)))
    Album.objects.all().delete()
    Verdict.objects.all().delete()
    assert not [name for _, _, names in os.walk(default_storage.path("originals")) for name in names]
    forget()


def answers() -> dict[str, list[tuple[str, float]]]:
    """For every picture and space what is found, by content, with distances."""
    forget()
    contents = dict(Image.objects.values_list("pk", "sha256"))
    found = {}
    for key, sha256 in contents.items():
        for space in METHODS:
            hits = search(query_by_image(key, space), method=space, limit=COUNT).hits
            found[f"{sha256} {space}"] = sorted((contents[hit.key], round(hit.distance, 5)) for hit in hits)
    return found


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.write_bytes(data)
