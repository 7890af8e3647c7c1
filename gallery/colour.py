"""Any Pillow mode -> sRGB: transparency, deep greys, CMYK, LAB and embedded colour profiles."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Range = tuple[float, float]

# Modes with one grey value of more than 8 bits a pixel.
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_BITS_PER_SAMPLE = 258  # TIFF tag
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def grey_range(image: Image.Image) -> Range:
    """The values that stand for black and white.

    For ``DEEP`` modes the nominal range of the kind where all values lie within (0..1 and 0..255
    for floats, 16 bits for integers), so that copies of a picture look alike; else the least and largest value.
    """
    if image.mode not in DEEP:
        return 0, 255
    if image.mode.startswith("I;16"):
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))
        return 0, 2 ** min(bits[0], 16) - 1
    low, high = (float(end) for end in _extremes(image))
    for bound in (1, 255) if image.mode == "F" else (65535,):
        if low >= 0 and high <= bound:
            return 0, bound
    # NaN and infinity make the comparisons above false.
    return (low, high) if np.isfinite(high - low) else (0, 1)


def flatten(image: Image.Image, grey: Range) -> Image.Image:
    """An opaque L, RGB or CMYK picture of the same size, still in its own colour profile."""
    if image.mode in DEEP:
        return _deep_to_grey(image, grey)
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "LAB":
        return _lab_to_srgb(image)
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB, through the embedded ICC profile; a profile that is broken or of another mode is ignored."""
    if profile:
        try:
            return _through(ImageCms.ImageCmsProfile(io.BytesIO(profile)), image)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass
    return image.convert("RGB")


def _extremes(image: Image.Image) -> Range:
    low, high = image.getextrema()
    if isinstance(low, tuple) or isinstance(high, tuple):
        raise TypeError("a picture with one band is expected")
    return low, high


def _deep_to_grey(image: Image.Image, grey: Range) -> Image.Image:
    """8 bits; values beyond the range are clipped, NaN is black."""
    low, high = grey
    values = np.asarray(image).astype(np.float32)
    scaled = (values - low) * (255 / max(high - low, 1e-30))
    pixels: npt.NDArray[np.uint8] = np.nan_to_num(np.clip(scaled, 0, 255)).round().astype(np.uint8)
    return Image.fromarray(pixels)


def _on_white(image: Image.Image) -> Image.Image:
    """As browsers show it on a white page."""
    with_alpha = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(with_alpha.convert("RGB"), mask=with_alpha.getchannel("A"))
    return page


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    return _through(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), image)


def _through(profile: ImageCms.ImageCmsProfile, image: Image.Image) -> Image.Image:
    """From the profile to sRGB; relative colorimetric with black point compensation, as browsers and Photoshop do."""
    transform = ImageCms.buildTransform(
        profile,
        _SRGB,
        image.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return transform.apply(image)
