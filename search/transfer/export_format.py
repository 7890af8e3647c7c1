"""What an exported collection consists of; docs/moving.md describes it for people."""

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
FEATURE_FOLDER = re.compile(r"features/[a-z]{1,40}-\d{1,3}")
MOST = 10_000  # tags or albums of a picture
EXTENSIONS = {extension for extension, _ in FORMATS.values()} | {"bin"}


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A picture in an export; ``id`` and ``albums`` are ids of the site that wrote it."""

    id: int
    sha256: str
    file: str
    title: str
    tags: tuple[str, ...]
    albums: tuple[int, ...]
    created_at: datetime


def file_of(sha256: str, extension: str) -> str:
    """Name of a picture's file in an export or backup."""
    return f"files/{sha256[:2]}/{sha256[2:4]}/{sha256}.{extension}"


def record_of(image: Image) -> dict[str, Any]:
    """The record of a picture whose tags and albums have been prefetched."""
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


def parse(record: Mapping[str, Any]) -> ImageRecord:
    """A picture's record, validated. Raises Damaged. The file's name is made from the hash, never taken as it is."""
    key, sha256, title = record.get("id"), hash_in(record, "sha256"), record.get("title")
    extension = str(record.get("file", "")).rpartition(".")[2]
    if not isinstance(key, int) or not isinstance(title, str) or extension not in EXTENSIONS:
        raise Damaged("it has no id, title or known kind of file")
    tags, albums = (_list(record.get(name), kind) for name, kind in (("tags", str), ("albums", int)))
    return ImageRecord(key, sha256, file_of(sha256, extension), title, tags, albums, time_in(record))


def hash_in(record: Mapping[str, Any], name: str) -> str:
    """A SHA-256 of a record. Raises Damaged."""
    value = record.get(name)
    if not isinstance(value, str) or not HASH.fullmatch(value):
        raise Damaged(f"its {name} is no SHA-256")
    return value


def time_in(record: Mapping[str, Any]) -> datetime:
    """``created_at`` of a record, in UTC. Raises Damaged if it has no time zone, or is beyond what UTC can express."""
    try:
        time = parse_datetime(str(record.get("created_at")))
        time = time.astimezone(UTC) if time and time.tzinfo else None
    except (ValueError, OverflowError):
        time = None
    if time is None:
        raise Damaged("its created_at is no time with a zone")
    return time


def _list(value: object, kind: type) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > MOST or not all(isinstance(item, kind) for item in value):
        raise Damaged("its tags or albums are no list, or too many")
    return tuple(value)
