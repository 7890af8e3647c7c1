"""Pictures -> stored features: each picture is decoded once, every missing feature is computed from it.

The order of changes: ``store`` and ``bury`` lock the heads of their spaces, always in the order of their
names, number their changes, and commit. Who has read all rows up to a sequence has missed nothing below it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q

from search.collection import (
    Busy,
    Image,
    StorageAway,
    decode,
    images,
    make_thumbnails,
    mark_thumbnailed,
    read_original,
    speaking_to_storage,
)
from search.exceptions import SpaceUnavailable
from search.features.backlog import Way, count_try, images_lacking, ways
from search.features.store import NewFeature, store
from search.methods import METHODS
from search.methods.base import Picture
from search.models import Extraction

log = logging.getLogger(__name__)

GROUP_BYTES = 64_000_000  # of pixels in memory at once, and one picture more


@dataclass(frozen=True, slots=True)
class Opened:
    """A decoded picture."""

    key: int
    picture: Picture


def extract(ids: Sequence[int], names: Sequence[str] = tuple(METHODS)) -> None:
    """Compute and store what these images lack. Safe to run twice, at once, and for images that are gone."""
    lacks = {way: set(images_lacking([way]).filter(pk__in=ids).values_list("pk", flat=True)) for way in ways(names)}
    todo = list(images().filter(Q(pk__in=set().union(*lacks.values())) | Q(pk__in=ids, thumbnailed=False)))
    count_try([image.pk for image in todo])
    failed: dict[int, Exception] = {}
    for group in _opened(todo, failed):
        new, keys = _computed(group, lacks, failed), {one.key for one in group}
        with transaction.atomic():
            store(new)
            mark_thumbnailed(ids=keys)
            Extraction.objects.filter(pk__in=keys - failed.keys()).delete()
    for key, error in failed.items():
        log.warning("Picture %s: %s: %s", key, type(error).__name__, error)
        tries = F("tries") - 1 if isinstance(error, (Busy, StorageAway)) else F("tries")  # then it is not to blame
        Extraction.objects.filter(pk=key).update(error=f"{type(error).__name__}: {error}", tries=tries)
    Extraction.objects.filter(pk__in=set(ids) - failed.keys()).delete()


def _opened(todo: Sequence[Image], failed: dict[int, Exception]) -> Iterator[list[Opened]]:
    """Decoded pictures in groups of bounded memory; what cannot be decoded goes to ``failed``."""
    group: list[Opened] = []
    for place, image in enumerate(todo):
        try:
            group.append(Opened(image.pk, _picture(image)))
        except StorageAway as error:  # the others would only wait as long
            failed |= {one.pk: error for one in todo[place:]}
            break
        except Exception as error:  # one bad picture must not stop the others of its batch
            failed[image.pk] = error
        if sum(one.picture.pixels.nbytes for one in group) > GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group


def _picture(image: Image) -> Picture:
    """The picture, decoded once for all that needs its pixels. Raises StorageAway, or what is wrong with it."""
    with speaking_to_storage():
        data = read_original(image)
    decoded = decode(data)
    if not image.thumbnailed:
        make_thumbnails(image, decoded)
    return Picture(decoded.pixels)


def _computed(group: Sequence[Opened], lacks: Mapping[Way, set[int]], failed: dict[int, Exception]) -> list[NewFeature]:
    """What the pictures of a group lack; those that a method cannot do go to ``failed``."""
    new: list[NewFeature] = []
    for way, keys in lacks.items():
        asked = [one for one in group if one.key in keys]
        try:
            features = _features(way, asked)
        except SpaceUnavailable as error:  # its model went away meanwhile; no picture is to blame
            log.warning("Space %s: %s", way.space, error)
            continue
        except Exception:  # one of them, but which?
            features = _one_by_one(way, asked, failed)
        new.extend(features)
    return new


def _one_by_one(way: Way, asked: Iterable[Opened], failed: dict[int, Exception]) -> list[NewFeature]:
    new: list[NewFeature] = []
    for one in asked:
        try:
            new.extend(_features(way, [one]))
        except Exception as error:  # one bad picture must not stop the others of its batch
            failed[one.key] = error
    return new


def _features(way: Way, asked: Sequence[Opened]) -> list[NewFeature]:
    datas = way.method.extract_many([one.picture for one in asked]) if asked else []
    if not all(map(way.method.fits, datas)):
        raise ValueError(f"The method of {way.space} gave what is no feature of it.")
    return [NewFeature(one.key, way.space, way.method.version, data) for one, data in zip(asked, datas, strict=True)]
