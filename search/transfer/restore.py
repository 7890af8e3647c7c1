"""A backup -> this site. All of the backup is checked before anything is changed."""

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
from search.transfer.collection import file_of
from search.transfer.databases import kind
from search.transfer.exceptions import Damaged, MovingError
from search.transfer.places import FolderPlace
from search.transfer.records import LONGEST, Record, lines, opened
from search.types import Progress

FOLDER = re.compile(r"[a-z]+/\d+-[0-9a-f]+")
NAME = re.compile(r"originals/[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})\.([a-z0-9]{2,5})")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was read, and how the site's own files are to be treated."""

    place: FolderPlace
    head: Record
    say: Callable[[str], None]
    progress: Progress

    def media(self) -> Iterator[tuple[str, str, int]]:
        """Name in the storage, SHA-256 and bytes of each picture's file. Raises Damaged."""
        with self.place.open(MEDIA) as file:
            records = (opened(line) for line in lines(file))
            for record in self.progress(records, int(self.head["pictures"]), "pictures"):
                found = NAME.fullmatch(str(record.get("name")))
                if not found or found[1] != record.get("sha256"):
                    raise Damaged(f"{MEDIA} names a file that is none of a picture")
                yield found[0], found[1], int(record["bytes"])


def restore(path: Path, *, replace: bool, incomplete: bool, say: Callable[[str], None], progress: Progress) -> None:
    """Make this site what the backup is.

    ``replace`` allows it where there are pictures or accounts; ``incomplete`` where files of pictures are missing.
    Raises MovingError; nothing was changed then. Safe to run again after it was killed.
    """
    if not path.is_dir():
        raise MovingError(f"There is no folder {path}.")
    if not replace and not _is_empty():
        raise MovingError("This site is not empty. --replace puts the backup in the place of all that is here.")
    backup = Backup(FolderPlace(path), _head(path), say, progress)
    try:
        _check(backup, incomplete)
    except (Damaged, OSError, ValueError) as error:
        raise MovingError(f"{path} is damaged: {error}. Nothing was changed.") from error
    _put_files(backup)
    _put_snapshots(backup)
    kind().load(path / kind().file)
    call_command("migrate", verbosity=0)
    _put_snapshots(backup)  # the site may have swept away those that no row named
    if lost := notice_lost_thumbnails():
        say(f"Workers make the thumbnails of {lost:,} pictures again.")


def _is_empty() -> bool:
    try:
        return not Image.everything.exists() and not User.objects.exists()
    except Error:  # no tables yet
        connection.close()
        return True


def _head(path: Path) -> Record:
    """Raises MovingError."""
    try:
        head = opened(FolderPlace(path).read(HEAD, LONGEST))
    except Damaged as error:
        raise MovingError(f"{path} is no whole backup: its {HEAD} cannot be read ({error}).") from error
    if (head.get("format"), head.get("version")) != (FORMAT, VERSION):
        raise MovingError(f"{path} is no backup that this program reads.")
    if head["engine"] != connection.vendor:
        cure = "Restore it into such a database; export and import go from one to the other."
        raise MovingError(f"This is a backup of {head['engine']}, and this site is on {connection.vendor}. {cure}")
    return head


def _check(backup: Backup, incomplete: bool) -> None:
    """Raises Damaged, ValueError, OSError or MovingError."""
    path, head = backup.place.path, backup.head
    for name, digest in ((kind().file, head["sha256"]), (MEDIA, head["media"])):
        if sha256_of(path / name) != digest:
            raise Damaged(f"{name} has changed")
    kind().check(path / kind().file)
    for folder, checksum in head["snapshots"].items():
        if not FOLDER.fullmatch(folder):
            raise Damaged(f"{folder} is no name of a snapshot")
        check_folder(path / SNAPSHOTS / folder, checksum)
    _check_migrations(set(head["migrations"]))
    missing = sum(map(bool, _missing(backup)))
    if missing and not incomplete:
        cure = "Bring the media back first, or take --incomplete"
        raise MovingError(f"The files of {missing:,} pictures are neither here nor in the backup. {cure}.")


def _check_migrations(made: set[str]) -> None:
    """Raises MovingError if the backup is of a newer program, or tables would be left over."""
    loader = MigrationLoader(connection)
    known = {".".join(key) for key in loader.disk_migrations}
    if newer := sorted(made - known):
        raise MovingError(f"The backup is of a newer program ({newer[-1]}). Update this one first.")
    here = {".".join(key) for key in loader.applied_migrations}
    if kind().keeps_tables and (left := sorted(here - made)):
        raise MovingError(f"The database has newer tables than the backup ({left[-1]}). Restore into an empty one.")


def _missing(backup: Backup) -> Iterator[bool]:
    """For each picture whether its file is nowhere. One in the backup must be whole: raises Damaged."""
    for name, sha256, size in backup.media():
        copy = file_of(sha256, name.rpartition(".")[2])
        if backup.head["files"] and (backup.place.path / copy).exists():
            if hashlib.sha256(backup.place.read(copy, size)).hexdigest() != sha256:
                raise Damaged(f"{copy} has changed")
            yield False
        else:
            yield not default_storage.exists(name) or default_storage.size(name) != size


def _put_files(backup: Backup) -> None:
    """A name stands for its bytes, so that what is here already is right, if it is whole."""
    for name, sha256, size in backup.media() if backup.head["files"] else ():
        copy = file_of(sha256, name.rpartition(".")[2])
        here = default_storage.exists(name) and default_storage.size(name) == size
        if not here and (backup.place.path / copy).exists():
            default_storage.save(name, ContentFile(backup.place.read(copy, size)))


def _put_snapshots(backup: Backup) -> None:
    for folder, checksum in backup.head["snapshots"].items():
        place = Path(settings.SNAPSHOT_ROOT) / folder
        try:
            check_folder(place, checksum)
        except (OSError, ValueError):
            shutil.rmtree(place, ignore_errors=True)
            unfinished = place.with_name(f".{place.name}")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(backup.place.path / SNAPSHOTS / folder, unfinished)
            for file in unfinished.iterdir():
                flush(file)
            unfinished.rename(place)
