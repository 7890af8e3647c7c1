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
from search.transfer import export_format
from search.transfer.feature_files import FeatureWriter
from search.transfer.records import decode, encode, lines
from search.transfer.targets import Target, open_target
from search.types import Progress

PAGE = 200  # pictures whose rows are in memory at once


def export(path: Path, progress: Progress) -> Iterator[str]:
    """Write all visible pictures to a new folder or tar; yields a line for each one that has to be left out.

    The site may run: what is added meanwhile may be missing. Raises TransferError or OSError.
    """
    with open_target(path) as target:
        pictures = target.scratch(export_format.PICTURES)
        count = 0
        with pictures.open("wb") as file:
            for image in progress(_images(), Image.objects.count(), "pictures"):
                if problem := _copy(image, target):
                    yield problem
                    continue
                count += 1
                file.write(encode(export_format.record_of(image)))
        versions = backlog.target_versions(states_of(METHODS))
        features = [_write_features(version, number, pictures, target) for number, version in enumerate(versions)]
        _write_records(target, export_format.ALBUMS, _albums())
        _write_records(target, export_format.APART, _verdicts())
        target.commit(export_format.PICTURES)
        head = {"format": export_format.FORMAT, "version": export_format.VERSION}
        head |= {"made_at": timezone.now().isoformat(), "pictures": count, "features": features}
        target.add(export_format.HEAD, encode(head))


def _images() -> Iterator[Image]:
    """All visible ones by id, a page at a time: one long query would block the database's housekeeping."""
    after = 0
    while page := list(Image.objects.filter(pk__gt=after).order_by("pk").prefetch_related("tags", "albums")[:PAGE]):
        yield from page
        after = page[-1].pk


def _copy(image: Image, target: Target) -> str:
    """Copy the original; returns why it could not be copied, or ""."""
    name = export_format.file_of(image.sha256, image.file_name.rpartition(".")[2])
    if target.has(name, image.bytes):
        return ""
    try:
        with default_storage.open(image.file_name) as file:
            data = file.read()
    except OSError as error:
        return f"Picture {image.pk} is left out: its file cannot be read ({error.strerror or error})."
    if hashlib.sha256(data).hexdigest() != image.sha256:
        return f"Picture {image.pk} is left out: its file {image.file_name} is damaged."
    target.add(name, data)
    return ""


def _write_features(version: TargetVersion, number: int, pictures: Path, target: Target) -> Mapping[str, Any]:
    """Those of one version of a space, in the order of the pictures; returns their entry in the head."""
    name = f"features/{version.space}-{number}"
    folder = target.scratch(f"{name}/rows.npy").parent
    with FeatureWriter(folder, version.method.stored) as writer:
        for page in _pages(pictures):
            rows = version.fresh().filter(image_id__in=page).order_by("image_id").values_list("image_id", "data")
            for key, data in rows:
                writer.add(key, page[key], bytes(data or b""))
    files = writer.names
    for file in files:
        target.commit(f"{name}/{file}")
    entry = {"space": version.space, "version": version.method.version, "folder": name}
    return {**entry, "dtype": version.method.stored, "count": writer.count, "files": files}


def _pages(pictures: Path) -> Iterator[dict[int, str]]:
    """Id -> SHA-256 of the pictures that were written, a page at a time."""
    page: dict[int, str] = {}
    with pictures.open("rb") as file:
        for line in lines(file):
            record = decode(line)
            page[record["id"]] = record["sha256"]
            if len(page) == PAGE:
                yield page
                page = {}
    if page:
        yield page


def _write_records(target: Target, name: str, records: Iterable[Mapping[str, Any]]) -> None:
    with target.scratch(name).open("wb") as file:
        file.writelines(map(encode, records))
    target.commit(name)


def _albums() -> Iterator[Mapping[str, Any]]:
    for album in Album.objects.order_by("pk").iterator():
        yield {"id": album.pk, "title": album.title, "created_at": album.created_at.isoformat()}


def _verdicts() -> Iterator[Mapping[str, Any]]:
    """Pairs of contents that people have set apart as no duplicates."""
    for one, two in Verdict.objects.order_by("pk").values_list("one", "two").iterator():
        yield {"one": one, "two": two}
