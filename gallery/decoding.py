"""Bytes of any picture -> upright sRGB pixels of a bounded size, or ``ImageRejected``."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext_lazy as _
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from pillow_heif import register_heif_opener

from gallery.admission import Room
from gallery.colour import flatten, grey_range, to_srgb
from gallery.exceptions import ImageRejected
from gallery.metadata import Metadata, read_metadata, read_orientation

# The formats taken, with the bytes a pixel that decoding one needs at its peak (measured; the
# codec's own buffers weigh more than the picture). Not among them: what runs an interpreter
# (PostScript, WMF) and what Pillow decodes in Python, a pixel at a time (QOI, XPM, ...).
PEAK_BYTES = {
    "JPEG": 7,
    "PNG": 5,
    "GIF": 2,
    "WEBP": 18,
    "AVIF": 12,
    "HEIF": 9,
    "MPO": 7,
    "TIFF": 10,
    "BMP": 5,
    "PPM": 5,
    "JPEG2000": 20,
    "ICO": 9,
    "TGA": 5,
}
# MPO has no opener of its own: the one of JPEG finds it.
FORMATS = tuple(name for name in PEAK_BYTES if name != "MPO")

KNOWN_BUT_NOT_TAKEN = (
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"<svg", "SVG"),
    (b"<?xml", "SVG and XML"),
    (b"qoif", "QOI"),
)

# What Pillow raises for broken files of these formats, found by damaging real ones at random.
BROKEN = (
    ArithmeticError,
    AssertionError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)

# Pictures are scaled in bands of this many pixels, so that no second full-size copy is made.
BAND_PIXELS = 4_000_000

MEMORY = Room()

# A few seconds. Counted over all bytes, so a film behind the picture adds chance hits: room is left.
MOST_SCANNED_PIXELS = 10_000_000_000

register_heif_opener()
Image.init()
# Odd files are daily bread here: either they decode or they are rejected with a reason. Once for
# the process, since a filter set around each call would race between threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Limits:
    """What is taken, and how large its pixels come out. Counts are of the file's own pixels.

    ``max_memory`` is in bytes, for the decoder alone, and for all threads of a process together. Pillow's
    own guard (twice ``Image.MAX_IMAGE_PIXELS``, 178 million pixels) holds beside ``max_pixels``.
    """

    max_bytes: int = 50_000_000
    max_pixels: int = 120_000_000
    max_frames: int = 1_000
    max_memory: int = 900_000_000
    working_side: int = 1024


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Decoded:
    """``pixels`` is (h, w, 3) uint8 sRGB, upright; ``width`` and ``height`` are the file's own, upright."""

    pixels: npt.NDArray[np.uint8]
    format: str
    width: int
    height: int
    frames: int
    metadata: Metadata


