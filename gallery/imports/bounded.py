"""Files that nobody reads in one piece."""

from __future__ import annotations

import gzip
import io
import stat
from pathlib import Path
from typing import cast

from django.conf import settings

from gallery.imports.found import no_plain_file

REST = 1 << 20  # bytes, where all the rest is asked for: the end of a zip
LISTED = 32 << 20  # bytes: of a zip's list of entries, or of what stands before an entry of a tar


class Bounded(io.BufferedReader):
    """Raises OSError when it is asked for more at once than a picture or a list of entries may have.

    The libraries that read archives ask for what a header says, which may be anything.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        unsaid = size is None or size < 0
        most = REST if unsaid else max(LISTED, settings.MAX_IMAGE_BYTES + 1)
        wanted = most + 1 if unsaid else size or 0
        data = super().read(wanted) if wanted <= most + 1 else b""
        if wanted > most + 1 or len(data) > most:
            raise OSError("it asks for more at once than a picture, or a list of entries, may have")
        return data


def open_bounded(path: str, *, gz: bool = False) -> Bounded:
    """A plain file, unpacked while it is read if ``gz``. Raises OSError, or ImageRejected for a pipe or a device."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise no_plain_file()
    file = gzip.open(path) if gz else Path(path).open("rb", buffering=0)  # noqa: SIM115 (closed by its reader)
    return Bounded(cast(io.RawIOBase, file))


def is_gz(path: str) -> bool:
    """Whether it begins as gzip does, whatever its name says. Raises OSError."""
    with open_bounded(path) as file:
        return file.read(2) == b"\x1f\x8b"
