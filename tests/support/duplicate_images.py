"""Images of drawn scenes, with the feature that duplicates are found by."""

from __future__ import annotations

from gallery.services import add_image
from search.features import extraction
from tests.support.images import encode, scene

SIZE = (320, 240)


def add(seed, quality, **more):
    image = add_image(data=encode(scene(seed, SIZE), quality=quality), **more).image
    extraction.extract([image.pk], ["phash"])
    return image
