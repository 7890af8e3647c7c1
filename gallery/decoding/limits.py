"""What is too much: for memory, for time, or for a picture. Each check comes before the work that it spares."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _
from PIL import Image

from gallery.decoding.formats import JPEGS, PEAK_BYTES, peak_bytes
from gallery.exceptions import ImageRejected

# Pixels times scans of a progressive JPEG: a few seconds. The scans are counted over all bytes, so that a film behind
# the picture adds chance hits; the number leaves room for them.
MAX_SCANNED_PIXELS = 10_000_000_000


@dataclass(frozen=True)
class Limits:
    """What is taken, and how large its pixels come out. Counts are of the file's own pixels.

    ``max_memory`` is in bytes, for the decoder only, and for all threads of a process together. Pillow's
    own guard (twice ``Image.MAX_IMAGE_PIXELS``, 178 million pixels) holds besides ``max_pixels``.
    """

    max_bytes: int = 50_000_000
    max_pixels: int = 120_000_000
    max_frames: int = 1_000
    max_memory: int = 900_000_000
    working_side: int = 1024


DEFAULT_LIMITS = Limits()


class LimitedReads(io.BytesIO):
    """A file that refuses to be read in too many small pieces: Pillow walks blocks, chunks and frames in Python."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        # Enough to walk a sound GIF, the format of the smallest blocks: two reads for 256 bytes.
        self.reads_left = 100_000 + len(data) // 100

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise ImageRejected("damaged", _("The file is made up of too many small pieces. Save it again."))
        return super().read(size)

    def allow_pixels(self) -> None:
        """Call before the pixels are decoded: those of run-length BMP are read byte by byte."""
        self.reads_left = 2_000_000


def check_bytes(data: bytes, limits: Limits) -> None:
    """Raises ImageRejected."""
    if not data:
        raise ImageRejected("empty", _("The file is empty."))
    if len(data) > limits.max_bytes:
        raise too_large(len(data), limits.max_bytes)


def check_icon(data: bytes, limits: Limits) -> None:
    """Raises ImageRejected. Pillow decodes icons while it opens them, so the sizes inside are read before.

    An icon is a header, entries of 16 bytes that end with an offset, and a PNG or BMP at each offset.
    """
    if not data.startswith(b"\0\0\1\0"):
        return
    for entry in range(struct.unpack_from("<H", data, 4)[0]):
        (offset,) = struct.unpack_from("<I", data, 6 + 16 * entry + 12)
        header = data[offset : offset + 24]
        if len(header) == 24:
            is_png = header.startswith(b"\x89PNG")
            width, height = struct.unpack_from(">II" if is_png else "<ii", header, 16 if is_png else 4)
            check_pixels("ICO", abs(width), abs(height), limits)


def check_pixels(format_name: str | None, width: int, height: int, limits: Limits) -> None:
    """Raises ImageRejected."""
    if width * height > limits.max_pixels or peak_bytes(format_name, width, height) > limits.max_memory:
        raise too_many_pixels(limits, PEAK_BYTES[format_name or "PNG"])


def check_scans(data: bytes, image: Image.Image) -> None:
    """Raises ImageRejected. A progressive JPEG can have every pixel worked on again, for a few hundred bytes a time."""
    if image.format in JPEGS:
        scans = data.count(b"\xff\xda")
        if scans * image.width * image.height > MAX_SCANNED_PIXELS:
            raise ImageRejected(
                "damaged", _("The JPEG has too many scans. Save it again without the “progressive” option.")
            )


def check_frames(frames: int, limits: Limits) -> None:
    """Raises ImageRejected."""
    if frames > limits.max_frames:
        text = _("The animation has %(frames)s frames; the limit is %(most)s.")
        raise ImageRejected("too_many_frames", text, frames=frames, most=limits.max_frames)


def too_large(size: int, most: int) -> ImageRejected:
    """For a file of so many bytes, where ``most`` are taken."""
    text = _("The file has %(size)s bytes; the limit is %(most)s.")
    return ImageRejected("too_large", text, size=size, most=most)


def too_many_pixels(limits: Limits, bytes_per_pixel: int = 1) -> ImageRejected:
    """For a picture whose decoder needs so many bytes a pixel."""
    most = min(limits.max_pixels, limits.max_memory // bytes_per_pixel) // 1_000_000
    text = _("The picture has too many pixels; the limit is %(most)s megapixels.")
    return ImageRejected("too_many_pixels", text, most=most)
