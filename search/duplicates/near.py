"""What is here already and shows the same as a picture that somebody is about to add."""

from __future__ import annotations

from django.db.models import Q

from search.collection import Copy, Image
from search.duplicates import candidates, pairs
from search.duplicates.models import Verdict
from search.duplicates.pairs import Matrix
from search.duplicates.pictures import Pictures
from search.duplicates.wording import describe
from search.methods import get_method
from search.types import Pixels

MOST_LOOKED_AT = 8
MOST_SHOWN = 3


def copies(image: Image, pixels: Pixels) -> list[Copy]:
    """The pictures here that are the same as one that is not stored yet, the nearest first.

    Pairs that somebody has said are no duplicates are left out, though the new one was deleted in between.
    """
    keys = candidates.like(get_method(candidates.HASHES).extract(pixels))
    places = candidates.with_parts_of(pixels)
    keys = list(dict.fromkeys([*keys, *places]))[:MOST_LOOKED_AT]
    images = Image.objects.in_bulk(keys)
    apart = _apart(image.sha256)
    pictures, found = Pictures(), []
    for key in keys:
        if key in images and images[key].sha256 not in apart:
            copy = _copy(images[key], image, pixels, pictures, places.get(key))
            found += [copy] if copy else []
    return found[:MOST_SHOWN]


def _copy(known: Image, image: Image, pixels: Pixels, pictures: Pictures, place: Matrix | None) -> Copy | None:
    """The known picture and what it is, compared with the new one."""
    resized = (known.width, known.height) != (image.width, image.height)
    if not resized and pictures.hash(known) == pairs.pixel_hash(pixels):
        related: pairs.Pair | None = pairs.SAME
    else:
        small = pictures.small(known)
        related = pairs.relate(small, pixels, resized=resized, side=pairs.CLOSE_SIDE, place=place)
    return Copy(known, describe(related, image, known, swapped=True)) if related else None


def _apart(sha256: str) -> set[str]:
    pairs_said = Verdict.objects.filter(Q(one=sha256) | Q(two=sha256)).values_list("one", "two")
    return {content for pair in pairs_said for content in pair}
