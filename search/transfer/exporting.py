"""The collection of this site -> a folder or a tar."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.utils import timezone

from search.collection import Album, Image
from search.duplicates.models import Verdict
from search.features import backlog
from search.features.backlog import TargetVersion
from search.features.versions import states_of
from search.methods import METHODS
from search.transfer import collection
from search.transfer.arrays import Writer
from search.transfer.records import lines, opened, sealed
from search.transfer.targets import Target, target
from search.types import Progress

PAGE = 200  # pictures whose rows are in memory at once


def export(path: Path, progress: Progress) -> Iterator[str]:
    """Write all that is shown to a new folder, or tar; gives a line for everything that had to be left out.

    The site may run: what is added meanwhile may be missing. Raises MovingError or OSError.
    """
    with target(path) as writer:
        total = Image.objects.count()
        listed = writer.scratch(collection.PICTURES)
        count = 0
        with listed.open("wb") as file:
            for image in progress(_images(), total, "pictures"):
                if problem := _copy(image, writer):
                    yield problem
                    continue
                count += 1
                file.write(sealed(collection.told(image)))
        targets = backlog.target_versions(states_of(METHODS))
        spaces = [_features(target, number, listed, writer) for number, target in enumerate(targets)]
        _list(writer, collection.ALBUMS, _albums())
        _list(writer, collection.APART, _apart())
        writer.keep(collection.PICTURES)
        about = {"format": collection.FORMAT, "version": collection.VERSION, "made_at": timezone.now().isoformat()}
        writer.add(collection.HEAD, sealed({**about, "pictures": count, "features": spaces}))


def _images() -> Iterator[Image]:
    """All that are shown, by id, page by page: one long query would hold the database."""
    after = 0
    while page := list(Image.objects.filter(pk__gt=after).order_by("pk").prefetch_related("tags", "albums")[:PAGE]):
        yield from page
        after = page[-1].pk


def _copy(image: Image, writer: Target) -> str:
    """Why the original could not be taken along, or ""."""
    name = collection.file_of(image.sha256, image.file_name.rpartition(".")[2])
    if writer.has(name, image.bytes):
        return ""
    try:
        with default_storage.open(image.file_name) as file:
            data = file.read()
    except OSError as error:
        return f"Picture {image.pk} is left out: its file cannot be read ({error.strerror or error})."
    if hashlib.sha256(data).hexdigest() != image.sha256:
        return f"Picture {image.pk} is left out: its file {image.file_name} is damaged."
    writer.add(name, data)
    return ""


def _features(target: TargetVersion, number: int, listed: Path, writer: Target) -> Mapping[str, Any]:
    """Those of one version of a space, in the order of the pictures."""
    folder = f"features/{target.space}-{number}"
    place = writer.scratch(f"{folder}/rows.npy").parent
    with Writer(place, target.method.stored) as rows:
        for page in _pages(listed):
            found = target.fresh().filter(image_id__in=page).order_by("image_id").values_list("image_id", "data")
            for key, data in found:
                rows.add(key, page[key], bytes(data or b""))
    names = rows.names
    for name in names:
        writer.keep(f"{folder}/{name}")
    about = {"space": target.space, "version": target.method.version, "folder": folder}
    return {**about, "dtype": target.method.stored, "count": rows.count, "files": names}


def _pages(listed: Path) -> Iterator[dict[int, str]]:
    """Id -> SHA-256 of the pictures that were written, a page at a time."""
    page: dict[int, str] = {}
    with listed.open("rb") as file:
        for line in lines(file):
            record = opened(line)
            page[record["id"]] = record["sha256"]
            if len(page) == PAGE:
                yield page
                page = {}
    if page:
        yield page


def _list(writer: Target, name: str, records: Iterable[Mapping[str, Any]]) -> None:
    with writer.scratch(name).open("wb") as file:
        file.writelines(map(sealed, records))
    writer.keep(name)


def _albums() -> Iterator[Mapping[str, Any]]:
    for album in Album.objects.order_by("pk").iterator():
        yield {"id": album.pk, "title": album.title, "created_at": album.created_at.isoformat()}


def _apart() -> Iterator[Mapping[str, Any]]:
    for one, two in Verdict.objects.order_by("pk").values_list("one", "two").iterator():
        yield {"one": one, "two": two}
