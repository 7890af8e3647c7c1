"""A backup -> this site. The entire backup is checked before anything is changed."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader

from search.collection import Image, notice_lost_thumbnails
from search.snapshots.files import check_folder, flush, sha256_of
from search.transfer.backup import FORMAT, HEAD, MEDIA, SNAPSHOTS, VERSION
from search.transfer.databases import backend
from search.transfer.exceptions import Damaged, TransferError
from search.transfer.export_format import file_of
from search.transfer.records import LONGEST, Record, decode, lines
from search.transfer.sources import FolderSource
from search.types import Progress

SNAPSHOT_FOLDER = re.compile(r"[a-z]+/\d+-[0-9a-f]+")
MEDIA_NAME = re.compile(r"originals/[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})\.([a-z0-9]{2,5})")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup whose head has been read."""

    source: FolderSource
    head: Record
    progress: Progress

    def media(self) -> Iterator[tuple[str, str, int]]:
        """Name in the storage, SHA-256 and bytes of each picture's file. Raises Damaged."""
        with self.source.open(MEDIA) as file:
            records = (decode(line) for line in lines(file))
            for record in self.progress(records, int(self.head["pictures"]), "pictures"):
                name = MEDIA_NAME.fullmatch(str(record.get("name")))
                if not name or name[1] != record.get("sha256"):
                    raise Damaged(f"{MEDIA} names a file that is none of a picture")
                yield name[0], name[1], int(record["bytes"])


def restore(path: Path, *, replace: bool, incomplete: bool, say: Callable[[str], None], progress: Progress) -> None:
    """Make this site what the backup is.

    ``replace`` allows it where there are pictures or accounts; ``incomplete`` where files of pictures are missing.
    Raises TransferError; nothing was changed then. Safe to run again after it was killed.
    """
    if not path.is_dir():
        raise TransferError(f"There is no folder {path}.")
    if not replace and not _is_empty():
        raise TransferError("This site is not empty. With --replace the backup replaces everything that is here.")
    backup = Backup(FolderSource(path), _read_head(path), progress)
    try:
        _check(backup, incomplete)
    except (Damaged, OSError, ValueError) as error:
        raise TransferError(f"{path} is damaged: {error}. Nothing was changed.") from error
    # Files first: if this is killed before the database is loaded, there are only files that nobody asks for.
    _copy_files(backup)
    _copy_snapshots(backup)
    backend().load(path / backend().file)
    call_command("migrate", verbosity=0)
    _copy_snapshots(backup)  # the site may have pruned those that no row named
    if lost := notice_lost_thumbnails():
        say(f"Workers make the thumbnails of {lost:,} pictures again.")


def _is_empty() -> bool:
    try:
        return not Image.everything.exists() and not User.objects.exists()
    except Error:  # no tables yet
        connection.close()
        return True


def _read_head(path: Path) -> Record:
    """Raises TransferError."""
    try:
        head = decode(FolderSource(path).read(HEAD, LONGEST))
    except Damaged as error:
        raise TransferError(f"{path} is not a complete backup: its {HEAD} cannot be read ({error}).") from error
    if (head.get("format"), head.get("version")) != (FORMAT, VERSION):
        raise TransferError(f"{path} is not a backup that this program can read.")
    if head["engine"] != connection.vendor:
        cure = "Restore it into such a database; export and import work between the two."
        raise TransferError(f"This is a backup of {head['engine']}, and this site is on {connection.vendor}. {cure}")
    return head


def _check(backup: Backup, incomplete: bool) -> None:
    """Raises Damaged, ValueError, OSError or TransferError."""
    path, head, database = backup.source.path, backup.head, backend()
    for name, digest in ((database.file, head["sha256"]), (MEDIA, head["media"])):
        if sha256_of(path / name) != digest:
            raise Damaged(f"{name} has changed")
    database.check(path / database.file)
    for folder, checksum in head["snapshots"].items():
        if not SNAPSHOT_FOLDER.fullmatch(folder):
            raise Damaged(f"{folder} is no name of a snapshot")
        check_folder(path / SNAPSHOTS / folder, checksum)
    _check_migrations(set(head["migrations"]))
    missing = sum(map(bool, _missing(backup)))
    if missing and not incomplete:
        cure = "Bring the media back first, or add --incomplete"
        raise TransferError(f"The files of {missing:,} pictures are neither here nor in the backup. {cure}.")


def _check_migrations(in_backup: set[str]) -> None:
    """Raises TransferError if the backup is of a newer program, or newer tables would be left over."""
    loader = MigrationLoader(connection)
    known = {".".join(key) for key in loader.disk_migrations}
    if newer := sorted(in_backup - known):
        raise TransferError(f"The backup is of a newer program ({newer[-1]}). Update this one first.")
    applied = {".".join(key) for key in loader.applied_migrations}
    if backend().keeps_tables and (left := sorted(applied - in_backup)):
        raise TransferError(f"The database has newer tables than the backup ({left[-1]}). Restore into an empty one.")


def _missing(backup: Backup) -> Iterator[bool]:
    """For each picture whether its file is neither in the storage nor in the backup.

    Raises Damaged if it is in the backup, and damaged there.
    """
    for name, sha256, size in backup.media():
        copy = file_of(sha256, name.rpartition(".")[2])
        if backup.head["files"] and (backup.source.path / copy).exists():
            if hashlib.sha256(backup.source.read(copy, size)).hexdigest() != sha256:
                raise Damaged(f"{copy} has changed")
            yield False
        else:
            yield not _is_stored(name, size)


def _is_stored(name: str, size: int) -> bool:
    """A name stands for its content, so a complete file is the right one."""
    return default_storage.exists(name) and default_storage.size(name) == size


def _copy_files(backup: Backup) -> None:
    for name, sha256, size in backup.media() if backup.head["files"] else ():
        copy = file_of(sha256, name.rpartition(".")[2])
        if not _is_stored(name, size) and (backup.source.path / copy).exists():
            default_storage.save(name, ContentFile(backup.source.read(copy, size)))


def _copy_snapshots(backup: Backup) -> None:
    """Those that are not here intact; each under another name first, so that no half of one is ever used."""
    for name, checksum in backup.head["snapshots"].items():
        folder = Path(settings.SNAPSHOT_ROOT) / name
        try:
            check_folder(folder, checksum)
        except (OSError, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
            unfinished = folder.with_name(f".{folder.name}")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(backup.source.path / SNAPSHOTS / name, unfinished)
            for file in unfinished.iterdir():
                flush(file)
            unfinished.rename(folder)
