"""Transparency, deep greys, CMYK, LAB and colour profiles on their way to sRGB."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from gallery.colour import flatten
from gallery.decoding import Decoded, decode
from tests.support.images import encode, scene


def one_colour(decoded: Decoded) -> list[int]:
    return [int(value) for value in np.median(decoded.pixels.reshape(-1, 3), axis=0)]


def swapped_profile() -> bytes:
    """sRGB with its red and blue primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    table = profile[128:400].replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    return profile[:128] + table + profile[400:]


def test_an_embedded_profile_is_applied() -> None:
    red = Image.new("RGB", (40, 40), (250, 0, 0))
    assert one_colour(decode(encode(red, "PNG"))) == [250, 0, 0]
    red_value, green_value, blue_value = one_colour(decode(encode(red, "PNG", icc_profile=swapped_profile())))
    assert blue_value > 240
    assert max(red_value, green_value) < 20


def test_an_srgb_profile_changes_nothing_that_can_be_seen() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    decoded = decode(encode(scene(), "PNG", icc_profile=profile))
    assert np.abs(decoded.pixels.astype(int) - scene()).max() <= 2


@pytest.mark.parametrize("profile", [b"not a profile", swapped_profile()[:200]])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    np.testing.assert_array_equal(decode(encode(scene(), "PNG", icc_profile=profile)).pixels, scene())


def test_a_profile_for_other_modes_is_ignored() -> None:
    grey = Image.fromarray(scene()).convert("L")
    decoded = decode(encode(grey, "PNG", icc_profile=swapped_profile()))
    np.testing.assert_array_equal(decoded.pixels, np.asarray(grey.convert("RGB")))


@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "TIFF", "ICO"])
def test_transparency_becomes_white_whatever_colour_hides_there(format_name: str) -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 32, 64))
    options: dict[str, Any] = {"WEBP": {"lossless": True, "exact": True}}.get(format_name, {})
    pixels = decode(encode(image, format_name, **options)).pixels
    assert pixels[32, 10].tolist() == [0, 0, 255]
    assert pixels[32, 50].tolist() == [255, 255, 255]


def test_half_transparent_colour_is_mixed_with_white() -> None:
    assert one_colour(decode(encode(Image.new("RGBA", (8, 8), (0, 0, 0, 128)), "PNG"))) == [127, 127, 127]


def test_hidden_colours_do_not_bleed_when_scaled_down() -> None:
    image = Image.new("RGBA", (4096, 512), (255, 0, 0, 0))
    for left in range(0, 4096, 4):
        image.paste((0, 0, 255, 255), (left, 0, left + 2, 512))
    pixels = decode(encode(image, "PNG")).pixels
    assert pixels[..., 2].min() == 255
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 1])


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBa", "La"])
def test_rarer_modes_with_alpha_become_white_where_transparent(mode: str) -> None:
    transparent = Image.new(mode, (4, 4))
    assert np.asarray(flatten(transparent, (0, 255))).min() == 255


def test_a_transparent_palette_entry_becomes_white() -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([255, 0, 0, 0, 128, 0])
    image.paste(0, (0, 0, 10, 20))
    for data in (encode(image, "GIF", transparency=0), encode(image, "PNG", transparency=0)):
        pixels = decode(data).pixels
        assert pixels[10, 5].tolist() == [255, 255, 255]
        assert pixels[10, 15].tolist() == [0, 128, 0]


def test_one_bit_pictures_are_black_and_white() -> None:
    image = Image.fromarray(scene()).convert("1")
    np.testing.assert_array_equal(decode(encode(image, "PNG")).pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("format_name", ["JPEG", "TIFF"])
def test_cmyk_comes_out_in_its_colours(format_name: str) -> None:
    image = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    red, green, blue = one_colour(decode(encode(image, format_name)))
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "JPEG2000"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(format_name: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    decoded = decode(encode(Image.fromarray(np.tile(ramp, (64, 1))), format_name))
    expected = np.repeat(np.arange(256)[:, None], 3, axis=1)
    assert np.abs(decoded.pixels[32].astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("values", "middle"),
    [
        (np.array([0, 0.5, 1], np.float32), 128),
        (np.array([0, 51, 255], np.float32), 51),
        (np.array([-10, 0, 990], np.float32), 3),
    ],
)
def test_floats_are_scaled_by_the_range_they_use(values: Any, middle: int) -> None:
    pixels = decode(encode(Image.fromarray(np.tile(values, (4, 1))), "TIFF")).pixels
    assert pixels[0, :, 0].tolist() == [0, middle, 255]


def test_a_float_picture_with_nan_decodes() -> None:
    values = np.array([[np.nan, 0.5, np.inf, 0.25]], np.float32)
    assert decode(encode(Image.fromarray(values), "TIFF")).pixels.shape == (1, 4, 3)


def test_whole_numbers_of_32_bits_are_scaled() -> None:
    small = np.array([[0, 32768, 65535]], np.int32)
    wide = np.array([[-(10**9), 0, 10**9]], np.int32)
    for values in (small, wide):
        assert decode(encode(Image.fromarray(values), "TIFF")).pixels[0, :, 0].tolist() == [0, 128, 255]


def test_lab_comes_out_in_its_colours() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = to_lab.apply(Image.new("RGB", (16, 16), (200, 40, 90)))
    assert np.abs(np.array(one_colour(decode(encode(lab, "TIFF")))) - (200, 40, 90)).max() <= 8
