"""A site -> a folder: the database, a list of its media, the snapshots in use, and the media on request."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from search.collection import Image
from search.snapshots.files import check_folder, sha256_of
from search.transfer.databases import Query, backend
from search.transfer.exceptions import TransferError
from search.transfer.export_format import file_of
from search.transfer.records import encode
from search.transfer.targets import Target, open_target
from search.types import Progress

FORMAT, VERSION = "imagesite backup", 1
HEAD, MEDIA, SNAPSHOTS = "backup.json", "media.jsonl", "snapshots"
# Raw SQL, for these ask the dump, which is a copy of the database.
PICTURES = "SELECT sha256, format, bytes FROM gallery_image ORDER BY id"
COUNT = "SELECT count(*) FROM gallery_image"
MIGRATIONS = "SELECT app, name FROM django_migrations ORDER BY id"
IN_USE = (
    "SELECT made.folder, made.checksum FROM search_snapshot made JOIN search_space space ON space.snapshot_id = made.id"
)


def backup(path: Path, *, files: bool, progress: Progress) -> Iterator[str]:
    """Write a backup to a new folder while the site runs; yields a line for each picture whose file is missing.

    Everything is of one moment of the database. Raises TransferError or OSError.
    """
    if path.suffix == ".tar":
        raise TransferError("A backup is a folder. Name it without .tar.")
    database = backend()
    with open_target(path) as target:
        dump, media = target.scratch(database.file), target.scratch(MEDIA)
        with database.dump(dump) as query:
            migrations = [f"{app}.{name}" for app, name in query(MIGRATIONS)]
            snapshots = _copy_snapshots(query, target)
            [(total,)] = query(COUNT)
            with media.open("wb") as file:
                for sha256, form, size in progress(query(PICTURES), total, "pictures"):
                    name = Image(sha256=sha256, format=form).file_name
                    file.write(encode({"name": name, "sha256": sha256, "bytes": size}))
                    if problem := _check_file(name, sha256, size, target if files else None):
                        yield problem
        head: Mapping[str, Any] = {
            **{"format": FORMAT, "version": VERSION, "made_at": timezone.now().isoformat()},
            **{"engine": connection.vendor, "database": database.file, "sha256": sha256_of(dump)},
            **{"migrations": migrations, "pictures": total, "media": sha256_of(media)},
            **{"files": files, "snapshots": snapshots},
        }
        target.add(HEAD, encode(head))


def _check_file(name: str, sha256: str, size: int, target: Target | None) -> str:
    """What is wrong with a picture's file, or ""; with a ``target`` it is copied there."""
    copy = file_of(sha256, name.rpartition(".")[2])
    try:
        if target is None:
            stored = default_storage.size(name)
            return "" if stored == size else f"{name} has {stored:,} bytes, not {size:,}."
        if target.has(copy, size):
            return ""
        with default_storage.open(name) as file:
            data = file.read()
    except OSError as error:
        return f"{name} cannot be read: {error.strerror or error}."
    if hashlib.sha256(data).hexdigest() != sha256:
        return f"{name} is damaged: its content has changed."
    target.add(copy, data)
    return ""


def _copy_snapshots(query: Query, target: Target) -> dict[str, str]:
    """Folder -> checksum of the snapshots in use that could be copied.

    One that was pruned meanwhile is left out: a restored site builds it again.
    """
    copied = {}
    for folder, checksum in list(query(IN_USE)):
        copy = target.scratch(f"{SNAPSHOTS}/{folder}")
        try:
            shutil.copytree(settings.SNAPSHOT_ROOT / folder, copy)
            check_folder(copy, checksum)
            copied[folder] = checksum
        except (OSError, ValueError):
            shutil.rmtree(copy, ignore_errors=True)
    return copied
