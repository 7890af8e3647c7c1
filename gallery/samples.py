"""The sample gallery: free photographs that come inside the scikit-image package, and edited copies of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from django.conf import settings
from PIL import Image, ImageOps

from gallery import services
from gallery.models import Image as StoredImage

TAG = "sample"

# File in the package -> title. Only what its authors gave away without conditions; docs/sample-gallery.md names them.
PHOTOGRAPHS = {
    "astronaut.png": "Astronaut",
    "brick.png": "Brick wall",
    "camera.png": "Photographer",
    "chelsea.png": "Cat",
    "clock_motion.png": "Moving clock",
    "coffee.png": "Coffee",
    "coins.png": "Coins",
    "grass.png": "Grass",
    "gravel.png": "Gravel",
    "hubble_deep_field.jpg": "Galaxies",
    "retina.jpg": "Retina",
    "rocket.jpg": "Rocket",
}


@dataclass(frozen=True, slots=True)
class Edit:
    """A change through which searches should find the original. ``name`` is its tag; ``title`` follows the title."""

    name: str
    title: str
    change: Callable[[Image.Image], Image.Image]
    format: str = "JPEG"
    quality: int = 90


def crop(picture: Image.Image) -> Image.Image:
    """The middle, 70 % of each side."""
    width, height = picture.size
    return picture.crop((round(0.15 * width), round(0.15 * height), round(0.85 * width), round(0.85 * height)))


def recolour(picture: Image.Image) -> Image.Image:
    """As in warm evening light."""
    warmed = np.asarray(picture) * np.array([1.12, 0.97, 0.72]) + np.array([8, 0, 0])
    return Image.fromarray(warmed.clip(0, 255).astype(np.uint8))


def halve(picture: Image.Image) -> Image.Image:
    """Half as wide and half as high."""
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)


def unchanged(picture: Image.Image) -> Image.Image:
    return picture


EDITS = (
    Edit("cropped", "cropped", crop),
    Edit("turned", "turned", lambda picture: picture.transpose(Image.Transpose.ROTATE_90)),
    Edit("mirrored", "mirrored", ImageOps.mirror),
    Edit("recoloured", "in warm light", recolour),
    Edit("recompressed", "recompressed", unchanged, quality=15),
    Edit("small", "half as large", halve, format="WEBP", quality=80),
)


def due() -> bool:
    """Whether the samples were never loaded completely, and the gallery has no other picture."""
    return not _marker().exists() and not StoredImage.objects.exclude(tags__name=TAG).exists()


def load() -> int:
    """Add the samples that are missing; returns how many. Safe to stop and call again."""
    added = sum(
        services.add_image(data=data, title=title, tags=tags).created for data, title, tags in pictures(folder())
    )
    _marker().touch()  # from now on, an owner who deletes samples gets none back
    return added


def folder() -> Path:
    """The folder of scikit-image's photographs, without importing that package, which takes a second."""
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("The sample photographs come with scikit-image, which is not installed.")
    return Path(spec.submodule_search_locations[0]) / "data"


def pictures(photographs: Path) -> Iterator[tuple[bytes, str, list[str]]]:
    """Each photograph and its edited copies: bytes, title, tags."""
    for name, title in PHOTOGRAPHS.items():
        data = (photographs / name).read_bytes()
        tags = [TAG, title.lower()]
        yield data, title, [*tags, "original"]
        picture = Image.open(BytesIO(data)).convert("RGB")
        for edit in EDITS:
            yield _encoded(edit, picture), f"{title}, {edit.title}", [*tags, edit.name]


def _encoded(edit: Edit, picture: Image.Image) -> bytes:
    out = BytesIO()
    edit.change(picture).save(out, edit.format, quality=edit.quality)
    return out.getvalue()


def _marker() -> Path:
    return Path(settings.DATA) / "samples_loaded"
