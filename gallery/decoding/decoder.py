"""The decoder: checks, pixels, colours and orientation, in the order that spends least on what is rejected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext_lazy as _
from PIL import Image, UnidentifiedImageError

from gallery.colour import to_srgb
from gallery.decoding.formats import DECODER_ERRORS, OPENERS, peak_bytes, unknown_format
from gallery.decoding.limits import (
    DEFAULT_LIMITS,
    LimitedReads,
    Limits,
    check_bytes,
    check_frames,
    check_icon,
    check_pixels,
    check_scans,
    too_many_pixels,
)
from gallery.decoding.memory import MemoryBudget
from gallery.decoding.scaling import bounded, load, shrink
from gallery.exceptions import ImageRejected
from gallery.metadata import Metadata, read_metadata, read_orientation

# EXIF orientation -> what makes the picture upright (EXIF 2.32, tag 0x0112).
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # those that swap width and height

MEMORY = MemoryBudget()


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
    check_bytes(data, limits)
    with _rejecting_broken(data, limits):
        check_icon(data, limits)
        file = LimitedReads(data)
        image = Image.open(file, formats=OPENERS)  # reads headers only, but for icons
        check_pixels(image.format, *image.size, limits)
        check_scans(data, image)
        frames = getattr(image, "n_frames", 1)
        check_frames(frames, limits)
        file.allow_pixels()
        with MEMORY.reserved(peak_bytes(image.format, *image.size), limits.max_memory):
            width, height = load(image, limits.working_side)
            # Still inside: the full-size pixels are let go of when they have been shrunk.
            small = shrink(image, bounded((width, height), limits.working_side))
    upright = to_srgb(small, image.info.get("icc_profile"))
    orientation = read_orientation(image)
    if orientation in UPRIGHT:
        upright = upright.transpose(UPRIGHT[orientation])
    if orientation in SIDEWAYS:
        width, height = height, width
    return Decoded(np.array(upright), image.format or "", width, height, frames, read_metadata(image))


@contextmanager
def _rejecting_broken(data: bytes, limits: Limits) -> Iterator[None]:
    """Whatever Pillow raises, as ImageRejected."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise unknown_format(data) from error
    except (Image.DecompressionBombError, MemoryError) as error:
        raise too_many_pixels(limits) from error
    except DECODER_ERRORS as error:
        text = _("The picture is damaged or incomplete. Save it again and try once more.")
        raise ImageRejected("damaged", text) from error
