"""What an exported collection consists of; docs/moving.md tells it to people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from search.collection import FORMATS, Image
from search.transfer.exceptions import Damaged

FORMAT, VERSION = "imagesite collection", 1
HEAD, PICTURES, ALBUMS, APART = "collection.json", "pictures.jsonl", "albums.jsonl", "apart.jsonl"
HASH = re.compile(r"[0-9a-f]{64}")
FOLDER = re.compile(r"features/[a-z]{1,40}-\d{1,3}")
MOST = 10_000  # tags or albums of a picture
EXTENSIONS = {extension for extension, _ in FORMATS.values()} | {"bin"}


@dataclass(frozen=True, slots=True)
class Moved:
    """A picture as an export tells of it."""

    id: int
    sha256: str
    file: str
    title: str
    tags: tuple[str, ...]
    albums: tuple[int, ...]
    created_at: datetime


def file_of(sha256: str, extension: str) -> str:
    return f"files/{sha256[:2]}/{sha256[2:4]}/{sha256}.{extension}"


def told(image: Image) -> dict[str, Any]:
    """The record of a picture, whose tags and albums were fetched before."""
    return {
        "id": image.pk,
        "sha256": image.sha256,
        "file": file_of(image.sha256, image.file_name.rpartition(".")[2]),
        "format": image.format,
        "bytes": image.bytes,
        "width": image.width,
        "height": image.height,
        "title": image.title,
        "tags": sorted(tag.name for tag in image.tags.all()),
        "albums": sorted(album.pk for album in image.albums.all()),
        "created_at": image.created_at.isoformat(),
    }


def read(record: Mapping[str, Any]) -> Moved:
    """What the record of a picture says. Raises Damaged; names of files are made anew, not taken."""
    key, sha256, title = record.get("id"), hash_in(record, "sha256"), record.get("title")
    extension = str(record.get("file", "")).rpartition(".")[2]
    if not isinstance(key, int) or not isinstance(title, str) or extension not in EXTENSIONS:
        raise Damaged("it has no id, title or known kind of file")
    tags, albums = (_list(record.get(name), kind) for name, kind in (("tags", str), ("albums", int)))
    return Moved(key, sha256, file_of(sha256, extension), title, tags, albums, time_in(record))


def hash_in(record: Mapping[str, Any], name: str) -> str:
    found = record.get(name)
    if not isinstance(found, str) or not HASH.fullmatch(found):
        raise Damaged(f"its {name} is no SHA-256")
    return found


def time_in(record: Mapping[str, Any]) -> datetime:
    try:
        found = parse_datetime(str(record.get("created_at")))
        found = found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise Damaged("its created_at is no time with a zone")
    return found


def _list(found: object, kind: type) -> tuple[Any, ...]:
    if not isinstance(found, list) or len(found) > MOST or not all(isinstance(one, kind) for one in found):
        raise Damaged("its tags or albums are no list, or too many")
    return tuple(found)
