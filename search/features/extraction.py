"""Images -> stored features: each image is decoded once, and every feature that it lacks is computed from that."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q

from search.collection import (
    Busy,
    Image,
    StorageUnavailable,
    decode,
    images,
    make_thumbnails,
    mark_thumbnailed,
    read_original,
    storage_errors,
)
from search.exceptions import SpaceUnavailable
from search.features.backlog import TargetVersion, count_try, images_lacking, target_versions
from search.features.store import NewFeature, store
from search.features.versions import states_of
from search.methods import METHODS
from search.methods.base import Picture
from search.models import Extraction

log = logging.getLogger(__name__)

GROUP_BYTES = 64_000_000  # of pixels in memory at once, and one picture more

Failures = dict[int, Exception]  # by image id


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded image."""

    id: int
    picture: Picture


def extract(ids: Sequence[int], spaces: Sequence[str] | None = None) -> None:
    """Compute and store what these images lack, in all spaces unless some are named.

    Safe to run twice, at once, and for images that are gone.
    """
    lacks = {
        target: set(images_lacking([target]).filter(pk__in=ids).values_list("pk", flat=True))
        for target in target_versions(states_of(METHODS if spaces is None else spaces))
    }
    todo = list(images().filter(Q(pk__in=set().union(*lacks.values())) | Q(pk__in=ids, thumbnailed=False)))
    count_try([image.pk for image in todo])
    failed: Failures = {}
    for group in _decoded(todo, failed):
        new, done = _computed(group, lacks, failed), {decoded.id for decoded in group}
        # In one transaction: a process killed before its end leaves the images queued.
        with transaction.atomic():
            store(new)
            mark_thumbnailed(ids=done)
            Extraction.objects.filter(pk__in=done - failed.keys()).delete()
    _note(failed)
    # Those that lacked nothing were in no group.
    Extraction.objects.filter(pk__in=set(ids) - failed.keys()).delete()


def _note(failed: Failures) -> None:
    """Write down why images failed, for the admin and for the number of their tries."""
    for key, error in failed.items():
        log.warning("Picture %s: %s: %s", key, type(error).__name__, error)
        # A busy machine or a storage that is away is not the picture's fault.
        tries = F("tries") - 1 if isinstance(error, (Busy, StorageUnavailable)) else F("tries")
        Extraction.objects.filter(pk=key).update(error=f"{type(error).__name__}: {error}", tries=tries)


def _decoded(todo: Sequence[Image], failed: Failures) -> Iterator[list[Decoded]]:
    """Decoded images in groups of bounded memory; what cannot be decoded goes to ``failed``."""
    group: list[Decoded] = []
    for number, image in enumerate(todo):
        try:
            group.append(Decoded(image.pk, _picture(image)))
        except StorageUnavailable as error:  # the others would only wait as long
            failed |= {later.pk: error for later in todo[number:]}
            break
        except Exception as error:  # one bad picture must not stop the others of its batch
            failed[image.pk] = error
        if sum(decoded.picture.pixels.nbytes for decoded in group) > GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group


def _picture(image: Image) -> Picture:
    """The picture, decoded once for all that needs its pixels. Raises StorageUnavailable, or what is wrong with it."""
    with storage_errors():
        data = read_original(image)
    decoded = decode(data)
    if not image.thumbnailed:
        make_thumbnails(image, decoded)
    return Picture(decoded.pixels)


def _computed(group: Sequence[Decoded], lacks: Mapping[TargetVersion, set[int]], failed: Failures) -> list[NewFeature]:
    """What the images of a group lack; those that a method cannot do go to ``failed``."""
    new: list[NewFeature] = []
    for target, ids in lacks.items():
        lacking = [decoded for decoded in group if decoded.id in ids]
        try:
            features = _features(target, lacking)
        except SpaceUnavailable as error:  # its model went away meanwhile; no picture is to blame
            log.warning("Space %s: %s", target.space, error)
            continue
        except Exception:  # computing each by itself shows which picture is to blame
            features = _one_by_one(target, lacking, failed)
        new.extend(features)
    return new


def _one_by_one(target: TargetVersion, lacking: Iterable[Decoded], failed: Failures) -> list[NewFeature]:
    new: list[NewFeature] = []
    for decoded in lacking:
        try:
            new.extend(_features(target, [decoded]))
        except Exception as error:  # one bad picture must not stop the others of its batch
            failed[decoded.id] = error
    return new


def _features(target: TargetVersion, lacking: Sequence[Decoded]) -> list[NewFeature]:
    method = target.method
    stored = method.extract_many([decoded.picture for decoded in lacking]) if lacking else []
    if not all(map(method.fits, stored)):
        raise ValueError(f"The method of {target.space} gave what is no feature of it.")
    return [
        NewFeature(decoded.id, target.space, method.version, data)
        for decoded, data in zip(lacking, stored, strict=True)
    ]
