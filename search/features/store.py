"""The stored features: reading them, and writing them under the next sequence numbers of their space."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from search.collection import existing
from search.features import versions
from search.methods import METHODS
from search.models import Extraction, Feature, Space

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewFeature:
    """A feature that was just computed and is not stored yet."""

    image_id: int
    space: str
    version: str
    data: bytes


def current(space: str) -> QuerySet[Feature]:
    """The features of a space that searches may find: of the version that answers, not deleted."""
    row = versions.row_of(space)
    found = versions.wanted(row)
    return feature_rows(space, found[0].version if found else row.version)


def stored_of(ids: Iterable[int], space: str, version: str) -> dict[int, bytes]:
    """The stored features of some images, in their order and in one query; those without one are left out."""
    ids = list(ids)
    found = dict(feature_rows(space, version).filter(image_id__in=ids).values_list("image_id", "data"))
    return {key: bytes(found[key] or b"") for key in ids if key in found}


def features_of(image_id: int, names: Iterable[str]) -> dict[tuple[str, str], bytes]:
    """The stored features of one image by (space, version), in one query."""
    found = Feature.objects.filter(image_id=image_id, space__in=names, data__isnull=False)
    return {
        (space, version): bytes(data or b"") for space, version, data in found.values_list("space", "version", "data")
    }


def feature_rows(space: str, version: str) -> QuerySet[Feature]:
    return Feature.objects.filter(space=space, version=version, data__isnull=False)


def store(new: Sequence[NewFeature]) -> None:
    """Write features in one transaction, each under the next number of its space.

    Images that were deleted meanwhile get none: a deletion numbers its tombstones under the same lock.
    """
    by_space: Mapping[str, list[NewFeature]] = _grouped(new)
    with transaction.atomic():
        heads = _lock_heads(by_space)
        alive = existing({one.image_id for one in new})
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
