"""Pictures in a zip. Nothing is unpacked to disk: an entry is read into memory, up to the size of one picture."""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterator
from functools import partial
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from gallery.exceptions import ImageRejected
from gallery.imports.bounded_reader import open_bounded
from gallery.imports.entry import Entry, check_name, check_size, is_hidden, not_a_plain_file

ENCRYPTED = 0x1  # bit of an entry's flags
UNIX = 3  # code of the system that wrote the entry; its attributes then say what kind of file it is
DAMAGED = _("The zip archive is damaged: %(reason)s. Create it again.")


def entries(path: str) -> Iterator[Entry]:
    """Its files, but for hidden ones."""
    try:
        with open_bounded(path) as file, ZipFile(file) as archive:
            for entry in archive.infolist():
                # The archive stays open until all entries are consumed, so that each can be read when its turn comes.
                if not entry.is_dir() and not is_hidden(entry.filename):
                    yield Entry(f"{path}/{entry.filename}", partial(_read, archive, entry))
    except ImageRejected as error:
        yield Entry(path, problem=str(error), code=error.code)
    except (BadZipFile, NotImplementedError, UnicodeError, OSError) as error:
        yield Entry(path, problem=str(DAMAGED) % {"reason": error}, code="damaged")


def _read(archive: ZipFile, entry: ZipInfo) -> bytes:
    """Raises ImageRejected."""
    _check(entry)
    try:
        with archive.open(entry) as file:
            return file.read(settings.MAX_IMAGE_BYTES + 1)
    except (BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeError, OSError) as error:
        raise ImageRejected("damaged", DAMAGED, reason=error) from error


def _check(entry: ZipInfo) -> None:
    check_name(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == UNIX else 0
    if kind not in (0, stat.S_IFREG):
        raise not_a_plain_file()
    if entry.flag_bits & ENCRYPTED:
        raise ImageRejected("encrypted", _("This entry is encrypted. Extract the archive and import the files."))
    # Others may ask for gigabytes of memory, and nobody packs pictures with them.
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        text = _("This entry uses an unsupported compression method. Extract the archive and import the files.")
        raise ImageRejected("unreadable", text)
    check_size(entry.file_size)
