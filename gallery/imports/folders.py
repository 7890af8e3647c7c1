"""Files and folders of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from django.conf import settings

from gallery.imports.entry import Entry, check_size, not_a_plain_file


def file(path: str) -> Entry:
    """A file that may be a picture."""
    return Entry(path, partial(_read, path))


def entries(folder: str, recursive: bool) -> Iterator[Entry]:
    """The files in a folder, and if ``recursive`` below it. Links to folders are skipped: they may be circles."""
    folders = [folder]
    while folders:
        current = folders.pop()
        try:
            # One entry at a time: a folder of a million files is neither sorted nor held in memory.
            with os.scandir(current) as listing:
                for entry in listing:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_file():
                        yield file(entry.path)
                    elif recursive and entry.is_dir(follow_symlinks=False) and not _is_media_root(entry.path):
                        folders.append(entry.path)
        except OSError as error:
            yield Entry(current, problem=error.strerror or str(error))


def _is_media_root(folder: str) -> bool:
    """Whether it has the site's own files: their thumbnails are no pictures to import."""
    return Path(folder).resolve() == Path(settings.MEDIA_ROOT)


def _read(path: str) -> bytes:
    """The file's bytes. Raises OSError, or ImageRejected if it is no plain file or too large to be read."""
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise not_a_plain_file()
    check_size(status.st_size)
    # One byte more than allowed: a file that grew since is recognized as too large, not cut off.
    with Path(path).open("rb") as opened:
        return opened.read(settings.MAX_IMAGE_BYTES + 1)
