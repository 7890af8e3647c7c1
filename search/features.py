"""Pictures -> stored features: each picture is decoded once, every missing feature is computed from it.

The order of changes: ``store`` and ``bury`` lock the heads of their spaces, always in the order of their
names, number their changes, and commit. Who has read all rows up to a sequence has missed nothing below it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from gallery.decoding import decode
from gallery.exceptions import Busy, StorageAway
from gallery.models import Image
from gallery.services import limits
from gallery.storage import speaking_to_storage
from gallery.thumbnails import make_thumbnails
from search import spaces
from search.exceptions import SpaceUnavailable
from search.methods import METHODS
from search.methods.base import Method, Picture
from search.models import Extraction, Feature, Space

log = logging.getLogger(__name__)

GROUP_BYTES = 64_000_000  # of pixels in memory at once, and one picture more
MAX_TRIES = 5  # of one picture; a picture that kills its worker must not do so for ever


@dataclass(frozen=True, slots=True)
class NewFeature:
    """A feature that was just computed and is not stored yet."""

    image_id: int
    space: str
    version: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Way:
    """A version of a space that pictures should have features of."""

    space: str
    method: Method

    def fresh(self) -> QuerySet[Feature]:
        return _of(self.space, self.method.version).filter(stale=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """A decoded picture."""

    key: int
    picture: Picture


def current(space: str) -> QuerySet[Feature]:
    """The features of a space that searches may find: of the version that answers, not deleted."""
    row = spaces.row_of(space)
    found = spaces.wanted(row)
    return _of(space, found[0].version if found else row.version)


def stored_of(ids: Iterable[int], space: str, version: str) -> dict[int, bytes]:
    """The stored features of some images, in their order and in one query; those without one are left out."""
    ids = list(ids)
    found = dict(_of(space, version).filter(image_id__in=ids).values_list("image_id", "data"))
    return {key: bytes(found[key] or b"") for key in ids if key in found}


def features_of(image_id: int, names: Iterable[str]) -> dict[tuple[str, str], bytes]:
    """The stored features of one image by (space, version), in one query."""
    found = Feature.objects.filter(image_id=image_id, space__in=names, data__isnull=False)
    return {
        (space, version): bytes(data or b"") for space, version, data in found.values_list("space", "version", "data")
    }


def ways(names: Iterable[str]) -> list[Way]:
    """What is to be extracted for these spaces; a space without a model has nothing."""
    return [Way(name, method) for name in names for method in spaces.wanted(name)]


def lacking(names: Iterable[str], *, thumbnails: bool = False) -> QuerySet[Image]:
    """Images that lack a fresh feature in one of the spaces, less those that were given up."""
    return _lacking(ways(names), thumbnails=thumbnails)


def pending(space: str) -> int:
    """How many images still lack this space's feature; two counts when there are none, the usual case."""
    total = Image.objects.count()
    behind = [way for way in ways([space]) if way.fresh().count() != total]
    return _lacking(behind).count() if behind else 0


def complete(space: str, method: Method) -> bool:
    """Whether a version has every picture that the version that answers has, less those that were given up."""
    own = _of(space, method.version).filter(image_id=OuterRef("image_id"))
    given_up = Extraction.objects.filter(pk=OuterRef("image_id"), tries__gte=MAX_TRIES)
    return not current(space).exclude(Exists(own)).exclude(Exists(given_up)).exists()


def mark_stale(names: Iterable[str], ids: Iterable[int] | None = None) -> int:
    """Ask for features to be computed again, of all images or some; the old ones serve until then."""
    chosen = Q() if ids is None else Q(image_id__in=list(ids))
    Extraction.objects.filter(chosen, tries__gte=MAX_TRIES).delete()
    return sum(way.fresh().filter(chosen).update(stale=True) for way in ways(names))


def extract(ids: Sequence[int], names: Sequence[str] = tuple(METHODS)) -> None:
    """Compute and store what these images lack. Safe to run twice, at once, and for images that are gone."""
    lacks = {way: set(_lacking([way]).filter(pk__in=ids).values_list("pk", flat=True)) for way in ways(names)}
    images = list(Image.objects.filter(Q(pk__in=set().union(*lacks.values())) | Q(pk__in=ids, thumbnailed=False)))
    _count_try([image.pk for image in images])
    failed: dict[int, Exception] = {}
    for group in _opened(images, failed):
        new, keys = _computed(group, lacks, failed), {one.key for one in group}
        with transaction.atomic():
            store(new)
            Image.objects.filter(pk__in=keys, thumbnailed=False).update(thumbnailed=True)
            Extraction.objects.filter(pk__in=keys - failed.keys()).delete()
    for key, error in failed.items():
        log.warning("Picture %s: %s: %s", key, type(error).__name__, error)
        tries = F("tries") - 1 if isinstance(error, (Busy, StorageAway)) else F("tries")  # then it is not to blame
        Extraction.objects.filter(pk=key).update(error=f"{type(error).__name__}: {error}", tries=tries)
    Extraction.objects.filter(pk__in=set(ids) - failed.keys()).delete()


def _opened(images: Sequence[Image], failed: dict[int, Exception]) -> Iterator[list[Opened]]:
    """Decoded pictures in groups of bounded memory; what cannot be decoded goes to ``failed``."""
    group: list[Opened] = []
    for place, image in enumerate(images):
        try:
            group.append(Opened(image.pk, _picture(image)))
        except StorageAway as error:  # the others would only wait as long
            failed |= {one.pk: error for one in images[place:]}
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
    with speaking_to_storage(), default_storage.open(image.file_name) as file:
        data = file.read()
    decoded = decode(data, limits=limits())
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


def _of(space: str, version: str) -> QuerySet[Feature]:
    return Feature.objects.filter(space=space, version=version, data__isnull=False)


def _lacking(ways: Iterable[Way], *, thumbnails: bool = False) -> QuerySet[Image]:
    lacks = Q(thumbnailed=False) if thumbnails else Q(pk__in=())
    for way in ways:
        lacks |= ~Q(Exists(way.fresh().filter(image_id=OuterRef("pk"))))
    given_up = Extraction.objects.filter(image_id=OuterRef("pk"), tries__gte=MAX_TRIES)
    return Image.objects.filter(lacks).exclude(Exists(given_up)).order_by("pk")


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
    for version in {one.version for one in features}:
        same = [one.image_id for one in features if one.version == version]
        stored.filter(version=version, image_id__in=same).update(stale=False)
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


def _lock_heads(wanted: Iterable[str]) -> dict[str, Space]:
    """Lock the counters until the transaction ends, always in one order, so that no two wait for each other."""
    names = sorted(wanted)
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
