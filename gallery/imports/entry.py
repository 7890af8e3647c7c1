"""What a source gives: something that may be a picture, and how to read its bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from gallery.decoding.limits import too_large
from gallery.exceptions import ImageRejected

MACOS_FOLDER = "__MACOSX"  # macOS adds it to its zips; its files look like pictures by their names


def _nothing() -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to import, or a ``problem`` for people, with its stable ``code``, where there is nothing to import.

    ``read`` returns the bytes, at most MAX_IMAGE_BYTES and one more; it raises OSError or GalleryError.
    ``origin`` is set if reading goes over the network: a name of these very bytes, for FetchHistory.
    """

    path: str
    read: Callable[[], bytes] = _nothing
    problem: str = ""
    code: str = "unreadable"
    file_name: str = ""
    title: str = ""
    tags: tuple[str, ...] = ()
    origin: str = ""


def check_size(size: int) -> None:
    """Raises ImageRejected if a file is too large to be read."""
    if size > settings.MAX_IMAGE_BYTES:
        raise too_large(size, settings.MAX_IMAGE_BYTES)


def check_name(name: str) -> None:
    """Raises ImageRejected for an entry of an archive that would lead out of it.

    Nothing is unpacked by name, but an archive with such an entry is an attack or damaged.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        raise ImageRejected(
            "bad_name", _("The path of this entry points outside the archive. Create the archive again.")
        )


def not_a_plain_file() -> ImageRejected:
    """For folders, links, pipes and devices."""
    return ImageRejected("not_an_image", _("This is not a regular file."))


def is_hidden(name: str) -> bool:
    """Whether the entry, or a folder that it is in, is hidden."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(part == MACOS_FOLDER or (part.startswith(".") and part not in {".", ".."}) for part in parts)
