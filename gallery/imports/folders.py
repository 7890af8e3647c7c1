"""Files and folders of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from django.conf import settings

from gallery.imports.found import Found, check_size, no_plain_file


def file(path: str) -> Found:
    return Found(path, partial(_read, path))


def in_folder(folder: str, recursive: bool) -> Iterator[Found]:
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
                        yield file(entry.path)
                    elif recursive and entry.is_dir(follow_symlinks=False) and not _is_own(entry.path):
                        folders.append(entry.path)
        except OSError as error:
            yield Found(current, problem=error.strerror or str(error))


def _is_own(folder: str) -> bool:
    """The site's own files, thumbnails among them, are no pictures to import."""
    return Path(folder).resolve() == Path(settings.MEDIA_ROOT)


def _read(path: str) -> bytes:
    """The file's bytes. Raises OSError, or ImageRejected if it is no plain file or too large to be read."""
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise no_plain_file()
    check_size(status.st_size)
    with Path(path).open("rb") as opened:
        return opened.read(settings.MAX_IMAGE_BYTES + 1)
