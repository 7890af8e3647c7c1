"""What comes out of gallery/decoding/ for every kind of picture, drawn by code."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from gallery.decoding import Decoded, Limits, decode
from gallery.exceptions import ImageRejected
from tests.support.images import Pixels, bad_files, encode, html_polyglot, many_frames, scene
from tests.support.paths import ROOT
from tests.support.waiting import DEADLINE

BAD_FILES = bad_files()
TO_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def difference(left: Pixels, right: Pixels) -> float:
    """Mean absolute difference of two pictures of one shape."""
    assert left.shape == right.shape
    return float(np.abs(left.astype(int) - right.astype(int)).mean())


def one_colour(decoded: Decoded) -> list[int]:
    return [int(value) for value in np.median(decoded.pixels.reshape(-1, 3), axis=0)]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30, "subsampling": 0}])
def test_a_small_jpeg_has_the_very_pixels_that_pillow_gives(options: dict[str, Any]) -> None:
    data = encode(scene(), "JPEG", **options)
    decoded = decode(data)
    np.testing.assert_array_equal(decoded.pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert (decoded.format, decoded.width, decoded.height, decoded.frames) == ("JPEG", 320, 240, 1)
    assert decoded.pixels.dtype == np.uint8


@pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF", "PPM", "TGA", "WEBP", "JPEG2000"])
def test_formats_without_loss_come_out_as_they_went_in(format_name: str) -> None:
    options = {"lossless": True} if format_name == "WEBP" else {}
    decoded = decode(encode(scene(), format_name, **options))
    np.testing.assert_array_equal(decoded.pixels, scene())
    assert decoded.format == format_name


@pytest.mark.parametrize("format_name", ["AVIF", "HEIF"])
def test_the_formats_of_phones_are_taken(format_name: str) -> None:
    decoded = decode(encode(scene(), format_name, quality=90))
    assert difference(decoded.pixels, scene()) < 6
    assert (decoded.format, decoded.width, decoded.height) == (format_name, 320, 240)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_every_orientation_comes_out_upright(orientation: int, format_name: str) -> None:
    upright = Image.fromarray(scene(size=(96, 64)))
    turn = TO_STORED[orientation]
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    stored = upright if turn is None else upright.transpose(turn)
    # As bytes: pillow-heif then also writes the turn where HEIF keeps it, as phones do.
    decoded = decode(encode(stored, format_name, exif=exif.tobytes()))
    assert (decoded.width, decoded.height) == (96, 64)
    assert difference(decoded.pixels, scene(size=(96, 64))) < 12


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_a_nonsense_orientation_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    decoded = decode(encode(scene(), exif=exif))
    assert (decoded.width, decoded.height) == (320, 240)


def test_a_large_sideways_jpeg_is_bounded_and_keeps_its_original_size_in_the_record() -> None:
    upright = scene(size=(1500, 2400))
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    stored = Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90)
    decoded = decode(encode(stored, "JPEG", exif=exif, quality=95))
    assert (decoded.width, decoded.height) == (1500, 2400)
    assert decoded.pixels.shape == (1024, 640, 3)
    expected = Image.fromarray(upright).resize((640, 1024), Image.Resampling.LANCZOS)
    assert difference(decoded.pixels, np.asarray(expected)) < 3


@pytest.mark.parametrize(("format_name", "mode"), [("PNG", "RGB"), ("PNG", "L"), ("PNG", "P"), ("TIFF", "CMYK")])
def test_scaling_down_in_bands_is_like_scaling_down_at_once(format_name: str, mode: str) -> None:
    image = Image.fromarray(scene(size=(2501, 1999))).convert(mode)
    decoded = decode(encode(image, format_name, compress_level=1), limits=Limits(working_side=200))
    expected = image.convert("RGB").resize((200, 160), Image.Resampling.LANCZOS)
    assert difference(decoded.pixels, np.asarray(expected)) < 2


def test_a_picture_within_the_working_side_keeps_its_size() -> None:
    assert decode(encode(scene(size=(1024, 7)), "PNG")).pixels.shape == (7, 1024, 3)
    assert decode(encode(scene(size=(1, 1)), "PNG")).pixels.shape == (1, 1, 3)


@pytest.mark.parametrize("size", [(60_000, 1), (1, 60_000), (30_000, 2)])
def test_an_extreme_shape_keeps_at_least_one_pixel_a_side(size: tuple[int, int]) -> None:
    decoded = decode(encode(Image.new("RGB", size, (10, 200, 30)), "PNG"))
    assert (decoded.width, decoded.height) == size
    assert sorted(decoded.pixels.shape) == [1, 3, 1024]
    assert one_colour(decoded) == [10, 200, 30]


@pytest.mark.parametrize("format_name", ["GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO"])
def test_of_an_animation_the_first_frame_is_taken(format_name: str) -> None:
    frames = [Image.new("RGB", (48, 32), colour) for colour in ("red", "lime", "blue")]
    decoded = decode(encode(frames[0], format_name, save_all=True, append_images=frames[1:]))
    assert np.abs(np.array(one_colour(decoded)) - (255, 0, 0)).max() <= 4
    assert (decoded.format, decoded.frames) == (format_name, 3)


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_rejected_with_its_code(name: str) -> None:
    data, code = BAD_FILES[name]
    with pytest.raises(ImageRejected) as rejected:
        decode(data)
    assert rejected.value.code == code
    assert len(str(rejected.value)) > 15


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "BMP", "TIFF", "JPEG2000"])
def test_a_file_cut_anywhere_is_rejected_or_whole(format_name: str) -> None:
    data = encode(scene(size=(80, 60)), format_name)
    whole = decode(data).pixels
    rejected = 0
    for end in range(1, len(data), max(1, len(data) // 60)):
        try:
            np.testing.assert_array_equal(decode(data[:end]).pixels, whole)
        except ImageRejected:
            rejected += 1
    assert rejected > 50


def test_a_page_hidden_in_a_picture_stays_a_picture() -> None:
    decoded = decode(html_polyglot())
    assert (decoded.format, decoded.pixels.shape) == ("GIF", (1, 1, 3))


def test_a_page_in_front_of_a_picture_is_not_a_picture() -> None:
    with pytest.raises(ImageRejected, match="not a picture"):
        decode(b"<html>" + encode(scene()))


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_bytes=1000), "too_large"),
        (Limits(max_pixels=320 * 240 - 1), "too_many_pixels"),
        (Limits(max_memory=320 * 240), "too_many_pixels"),
    ],
)
def test_limits_are_kept(limits: Limits, code: str) -> None:
    data = encode(scene())
    assert decode(data).width == 320
    with pytest.raises(ImageRejected) as rejected:
        decode(data, limits=limits)
    assert rejected.value.code == code


def test_the_limit_of_frames_itself_is_taken() -> None:
    assert decode(many_frames(1_000)).frames == 1_000


def test_threads_decode_at_once_and_get_what_one_gets() -> None:
    kinds = ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF", "HEIF", "JPEG2000"]
    files = [encode(scene(seed, (200, 150)), kinds[seed % len(kinds)]) for seed in range(32)]
    alone = [decode(data).pixels for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: decode(data).pixels, files * 3))
    for pixels, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_array_equal(pixels, expected)


def test_a_hundred_megapixels_fit_in_a_gigabyte_and_warn_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(encode(Image.fromarray(scene()).resize((11_600, 8_700)), "JPEG", progressive=True))
    code = f"""
import pathlib
from gallery.decoding import decode
decoded = decode(pathlib.Path({str(path)!r}).read_bytes())
peak = pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
print(decoded.width, decoded.height, decoded.pixels.shape[1], peak)
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE
    )
    assert run.stderr == ""
    width, height, shown, peak = map(int, run.stdout.split())
    assert (width, height, shown) == (11_600, 8_700, 1024)
    assert peak < 1024 * 1024
