"""Pixels of an opened picture, decoded and scaled down with little memory."""

from __future__ import annotations

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from gallery.colour import flatten, grey_range
from gallery.decoding.formats import DECODER_ERRORS, JPEGS

# Pictures are reduced in bands of this many pixels, so that no second full-size copy is made.
BAND_PIXELS = 4_000_000

Size = tuple[int, int]  # width, height


def load(image: Image.Image, side: int) -> Size:
    """Decode the pixels, at less than full size where the codec can; returns the size before any reduction."""
    size = image.size
    if image.format in JPEGS and max(size) > side:
        # libjpeg then leaves out high frequencies, instead of pixels that are averaged away later.
        image.draft(None, bounded(size, side))
        image.load()
        return size
    _load_all(image)
    return image.size  # TIFF is turned upright as it loads


def bounded(size: Size, side: int) -> Size:
    """The size with its longer side at most ``side``, its shape preserved, neither side 0."""
    width, height = size
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(image: Image.Image, target: Size) -> Image.Image:
    """Opaque L, RGB or CMYK of size ``target``: averaged to about twice that, then resized with Lanczos."""
    if target == image.size:
        return flatten(image, grey_range(image))
    width, height = image.size
    across, down = max(1, width // (2 * target[0])), max(1, height // (2 * target[1]))
    reduced = _reduce(image, across, down)
    return reduced.resize(target, Image.Resampling.LANCZOS, (0, 0, width / across, height / down))


def _load_all(image: Image.Image) -> None:
    try:
        image.load()
    except DECODER_ERRORS:
        # A PNG whose every tile was reached is shown as browsers show it: its damage is in or behind its last rows.
        if not isinstance(image, PngImageFile) or image.tile:
            raise
        image.load()


def _reduce(image: Image.Image, across: int, down: int) -> Image.Image:
    """Flattened, then each block of ``across`` x ``down`` pixels averaged, band by band to save memory."""
    width, height = image.size
    grey = grey_range(image)
    rows = max(1, BAND_PIXELS // (width * down)) * down
    bands = []
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        bands.append(flatten(band, grey).reduce((across, down)))
    reduced = Image.new(bands[0].mode, (bands[0].width, sum(band.height for band in bands)))
    for index, band in enumerate(bands):
        reduced.paste(band, (0, index * rows // down))
    return reduced
