"""The formats that are taken, and what their decoders do with broken files."""

from __future__ import annotations

import struct
import warnings
import zlib

from django.utils.translation import gettext_lazy as _
from PIL import Image
from pillow_heif import register_heif_opener

from gallery.exceptions import ImageRejected

# Format -> bytes a pixel that decoding needs at its peak (measured; the codec's own buffers weigh more than the
# picture). Not among them: what runs an interpreter (PostScript, WMF), and what Pillow decodes in Python, a pixel at a
# time (QOI, XPM, ...).
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
# Pillow opens MPO as JPEG and recognizes it then.
OPENERS = tuple(name for name in PEAK_BYTES if name != "MPO")
JPEGS = ("JPEG", "MPO")

# How files of formats that are not taken begin, so that the message can name the format.
UNSUPPORTED = (
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
DECODER_ERRORS = (
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

register_heif_opener()
Image.init()
# Odd files are usual: either they are decoded, or they are rejected with a reason. Once for the process, since a
# filter around each call would race between threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def peak_bytes(format_name: str | None, width: int, height: int) -> int:
    """Bytes that decoding so many pixels needs at its peak."""
    return width * height * PEAK_BYTES[format_name or "PNG"]


def unknown_format(data: bytes) -> ImageRejected:
    """For bytes that no opener takes: with code ``unsupported`` if the format is known, else ``not_an_image``."""
    start = data[:64].lstrip(b"\xef\xbb\xbf\r\n\t ")
    for signature, name in UNSUPPORTED:
        if start.startswith(signature):
            text = _("%(format)s files are not supported. Save the picture as PNG or JPEG.")
            return ImageRejected("unsupported", text, format=name)
    return ImageRejected("not_an_image", _("This is not a picture, or the file is damaged."))
