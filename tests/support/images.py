"""Pictures and bad files made by code, for tests of everything that takes a picture."""

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener

register_heif_opener()

Pixels = npt.NDArray[np.uint8]


def scene(seed: int = 0, size: tuple[int, int] = (320, 240)) -> Pixels:
    """Varied and colourful: a gradient, some shapes, a little texture. ``size`` is (width, height)."""
    random = np.random.default_rng(seed)
    width, height = size
    corners = Image.fromarray(random.integers(0, 256, (2, 2, 3), dtype=np.uint8))
    picture = corners.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = int(random.integers(width)), int(random.integers(height))
        side = int(random.integers(max(2, min(size) // 12), max(3, min(size) // 3)))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((x - side, y - side, x + side // 2, y + side), fill=colour)
    texture = random.normal(0, 6, (height, width, 1))
    pixels: Pixels = np.clip(np.asarray(picture) + texture, 0, 255).astype(np.uint8)
    return pixels


def encode(pixels: Pixels | Image.Image, format_name: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a file; ``options`` are those of Pillow's ``save``."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def write_scenes(folder: Path, count: int, begin: int = 0) -> list[Path]:
    """JPEG files of 320 x 240 pixels, named by their seeds ``begin``, ``begin`` + 1, ..."""
    paths = [folder / f"{seed}.jpg" for seed in range(begin, begin + count)]
    for seed, path in enumerate(paths, begin):
        path.write_bytes(encode(scene(seed, (320, 240)), "JPEG", quality=90))
    return paths


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_png(width: int, height: int) -> bytes:
    """A few bytes that claim to be ``width`` x ``height`` pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = _chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + rows + _chunk(b"IEND", b"")


def huge_icon(width: int, height: int) -> bytes:
    """An icon that says 16 x 16 in its table and holds a picture of another size."""
    picture = huge_png(width, height)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(picture), 22) + picture


def many_scans(scans: int, side: int = 4000) -> bytes:
    """A progressive JPEG that asks for each of its pixels again and again."""
    plain = encode(Image.new("RGB", (side, side), "teal"), progressive=True)
    end = plain.rindex(b"\xff\xd9")
    last_scan = plain[plain.rindex(b"\xff\xc4", 0, plain.rindex(b"\xff\xda")) : end]
    return plain[:end] + last_scan * scans + plain[end:]


def many_frames(frames: int) -> bytes:
    """A GIF of ``frames`` single pixels."""
    head = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"
    return head + b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0" * frames + b";"


def two_palettes() -> bytes:
    """A GIF with one palette for all frames, another for the first, and transparency: Pillow confuses them."""
    grey = bytes(level for level in range(256) for _ in range(3))
    head = b"GIF89a\x01\0\x01\0\xf7\0\0" + bytes(range(255, -1, -1)) * 3
    control, frame = b"!\xf9\x04\x01\0\0\0\0", b",\0\0\0\0\x01\0\x01\0\x87"
    return head + control + frame + grey + b"\x08\x04\0\x01\x04\x04\0;"


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("picture.jpg", encode(scene()))
    return file.getvalue()


def bad_files() -> dict[str, tuple[bytes, str]]:
    """Name -> (bytes, the code with which ``decode`` rejects them)."""
    jpeg, png = encode(scene(), "JPEG"), encode(scene(), "PNG")
    return {
        "empty": (b"", "empty"),
        "text": (b"This is not a picture.\n" * 40, "not_an_image"),
        "noise": (np.random.default_rng(0).bytes(4000), "not_an_image"),
        "html": (b"<!doctype html><script>alert(1)</script>", "not_an_image"),
        "zip": (archive(), "not_an_image"),
        "signature of a PNG": (png[:8], "not_an_image"),
        "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "unsupported"),
        "svg with prolog": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg width="9" height="9"/>', "unsupported"),
        "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "unsupported"),
        "pdf": (encode(scene(), "PDF"), "unsupported"),
        "truncated jpeg": (jpeg[: len(jpeg) // 2], "damaged"),
        "truncated png": (png[: len(png) // 2], "damaged"),
        "jpeg without end": (jpeg[:-400], "damaged"),
        "bomb": (huge_png(60_000, 60_000), "too_many_pixels"),
        "bomb above the limit only": (huge_png(13_000, 10_000), "too_many_pixels"),
        "bomb in an icon": (huge_icon(12_000, 12_000), "too_many_pixels"),
        "scan bomb": (many_scans(1_300), "damaged"),
        "palettes that Pillow confuses": (two_palettes(), "damaged"),
        "film": (many_frames(1_001), "too_many_frames"),
        "endless film": (many_frames(500_000), "damaged"),
    }


def html_polyglot() -> bytes:
    """A sound GIF of one pixel that a browser would run as a page if served as one."""
    return many_frames(1)[:-1] + b"!\xfe\x21<script>alert(document.domain)</s\0" + b";<script>alert(1)</script>"
