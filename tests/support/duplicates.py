"""Pictures, copies of them by kind, and the groups that were found."""

from __future__ import annotations

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw

from gallery.services import add_image
from search.duplicates.models import Group
from search.features import extraction
from tests.support.images import encode, scene

SIZE = (320, 240)


def stamped(pixels):
    picture = Picture.fromarray(pixels)
    ImageDraw.Draw(picture).rectangle((20, 150, 110, 200), fill=(255, 0, 0))
    return np.asarray(picture)


COPIES = {
    "pixels": lambda pixels: encode(pixels, "BMP"),
    "recompressed": lambda pixels: encode(pixels, "JPEG", quality=30),
    "resized": lambda pixels: encode(Picture.fromarray(pixels).resize((160, 120)), "PNG"),
    "turned": lambda pixels: encode(np.ascontiguousarray(pixels[:, ::-1]), "PNG"),
    "edited": lambda pixels: encode(stamped(pixels), "PNG"),
}


def add(data, **more):
    image = add_image(data=data, **more).image
    extraction.extract([image.pk], ["phash"])
    return image


def original(seed=1, **more):
    return add(encode(scene(seed, SIZE), "PNG"), **more)


def copy(kind="recompressed", seed=1, **more):
    return add(COPIES[kind](scene(seed, SIZE)), **more)


def groups():
    return sorted(sorted(group.members.values_list("image", flat=True)) for group in Group.objects.all())


def ids(*images):
    return [image.pk for image in images]
