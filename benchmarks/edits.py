"""What people do to pictures before they search with them: pixels -> pixels, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from PIL.Image import Resampling, Transpose

from search.types import Pixels

Edit = Callable[[Pixels, np.random.Generator], Pixels]

WORDS = "when you finally find the picture that you were looking for"
PAPER = (245, 246, 248)
INK = (40, 44, 52)


def drawn(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels))


def crop(pixels: Pixels, rng: np.random.Generator, *, area: float) -> Pixels:
    """A window with that share of the area and the picture's aspect, at a random place."""
    height, width = (max(1, round(side * area**0.5)) for side in pixels.shape[:2])
    top = int(rng.integers(pixels.shape[0] - height + 1))
    left = int(rng.integers(pixels.shape[1] - width + 1))
    return pixels[top : top + height, left : left + width]


def resize(pixels: Pixels, _rng: np.random.Generator, *, wide: float, high: float) -> Pixels:
    height, width = (max(1, round(side * by)) for side, by in zip(pixels.shape[:2], (high, wide), strict=True))
    return np.asarray(drawn(pixels).resize((width, height), Resampling.BICUBIC))


def recompress(pixels: Pixels, _rng: np.random.Generator, *, quality: int) -> Pixels:
    file = BytesIO()
    drawn(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def mirror(pixels: Pixels, _rng: np.random.Generator) -> Pixels:
    return np.asarray(drawn(pixels).transpose(Transpose.FLIP_LEFT_RIGHT))


def turn(pixels: Pixels, _rng: np.random.Generator, *, degrees: float) -> Pixels:
    """Anticlockwise, on a canvas that holds all of it; the corners are black."""
    return np.asarray(drawn(pixels).rotate(degrees, Resampling.BICUBIC, expand=True))


def grey(pixels: Pixels, _rng: np.random.Generator) -> Pixels:
    return np.asarray(drawn(pixels).convert("L").convert("RGB"))


def brighten(pixels: Pixels, _rng: np.random.Generator, *, factor: float) -> Pixels:
    brighter: Pixels = np.clip(pixels * factor + 0.5, 0, 255).astype(np.uint8)
    return brighter


def contrast(pixels: Pixels, _rng: np.random.Generator, *, factor: float) -> Pixels:
    """Away from the mean of all samples."""
    mean = pixels.mean()
    stronger: Pixels = np.clip((pixels - mean) * factor + mean + 0.5, 0, 255).astype(np.uint8)
    return stronger


def hue(pixels: Pixels, _rng: np.random.Generator, *, degrees: float) -> Pixels:
    """All colours moved round the wheel."""
    wheel = np.array(drawn(pixels).convert("HSV"))
    wheel[..., 0] += np.uint8(degrees * 256 / 360)
    return np.asarray(Image.fromarray(wheel, "HSV").convert("RGB"))


def blur(pixels: Pixels, _rng: np.random.Generator, *, share: float) -> Pixels:
    """Gaussian, with a deviation of that share of the shorter side."""
    return np.asarray(drawn(pixels).filter(ImageFilter.GaussianBlur(share * min(pixels.shape[:2]))))


def noise(pixels: Pixels, rng: np.random.Generator, *, deviation: float) -> Pixels:
    noisy: Pixels = np.clip(pixels + rng.normal(0, deviation, pixels.shape) + 0.5, 0, 255).astype(np.uint8)
    return noisy


def border(pixels: Pixels, _rng: np.random.Generator, *, share: float) -> Pixels:
    """A white frame as wide as that share of the shorter side."""
    wide = max(1, round(min(pixels.shape[:2]) * share))
    return np.pad(pixels, ((wide, wide), (wide, wide), (0, 0)), constant_values=255)


def letterbox(pixels: Pixels, _rng: np.random.Generator, *, share: float) -> Pixels:
    """Black bars above and below, each as high as that share of the height."""
    high = max(1, round(pixels.shape[0] * share))
    return np.pad(pixels, ((high, high), (0, 0), (0, 0)))


def caption(pixels: Pixels, _rng: np.random.Generator, *, share: float) -> Pixels:
    """A white bar with words above the picture, as memes have it."""
    high = max(8, round(pixels.shape[0] * share))
    picture = Image.fromarray(np.pad(pixels, ((high, 0), (0, 0), (0, 0)), constant_values=255))
    ImageDraw.Draw(picture).text((4, high // 4), WORDS, INK, ImageFont.load_default(max(6, high // 3)))
    return np.asarray(picture)


def watermark(pixels: Pixels, _rng: np.random.Generator) -> Pixels:
    """Half-transparent words from side to side, three times."""
    picture = drawn(pixels)
    height, width = pixels.shape[:2]
    pen, font = ImageDraw.Draw(picture, "RGBA"), ImageFont.load_default(max(8, height // 9))
    for line in range(3):
        pen.text((width * line // 12, height * (2 * line + 1) // 7), "© picture archive", (255, 255, 255, 128), font)
    return np.asarray(picture)


def cover(pixels: Pixels, rng: np.random.Generator, *, area: float) -> Pixels:
    """A rectangle of one colour over that share of the area, at a random place."""
    height, width = (round(side * area**0.5) for side in pixels.shape[:2])
    top, left = (
        int(rng.integers(side - part + 1)) for side, part in zip(pixels.shape[:2], (height, width), strict=True)
    )
    covered = pixels.copy()
    covered[top : top + height, left : left + width] = rng.integers(256, size=3)
    return covered


def screenshot(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The picture at its size in a window of 2.2 times its area: bars, a column of text, buttons."""
    height, width = pixels.shape[:2]
    bar, column = max(12, height // 8), max(24, round(width * 0.45))
    screen = Image.new("RGB", (width + column + bar, height + 3 * bar), PAPER)
    pen, font = ImageDraw.Draw(screen), ImageFont.load_default(max(6, bar // 3))
    pen.rectangle((0, 0, screen.width, bar), INK)
    for button in range(5):
        pen.rounded_rectangle((bar * (1 + 2 * button), bar // 4, bar * (2 + 2 * button), 3 * bar // 4), 3, PAPER)
    for top in range(2 * bar, screen.height - bar, bar // 2):
        first = int(rng.integers(len(WORDS) // 2))
        pen.text((width + bar, top), WORDS[first:], INK, font)
    screen.paste(drawn(pixels), (bar // 2, 2 * bar))
    return np.asarray(screen)


def collage(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """One of four panels of the same size; the others are drawn by chance."""
    height, width = pixels.shape[:2]
    sheet = Image.new("RGB", (2 * width, 2 * height))
    pen = ImageDraw.Draw(sheet)
    for _ in range(60):
        (left, top), size = rng.integers((2 * width, 2 * height)), int(rng.integers(4, 5 + height // 2))
        colour = (*rng.integers(256, size=3).tolist(),)
        pen.ellipse((left, top, left + size, top + size), colour, INK)
    corner = int(rng.integers(4))
    sheet.paste(drawn(pixels), (width * (corner % 2), height * (corner // 2)))
    return np.asarray(sheet)


def perspective(pixels: Pixels, rng: np.random.Generator, *, share: float) -> Pixels:
    """Each corner moved inwards by up to that share of the sides."""
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * rng.uniform(share / 3, share, (4, 2))
    moved = (corners + inwards * (width, height)).astype(np.float32)
    seen = cv2.warpPerspective(pixels, cv2.getPerspectiveTransform(corners, moved), (width, height))
    return np.asarray(seen, np.uint8)


def chain(*edits: Edit) -> Edit:
    """One edit after the other."""

    def apply(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        for edit in edits:
            pixels = edit(pixels, rng)
        return pixels

    return apply


half, eighth = (partial(resize, wide=scale, high=scale) for scale in (0.5, 0.125))
jpeg_30, jpeg_50 = (partial(recompress, quality=quality) for quality in (30, 50))
crop_80, crop_50, crop_25 = (partial(crop, area=area) for area in (0.8, 0.5, 0.25))
brighter = partial(brighten, factor=1.2)
meme = partial(caption, share=0.2)

EDITS: dict[str, Edit] = {
    "JPEG 30": jpeg_30,
    "JPEG 8": partial(recompress, quality=8),
    "half size": half,
    "eighth size": eighth,
    "squashed to 70%": partial(resize, wide=0.7, high=1.0),
    "grey": grey,
    "brighter 20%": brighter,
    "darker 40%": partial(brighten, factor=0.6),
    "contrast 150%": partial(contrast, factor=1.5),
    "hue 90°": partial(hue, degrees=90),
    "blur": partial(blur, share=0.01),
    "noise": partial(noise, deviation=15),
    "crop 80%": crop_80,
    "crop 50%": crop_50,
    "crop 25%": crop_25,
    "crop 12%": partial(crop, area=0.12),
    "border 5%": partial(border, share=0.05),
    "letterbox": partial(letterbox, share=0.15),
    "caption bar": meme,
    "watermark": watermark,
    "25% covered": partial(cover, area=0.25),
    "in a screenshot": screenshot,
    "in a collage": collage,
    "mirror": mirror,
    "turn 5°": partial(turn, degrees=5),
    "turn 30°": partial(turn, degrees=30),
    "turn 90°": partial(turn, degrees=90),
    "turn 180°": partial(turn, degrees=180),
    "perspective": partial(perspective, share=0.2),
    "crop 50%, half size, JPEG 30": chain(crop_50, half, jpeg_30),
    "mirror, crop 50%": chain(mirror, crop_50),
    "mirror, turn 30°": chain(mirror, partial(turn, degrees=30)),
    "turn 5°, brighter, JPEG 30": chain(partial(turn, degrees=5), brighter, jpeg_30),
    "crop 80%, caption bar, JPEG 50": chain(crop_80, meme, jpeg_50),
    "grey, crop 50%, border 5%": chain(grey, crop_50, partial(border, share=0.05)),
    "screenshot, half size, JPEG 50": chain(screenshot, half, jpeg_50),
}