def decode(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Decoded:
    """The first frame of the picture in ``data``, its longest side at most ``limits.working_side``.

    Raises ImageRejected with code empty, too_large, too_many_pixels, too_many_frames,
    not_an_image, unsupported or damaged; and Busy, if the memory for it does not become free in time.
    """
    _check_bytes(data, limits)
    with _rejecting_what_is_broken(data, limits):
        _check_icon(data, limits)
        file = _Frugal(data)
        image = Image.open(file, formats=FORMATS)
        _check_pixels(image.format, *image.size, limits)
        _check_scans(data, image)
        frames = getattr(image, "n_frames", 1)
        _check_frames(frames, limits)
        file.allow_pixels()
        with MEMORY.taken(_peak(image.format, *image.size), limits.max_memory):
            width, height = _load(image, limits.working_side)
            small = _shrink(image, _bounded(width, height, limits.working_side))
    upright = to_srgb(small, image.info.get("icc_profile"))
    orientation = read_orientation(image)
    if orientation in UPRIGHT:
        upright = upright.transpose(UPRIGHT[orientation])
    if orientation in SIDEWAYS:
        width, height = height, width
    return Decoded(np.array(upright), image.format or "", width, height, frames, read_metadata(image))


@contextmanager
def _rejecting_what_is_broken(data: bytes, limits: Limits) -> Iterator[None]:
    """Whatever Pillow raises, as ImageRejected."""
    try:
        yield
    except UnidentifiedImageError:
        _reject_unknown(data)
    except (Image.DecompressionBombError, MemoryError) as error:
        raise _too_many_pixels(limits) from error
    except BROKEN as error:
        text = _("The picture is damaged or incomplete. Save it again and retry.")
        raise ImageRejected("damaged", text) from error


class _Frugal(io.BytesIO):
    """A file that refuses to be read in too many crumbs: Pillow walks blocks, chunks and frames in Python."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        # Enough to walk a sound GIF, the format of the smallest blocks: two reads for 256 bytes.
        self.reads_left = 100_000 + len(data) // 100

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise ImageRejected("damaged", _("The picture is built from too many small pieces. Save it again."))
        return super().read(size)

    def allow_pixels(self) -> None:
        """Run-length BMP pixels are read byte by byte."""
        self.reads_left = 2_000_000


def too_large(size: int, most: int) -> ImageRejected:
    """For a file of so many bytes, where ``most`` are taken."""
    text = _("The file has %(size)s bytes; at most %(most)s are taken.")
    return ImageRejected("too_large", text, size=size, most=most)


def _check_bytes(data: bytes, limits: Limits) -> None:
    if not data:
        raise ImageRejected("empty", _("The file is empty."))
    if len(data) > limits.max_bytes:
        raise too_large(len(data), limits.max_bytes)


def _check_icon(data: bytes, limits: Limits) -> None:
    """Pillow decodes icons while it opens them, so the sizes of the pictures inside are read here."""
    if not data.startswith(b"\0\0\1\0"):
        return
    for entry in range(struct.unpack_from("<H", data, 4)[0]):
        (offset,) = struct.unpack_from("<I", data, 6 + 16 * entry + 12)
        header = data[offset : offset + 24]
        if len(header) == 24:
            is_png = header.startswith(b"\x89PNG")
            width, height = struct.unpack_from(">II" if is_png else "<ii", header, 16 if is_png else 4)
            _check_pixels("ICO", abs(width), abs(height), limits)


def _check_pixels(format_name: str | None, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels or _peak(format_name, width, height) > limits.max_memory:
        raise _too_many_pixels(limits, PEAK_BYTES[format_name or "PNG"])


def _peak(format_name: str | None, width: int, height: int) -> int:
    """Bytes that decoding needs."""
    return width * height * PEAK_BYTES[format_name or "PNG"]


def _too_many_pixels(limits: Limits, weight: int = 1) -> ImageRejected:
    most = min(limits.max_pixels, limits.max_memory // weight) // 1_000_000
    text = _("The picture has too many pixels; at most %(most)s megapixels are taken.")
    return ImageRejected("too_many_pixels", text, most=most)


def _check_scans(data: bytes, image: Image.Image) -> None:
    """A progressive JPEG can have each pixel worked on again and again, for a few hundred bytes a time."""
    if image.format in ("JPEG", "MPO"):
        scans = data.count(b"\xff\xda")
        if scans * image.width * image.height > MOST_SCANNED_PIXELS:
            raise ImageRejected("damaged", _("The picture has too many scans. Save it again as a plain JPEG."))


def _check_frames(frames: int, limits: Limits) -> None:
    if frames > limits.max_frames:
        text = _("The animation has %(frames)s frames; at most %(most)s are taken.")
        raise ImageRejected("too_many_frames", text, frames=frames, most=limits.max_frames)


def _reject_unknown(data: bytes) -> NoReturn:
    start = data[:64].lstrip(b"\xef\xbb\xbf\r\n\t ")
    for signature, name in KNOWN_BUT_NOT_TAKEN:
        if start.startswith(signature):
            text = _("%(format)s files are not taken. Save it as PNG or JPEG.")
            raise ImageRejected("unsupported", text, format=name)
    raise ImageRejected("not_an_image", _("This is not a picture, or its first bytes are damaged."))


def _load(image: Image.Image, side: int) -> tuple[int, int]:
    """Decode the pixels, and tell the size before any reduction."""
    size = image.size
    if image.format in ("JPEG", "MPO") and max(size) > side:
        # libjpeg then leaves out high frequencies, instead of pixels that are averaged away later.
        image.draft(None, _bounded(*size, side))
        image.load()
        return size
    _load_pixels(image)
    # TIFF is turned upright as it loads.
    return image.size


def _load_pixels(image: Image.Image) -> None:
    try:
        image.load()
    except BROKEN:
        # A PNG with no tile left to do is kept as browsers show it: its damage is in or behind its last rows.
        if not isinstance(image, PngImageFile) or image.tile:
            raise
        image.load()


def _bounded(width: int, height: int, side: int) -> tuple[int, int]:
    """The size with its longer side at most ``side``, its shape kept, neither side 0."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _shrink(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """Opaque L, RGB or CMYK of size ``target``: averaged to about twice that, then Lanczos."""
    if target == image.size:
        return flatten(image, grey_range(image))
    width, height = image.size
    across, down = max(1, width // (2 * target[0])), max(1, height // (2 * target[1]))
    reduced = _reduce(image, across, down)
    return reduced.resize(target, Image.Resampling.LANCZOS, (0, 0, width / across, height / down))


def _reduce(image: Image.Image, across: int, down: int) -> Image.Image:
    """Flattened, then each block of ``across`` x ``down`` pixels averaged, band by band to save memory."""
    width, height = image.size
    grey = grey_range(image)
    rows = max(1, BAND_PIXELS // (width * down)) * down
    bands = []
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        bands.append(flatten(band, grey).reduce((across, down)))
    whole = Image.new(bands[0].mode, (bands[0].width, sum(band.height for band in bands)))
    for index, band in enumerate(bands):
        whole.paste(band, (0, index * rows // down))
    return whole
