"""Small WebP copies of a picture, made from its decoded pixels, so that they have neither EXIF nor GPS."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import PIL.Image
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from gallery.decoding import Decoded
from gallery.models import Image
from gallery.storage import storage_errors

QUALITY = 82


def make_thumbnails(image: Image, decoded: Decoded) -> None:
    """Store every size. The caller marks the image as thumbnailed afterwards. Raises StorageUnavailable."""
    picture = PIL.Image.fromarray(decoded.pixels)
    # Each from the next larger one, which is faster than from the whole picture and looks the same.
    for size in sorted(image.thumbnail_sizes, reverse=True):
        picture.thumbnail((size, size), PIL.Image.Resampling.LANCZOS)
        out = BytesIO()
        picture.save(out, "WEBP", quality=QUALITY, method=2)  # slower methods save few bytes
        with storage_errors():
            default_storage.save(image.thumbnail_name(size), ContentFile(out.getvalue()))


def preview_of(image: Image) -> str:
    """The smallest copy as a ``data:`` URL, for a picture in the trash, whose files are not served."""
    with default_storage.open(image.thumbnail_name(image.thumbnail_sizes[0])) as file:
        return f"data:image/webp;base64,{b64encode(file.read()).decode()}"
