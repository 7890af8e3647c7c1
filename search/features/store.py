"""The stored features: reading them, and writing them under the next sequence numbers of their space.

``store`` and ``write_tombstones`` lock the heads of their spaces, always in the order of their names, number their
changes and commit. So sequence order is commit order: a reader of all rows up to a number has missed none below it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from search.collection import existing
from search.features.versions import SpaceState
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


def feature_rows(space: str, version: str | None = None) -> QuerySet[Feature]:
    """The stored features of a space, without tombstones; of all versions, unless one is named."""
    rows = Feature.objects.filter(space=space, data__isnull=False)
    return rows if version is None else rows.filter(version=version)


def current(state: SpaceState) -> QuerySet[Feature]:
    """The features of a space that searches may find: those of the version that serves."""
    return feature_rows(state.name, state.version if state.problem else state.serving.version)


def stored_of(ids: Iterable[int], space: str, version: str) -> dict[int, bytes]:
    """The stored features of some images, in their order, by one query; those without one are left out."""
    ids = list(ids)
    stored = dict(feature_rows(space, version).filter(image_id__in=ids).values_list("image_id", "data"))
    # PostgreSQL gives memory views, SQLite bytes.
    return {key: bytes(stored[key] or b"") for key in ids if key in stored}


def features_of(image_id: int, spaces: Iterable[str]) -> dict[tuple[str, str], bytes]:
    """The stored features of one image by (space, version), by one query."""
    rows = Feature.objects.filter(image_id=image_id, space__in=spaces, data__isnull=False)
    return {
        (space, version): bytes(data or b"") for space, version, data in rows.values_list("space", "version", "data")
    }


def store(new: Sequence[NewFeature]) -> None:
    """Write features in one transaction, each under the next number of its space.

    Images that were deleted meanwhile get none: a deletion numbers its tombstones under the same lock.
    """
    by_space: Mapping[str, list[NewFeature]] = _grouped(new)
    with transaction.atomic():
        heads = _lock_heads(by_space)
        # Read under the locks: whoever deletes an image after this numbers its tombstones after these features.
        alive = existing({feature.image_id for feature in new})
        for space, features in by_space.items():
            changed = _changed(space, [feature for feature in features if feature.image_id in alive])
            rows = [Feature(space_id=space, version=f.version, image_id=f.image_id, data=f.data) for f in changed]
            _write(heads[space], rows)


def _changed(space: str, features: Sequence[NewFeature]) -> list[NewFeature]:
    """Those that differ from what is stored; the others are only marked fresh, so that no index has to change."""
    stored = Feature.objects.filter(space=space, image_id__in=[feature.image_id for feature in features])
    before = {
        (image_id, version): None if data is None else bytes(data)
        for image_id, version, data in stored.values_list("image_id", "version", "data")
    }
    for version in {feature.version for feature in features}:
        ids = [feature.image_id for feature in features if feature.version == version]
        stored.filter(version=version, image_id__in=ids).update(stale=False)
    return [feature for feature in features if before.get((feature.image_id, feature.version)) != feature.data]


def write_tombstones(ids: Sequence[int]) -> None:
    """Turn the features of these images into tombstones, numbered like any other change."""
    with transaction.atomic():
        heads = _lock_heads(METHODS)
        Extraction.objects.filter(pk__in=ids).delete()
        for space, head in heads.items():
            stored = feature_rows(space).filter(image_id__in=ids).values_list("version", "image_id")
            _write(head, [Feature(space_id=space, version=version, image_id=key) for version, key in stored])


def _grouped(new: Sequence[NewFeature]) -> dict[str, list[NewFeature]]:
    groups: defaultdict[str, list[NewFeature]] = defaultdict(list)
    for feature in new:
        groups[feature.space].append(feature)
    return dict(groups)


def _lock_heads(spaces: Iterable[str]) -> dict[str, Space]:
    """Lock the counters until the transaction ends, always in one order, so that no two wait for each other."""
    names = sorted(spaces)
    # The space of a new method has no row before its first feature.
    Space.objects.bulk_create([Space(name=name) for name in names], ignore_conflicts=True)
    return {space.name: space for space in Space.objects.select_for_update().filter(name__in=names).order_by("name")}


def _write(space: Space, rows: Sequence[Feature]) -> None:
    """Give each row its number and write it over what its image had in this space and version."""
    if not rows:
        return
    for sequence, row in enumerate(rows, start=space.head + 1):
        row.sequence = sequence
    space.advance(len(rows))
    # One row for each image and version: an index that is behind needs only the last change.
    Feature.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["image_id", "space", "version"],
        update_fields=["data", "sequence", "stale"],
    )
