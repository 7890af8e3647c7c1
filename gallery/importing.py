"""Files and folders -> pictures of the gallery, one at a time, whatever else lies there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from django.conf import settings

from gallery import services
from gallery.exceptions import ImageRejected

TOLD_AT_ONCE = 32  # new pictures, so that one message to the workers serves many


class Fate(Enum):
    ADDED = "added"
    KNOWN = "there already"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file. ``code`` and ``reason`` tell why it was rejected; the code is stable."""

    path: str
    fate: Fate
    code: str = ""
    reason: str = ""
    new_id: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A file to try, or a folder that cannot be read, with the reason."""

    path: str
    problem: str = ""


def import_pictures(paths: Iterable[str], *, recursive: bool, tags: Sequence[str]) -> Iterator[Outcome]:
    """Add each file that is a picture. Raises OSError if the site cannot store any more."""
    untold: list[int] = []
    try:
        for found in find(paths, recursive=recursive):
            outcome = _import(found, tags)
            untold += [outcome.new_id] if outcome.new_id else []
            if len(untold) >= TOLD_AT_ONCE:
                services.tell_added(ids=untold)
                untold = []
            yield outcome
    finally:
        services.tell_added(ids=untold)


def find(paths: Iterable[str], *, recursive: bool) -> Iterator[Found]:
    """The files named, and those in the folders named; of a folder neither hidden nor special files."""
    for path in paths:
        if Path(path).is_dir():
            yield from _in_folder(path, recursive)
        else:
            yield Found(path)


def _in_folder(folder: str, recursive: bool) -> Iterator[Found]:
    """Links to folders are not followed: they may lead in circles."""
    folders = [folder]
    while folders:
        current = folders.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_file():
                        yield Found(entry.path)
                    elif recursive and entry.is_dir(follow_symlinks=False) and not _is_own(entry.path):
                        folders.append(entry.path)
        except OSError as error:
            yield Found(current, _told(error))


def _is_own(folder: str) -> bool:
    """The site's own files, thumbnails among them, are no pictures to import."""
    return Path(folder).resolve() == Path(settings.MEDIA_ROOT)


def _import(found: Found, tags: Sequence[str]) -> Outcome:
    path = found.path
    if found.problem:
        return Outcome(path, Fate.REJECTED, "unreadable", found.problem)
    try:
        data = _read(path)
    except OSError as error:
        return Outcome(path, Fate.REJECTED, "unreadable", _told(error))
    except ImageRejected as error:
        return Outcome(path, Fate.REJECTED, error.code, str(error))
    try:
        added = services.add_image(data=data, file_name=path, tags=tags, tell=False)
    except ImageRejected as error:
        return Outcome(path, Fate.REJECTED, error.code, str(error))
    return Outcome(path, Fate.ADDED, new_id=added.image.pk) if added.created else Outcome(path, Fate.KNOWN)


def _read(path: str) -> bytes:
    """The file's bytes. Raises OSError, or ImageRejected if it is no plain file or too large to be read."""
    most = settings.MAX_IMAGE_BYTES
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise ImageRejected("This is no plain file.", "not_an_image")
    if status.st_size > most:
        raise ImageRejected(f"The file has {status.st_size:,} bytes; at most {most:,} are taken.", "too_large")
    with Path(path).open("rb") as file:
        return file.read(most + 1)


def _told(error: OSError) -> str:
    return error.strerror or str(error)
