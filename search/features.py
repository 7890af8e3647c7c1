"""Pictures -> stored features: each picture is decoded once, every missing feature is computed from it.

The order of changes: ``store`` and ``bury`` lock the heads of their spaces, always in the order of their
names, number their changes, and commit. Who has read all rows up to a sequence has missed nothing below it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from gallery.decoding import Decoded, decode
from gallery.models import Image
from gallery.services import limits
from gallery.thumbnails import make_thumbnails
from search.methods import METHODS, get_method
from search.models import Extraction, Feature, Space

log = logging.getLogger(__name__)

MAX_TRIES = 5  # of one picture; a picture that kills its worker must not do so for ever


@dataclass(frozen=True, slots=True)
class NewFeature:
    """A feature that was just computed and is not stored yet."""

    image_id: int
    space: str
    version: str
    data: bytes


def current(space: str) -> QuerySet[Feature]:
    """The features of a space that searches may find: of the method's version, not deleted."""
    return Feature.objects.filter(space=space, version=get_method(space).version, data__isnull=False)


def lacking(spaces: Iterable[str], *, thumbnails: bool = False) -> QuerySet[Image]:
    """Images that lack a fresh feature in one of the spaces, less those that were given up."""
    lacks = Q(thumbnailed=False) if thumbnails else Q(pk__in=())
    for space in spaces:
        lacks |= ~Q(Exists(current(space).filter(image_id=OuterRef("pk"), stale=False)))
    given_up = Extraction.objects.filter(image_id=OuterRef("pk"), tries__gte=MAX_TRIES)
    return Image.objects.filter(lacks).exclude(Exists(given_up)).order_by("pk")


def pending(space: str) -> int:
    """How many images still lack this space's feature; two counts when there are none, the usual case."""
    if Image.objects.count() == current(space).filter(stale=False).count():
        return 0
    return lacking([space]).count()


def mark_stale(spaces: Iterable[str], ids: Iterable[int] | None = None) -> int:
    """Ask for features to be computed again, of all images or some; the old ones serve until then."""
    chosen = Q() if ids is None else Q(image_id__in=list(ids))
    Extraction.objects.filter(chosen, tries__gte=MAX_TRIES).delete()
    return sum(current(space).filter(chosen).update(stale=True) for space in spaces)


def extract(ids: Sequence[int], spaces: Sequence[str] = tuple(METHODS)) -> None:
    """Compute and store what these images lack. Safe to run twice, at once, and for images that are gone."""
    lacks = {space: set(lacking([space]).filter(pk__in=ids).values_list("pk", flat=True)) for space in spaces}
    images = list(Image.objects.filter(Q(pk__in=set().union(*lacks.values())) | Q(pk__in=ids, thumbnailed=False)))
    _count_try([image.pk for image in images])
    new: list[NewFeature] = []
    done: list[int] = []
    for image in images:
        wanted = [space for space in spaces if image.pk in lacks[space]]
        try:
            new.extend(_extract_one(image, wanted))
            done.append(image.pk)
        except Exception as error:  # one bad picture must not stop the others of its batch
            log.warning("Picture %s: %s: %s", image.pk, type(error).__name__, error)
            Extraction.objects.filter(pk=image.pk).update(error=f"{type(error).__name__}: {error}")
    store(new)
    finished = set(ids) - {image.pk for image in images} | set(done)
    Extraction.objects.filter(pk__in=finished).delete()


def _extract_one(image: Image, spaces: Sequence[str]) -> list[NewFeature]:
    with default_storage.open(image.file_name) as file:
        decoded = decode(file.read(), limits=limits())
    if not image.thumbnailed:
        make_thumbnails(image, decoded)
        Image.objects.filter(pk=image.pk).update(thumbnailed=True)
    return [_feature(image.pk, space, decoded) for space in spaces]


def _feature(image_id: int, space: str, decoded: Decoded) -> NewFeature:
    method = get_method(space)
    return NewFeature(image_id, space, method.version, method.extract(decoded.pixels))


def _count_try(ids: Sequence[int]) -> None:
    """Written before the work, so that a try that kills the process counts too."""
    note_enqueued(ids)
    Extraction.objects.filter(pk__in=ids).update(tries=F("tries") + 1)


def note_enqueued(ids: Iterable[int]) -> None:
    """Note that work on these images was asked for now."""
    Extraction.objects.bulk_create(
        [Extraction(image_id=key, enqueued_at=timezone.now()) for key in ids],
        update_conflicts=True,
        unique_fields=["image_id"],
        update_fields=["enqueued_at"],
    )


def store(new: Sequence[NewFeature]) -> None:
    """Write features in one transaction, each under the next number of its space.

    Images that were deleted meanwhile get none: a deletion numbers its tombstones under the same lock.
    """
    by_space: Mapping[str, list[NewFeature]] = _grouped(new)
    with transaction.atomic():
        heads = _lock_heads(by_space)
        alive = set(Image.objects.filter(pk__in={one.image_id for one in new}).values_list("pk", flat=True))
        for space, features in by_space.items():
            changed = _changed(space, [one for one in features if one.image_id in alive])
            _number(
                heads[space],
                [Feature(space_id=space, version=one.version, image_id=one.image_id, data=one.data) for one in changed],
            )


def _changed(space: str, features: Sequence[NewFeature]) -> list[NewFeature]:
    """Those that differ from what is stored; the others are only marked fresh, so no index has to move."""
    stored = Feature.objects.filter(space=space, image_id__in=[one.image_id for one in features])
    before = {
        (image_id, version): None if data is None else bytes(data)
        for image_id, version, data in stored.values_list("image_id", "version", "data")
    }
    stored.filter(version__in={one.version for one in features}).update(stale=False)
    return [one for one in features if before.get((one.image_id, one.version)) != one.data]


def bury(ids: Sequence[int]) -> None:
    """Turn the features of these images into tombstones, numbered like any other change."""
    with transaction.atomic():
        heads = _lock_heads(METHODS)
        Extraction.objects.filter(pk__in=ids).delete()
        for space, head in heads.items():
            rows = Feature.objects.filter(space=space, image_id__in=ids, data__isnull=False)
            _number(
                head,
                [
                    Feature(space_id=space, version=version, image_id=image_id)
                    for version, image_id in rows.values_list("version", "image_id")
                ],
            )


def _grouped(new: Sequence[NewFeature]) -> dict[str, list[NewFeature]]:
    groups: defaultdict[str, list[NewFeature]] = defaultdict(list)
    for one in new:
        groups[one.space].append(one)
    return dict(groups)


def _lock_heads(spaces: Iterable[str]) -> dict[str, Space]:
    """Lock the counters until the transaction ends, always in one order, so that no two wait for each other."""
    names = sorted(spaces)
    Space.objects.bulk_create([Space(name=name) for name in names], ignore_conflicts=True)
    return {space.name: space for space in Space.objects.select_for_update().filter(name__in=names).order_by("name")}


def _number(space: Space, features: Sequence[Feature]) -> None:
    """Give each its number and write it over what its image had in this space and version."""
    if not features:
        return
    for sequence, feature in enumerate(features, start=space.head + 1):
        feature.sequence = sequence
    space.advance(len(features))
    Feature.objects.bulk_create(
        features,
        update_conflicts=True,
        unique_fields=["image_id", "space", "version"],
        update_fields=["data", "sequence", "stale"],
    )
