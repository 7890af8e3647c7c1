"""A site's truth in a folder: the database, what its media must be, the snapshots in use; the files too, if asked."""

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
from search.transfer.collection import file_of
from search.transfer.databases import Query, kind
from search.transfer.exceptions import MovingError
from search.transfer.records import sealed
from search.transfer.targets import Target, target
from search.types import Progress

FORMAT, VERSION = "imagesite backup", 1
HEAD, MEDIA, SNAPSHOTS = "backup.json", "media.jsonl", "snapshots"
PICTURES = "SELECT sha256, format, bytes FROM gallery_image ORDER BY id"
MIGRATIONS = "SELECT app, name FROM django_migrations ORDER BY id"
IN_USE = (
    "SELECT made.folder, made.checksum FROM search_snapshot made JOIN search_space space ON space.snapshot_id = made.id"
)


def backup(path: Path, *, files: bool, progress: Progress) -> Iterator[str]:
    """Write a backup to a new folder, while the site runs; gives a line for each file of a picture that is not there.

    All is of one moment of the database. Raises MovingError or OSError.
    """
    if path.suffix == ".tar":
        raise MovingError("A backup is a folder. Name it without .tar.")
    database = kind()
    with target(path) as writer:
        dump = writer.scratch(database.file)
        with database.dumped(dump) as ask:
            migrations = [f"{app}.{name}" for app, name in ask(MIGRATIONS)]
            snapshots = _snapshots(ask, writer)
            total = next(ask("SELECT count(*) FROM gallery_image"))[0]
            listed = writer.scratch(MEDIA)
            with listed.open("wb") as manifest:
                for sha256, form, size in progress(ask(PICTURES), total, "pictures"):
                    name = Image(sha256=sha256, format=form).file_name
                    manifest.write(sealed({"name": name, "sha256": sha256, "bytes": size}))
                    if problem := _file(name, sha256, size, writer if files else None):
                        yield problem
        about: Mapping[str, Any] = {
            **{"format": FORMAT, "version": VERSION, "made_at": timezone.now().isoformat()},
            **{"engine": connection.vendor, "database": database.file, "sha256": sha256_of(dump)},
            **{"migrations": migrations, "pictures": total, "media": sha256_of(listed)},
            **{"files": files, "snapshots": snapshots},
        }
        writer.add(HEAD, sealed(about))


def _file(name: str, sha256: str, size: int, writer: Target | None) -> str:
    """What is wrong with the file of a picture, or ""; it is taken along if there is a ``writer``."""
    copy = file_of(sha256, name.rpartition(".")[2])
    try:
        if writer is None:
            found = default_storage.size(name)
            return "" if found == size else f"{name} has {found:,} bytes, not {size:,}."
        if writer.has(copy, size):
            return ""
        with default_storage.open(name) as file:
            data = file.read()
    except OSError as error:
        return f"{name} cannot be read: {error.strerror or error}."
    if hashlib.sha256(data).hexdigest() != sha256:
        return f"{name} is damaged: its bytes are others than they were."
    writer.add(copy, data)
    return ""


def _snapshots(ask: Query, writer: Target) -> dict[str, str]:
    """Folder -> checksum of the snapshots in use that could be copied; one that is gone by now is built again."""
    copied = {}
    for folder, checksum in list(ask(IN_USE)):
        copy = writer.scratch(f"{SNAPSHOTS}/{folder}")
        try:
            shutil.copytree(settings.SNAPSHOT_ROOT / folder, copy)
            check_folder(copy, checksum)
            copied[folder] = checksum
        except (OSError, ValueError):
            shutil.rmtree(copy, ignore_errors=True)
    return copied
