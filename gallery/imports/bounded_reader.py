"""Reads archives without believing what their headers say about sizes."""

from __future__ import annotations

import gzip
import io
import stat
from pathlib import Path
from typing import cast

from django.conf import settings

from gallery.imports.entry import not_a_plain_file

MAX_REST = 1 << 20  # bytes, where all the rest is asked for: the end of a zip
MAX_LISTING = 32 << 20  # bytes: of a zip's list of entries, or of what stands before an entry of a tar


class BoundedReader(io.BufferedReader):
    """Raises OSError when it is asked for more at once than a picture or a list of entries may have.

    The libraries that read archives ask for what a header says, which may be anything.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            data = super().read(MAX_REST + 1)
            return self._checked(data, len(data), MAX_REST)
        most = max(MAX_LISTING, settings.MAX_IMAGE_BYTES + 1)
        return self._checked(super().read(size) if size <= most else b"", size, most)

    def _checked(self, data: bytes, size: int, most: int) -> bytes:
        if size > most:
            raise OSError("it asks for more at once than a picture, or a list of entries, may have")
        return data


def open_bounded(path: str, *, gz: bool = False) -> BoundedReader:
    """A plain file, unpacked while it is read if ``gz``. Raises OSError, or ImageRejected for a pipe or a device."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise not_a_plain_file()
    return BoundedReader(cast(io.RawIOBase, gzip.GzipFile(path)) if gz else io.FileIO(path))


def is_gzip(path: str) -> bool:
    """Whether the file begins as gzip does, whatever its name says. Raises OSError."""
    with open_bounded(path) as file:
        return file.read(2) == b"\x1f\x8b"
