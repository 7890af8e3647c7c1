"""Pictures in a tar, plain or gzipped, read once from front to back.

As in a webdataset, neighbours whose names are alike up to the first dot belong together: ``key.txt`` is the caption of
``key.jpg``, and ``key.json`` may have ``title`` (or ``caption``) and ``tags``.
"""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy

from gallery.exceptions import ImageRejected
from gallery.imports.bounded import Bounded, is_gz, open_bounded
from gallery.imports.found import Found, check_name, check_size, is_hidden, no_plain_file

TOLD_BY = ("txt", "json")  # what tells about a picture, by the end of its name
MOST_TOLD = 1_000_000  # bytes
MOST_TAGS = 100
DAMAGED = gettext_lazy("The tar is damaged or cut off: %(reason)s. What comes behind that was not read.")


@dataclass(slots=True)
class Sample:
    """Neighbours that belong together; the bytes of its pictures are held until all is known of them."""

    key: str
    pictures: list[tuple[str, bytes]] = field(default_factory=list)
    told: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # by the end of the name

    @property
    def full(self) -> bool:
        held = sum(len(data) for _, data in self.pictures)
        return bool(held > settings.MAX_IMAGE_BYTES)

    def add(self, name: str, end: str, data: bytes) -> None:
        if end in TOLD_BY:
            self.told[end] = (name, data)
        else:
            self.pictures.append((name, data))

    def found(self) -> Iterator[Found]:
        """Its pictures, with what is told of them. What tells of no picture is tried as one."""
        if not self.pictures:
            self.pictures = list(self.told.values())
            self.told = {}
        about, problem = self._about()
        for name, data in self.pictures:
            yield Found(name, partial(bytes, data), title=_title(about), tags=_tags(about))
        if problem:
            yield problem
        self.pictures = []

    def _about(self) -> tuple[Mapping[str, Any], Found | None]:
        _, caption = self.told.get("txt", ("", b""))
        about: dict[str, Any] = {"caption": caption.decode(errors="replace").strip()} if caption else {}
        if "json" not in self.told:
            return about, None
        name, written = self.told["json"]
        try:
            read = json.loads(written)
        except (ValueError, RecursionError):
            return about, Found(name, problem="This is no JSON; the picture is imported without it.", code="damaged")
        return (read | about if isinstance(read, dict) else about), None


def find(path: str) -> Iterator[Found]:
    """Its files, but for hidden ones."""
    sample, problem = Sample(""), None
    try:
        with open_bounded(path, gz=is_gz(path)) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in members(archive, file):
                key, end = _split(f"{path}/{member.name}")
                if key != sample.key or sample.full:
                    yield from sample.found()
                    sample = Sample(key) if key != sample.key else sample
                try:
                    sample.add(f"{path}/{member.name}", end, _data(archive, member, end))
                except ImageRejected as error:
                    yield Found(f"{path}/{member.name}", problem=str(error), code=error.code)
    except ImageRejected as error:
        problem = Found(path, problem=str(error), code=error.code)
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OSError) as error:
        problem = Found(path, problem=str(DAMAGED) % {"reason": error}, code="damaged")
    yield from sample.found()
    if problem:
        yield problem


def members(archive: tarfile.TarFile, file: Bounded) -> Iterator[tarfile.TarInfo]:
    """Its entries but folders and hidden ones. Raises HeaderError if it ends before its end.

    ``TarFile.next`` would keep all entries in memory, and takes a damaged header for the end.
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
    """All that the entry has. Raises ImageRejected, or what tarfile raises if the archive is cut off."""
    if not member.isreg() or member.sparse is not None:
        raise no_plain_file()
    check_name(member.name)
    check_size(member.size)
    if end in TOLD_BY and member.size > MOST_TOLD:
        text = gettext_lazy("This has %(size)s bytes; at most %(most)s are read.")
        raise ImageRejected("too_large", text, size=member.size, most=MOST_TOLD)
    file = archive.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise tarfile.ReadError("unexpected end of data")
    return data


def _split(name: str) -> tuple[str, str]:
    """Name -> what is up to the first dot of its last part, and the end behind it, in lower case."""
    folder, _, last = name.rpartition("/")
    key, _, end = last.partition(".")
    return f"{folder}/{key}", end.lower()


def _title(about: Mapping[str, Any]) -> str:
    found = about.get("title") or about.get("caption")
    return found if isinstance(found, str) else ""


def _tags(about: Mapping[str, Any]) -> tuple[str, ...]:
    """A list of words, or words separated by commas."""
    found = about.get("tags")
    words = found.split(",") if isinstance(found, str) else found if isinstance(found, list) else []
    return tuple(word for word in words[:MOST_TAGS] if isinstance(word, str))
