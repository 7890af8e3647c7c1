"""Pictures in a tar, plain or gzipped, read once from front to back; sidecars.py says what belongs to them."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator

from django.utils.translation import gettext_lazy

from gallery.exceptions import ImageRejected
from gallery.imports.bounded_reader import BoundedReader, is_gzip, open_bounded
from gallery.imports.entry import Entry, check_name, check_size, is_hidden, not_a_plain_file
from gallery.imports.sidecars import SIDECARS, Sample, split_name

MAX_SIDECAR = 1_000_000  # bytes
DAMAGED = gettext_lazy("The tar archive is damaged or truncated: %(reason)s. The rest of it was not read.")


def entries(path: str) -> Iterator[Entry]:
    """Its files, but for hidden ones."""
    sample, problem = Sample(""), None
    try:
        with open_bounded(path, gz=is_gzip(path)) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in members(archive, file):
                name = f"{path}/{member.name}"
                key, end = split_name(name)
                # A new key, or more pictures under one key than memory should hold.
                if key != sample.key or sample.full:
                    yield from sample.entries()
                    sample = Sample(key) if key != sample.key else sample
                try:
                    sample.add(name, end, _data(archive, member, end))
                except ImageRejected as error:
                    yield Entry(name, problem=str(error), code=error.code)
    except ImageRejected as error:
        problem = Entry(path, problem=str(error), code=error.code)
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OSError) as error:
        problem = Entry(path, problem=str(DAMAGED) % {"reason": error}, code="damaged")
    yield from sample.entries()
    if problem:
        yield problem


def members(archive: tarfile.TarFile, file: BoundedReader) -> Iterator[tarfile.TarInfo]:
    """Its entries but folders and hidden ones. Raises HeaderError if it ends before its end.

    ``TarFile.next`` would hold all entries in memory, and takes a damaged header for the end.
    """
    archive.offset = 0
    while True:
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE):
            return
        file.seek(archive.offset)
        member = tarfile.TarInfo.fromtarfile(archive)
        if not member.isdir() and not is_hidden(member.name):
            yield member


def _data(archive: tarfile.TarFile, member: tarfile.TarInfo, end: str) -> bytes:
    """All bytes of the entry. Raises ImageRejected, or what tarfile raises if the archive is cut off."""
    # Sparse files claim any size for a few bytes of archive.
    if not member.isreg() or member.sparse is not None:
        raise not_a_plain_file()
    check_name(member.name)
    check_size(member.size)
    if end in SIDECARS and member.size > MAX_SIDECAR:
        text = gettext_lazy("This entry has %(size)s bytes; the limit is %(most)s.")
        raise ImageRejected("too_large", text, size=member.size, most=MAX_SIDECAR)
    file = archive.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise tarfile.ReadError("unexpected end of data")
    return data
