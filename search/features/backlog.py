"""What images still lack, and what was asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from search.collection import Image, images
from search.features import versions
from search.features.store import current, feature_rows
from search.methods.base import Method
from search.models import Extraction, Feature

log = logging.getLogger(__name__)

MAX_TRIES = 5  # of one picture; a picture that kills its worker must not do so for ever


@dataclass(frozen=True, slots=True)
class Way:
    """A version of a space that pictures should have features of."""

    space: str
    method: Method

    def fresh(self) -> QuerySet[Feature]:
        return feature_rows(self.space, self.method.version).filter(stale=False)


def ways(names: Iterable[str]) -> list[Way]:
    """What is to be extracted for these spaces; a space without a model has nothing."""
    return [Way(name, method) for name in names for method in versions.wanted(name)]


def lacking(names: Iterable[str], *, thumbnails: bool = False) -> QuerySet[Image]:
    """Images that lack a fresh feature in one of the spaces, less those that were given up."""
    return images_lacking(ways(names), thumbnails=thumbnails)


def pending(space: str) -> int:
    """How many images still lack this space's feature; two counts when there are none, the usual case."""
    total = images().count()
    behind = [way for way in ways([space]) if way.fresh().count() != total]
    return images_lacking(behind).count() if behind else 0


def complete(space: str, method: Method) -> bool:
    """Whether a version has every picture that the version that answers has, less those that were given up."""
    own = feature_rows(space, method.version).filter(image_id=OuterRef("image_id"))
    given_up = Extraction.objects.filter(pk=OuterRef("image_id"), tries__gte=MAX_TRIES)
    return not current(space).exclude(Exists(own)).exclude(Exists(given_up)).exists()


def mark_stale(names: Iterable[str], ids: Iterable[int] | None = None) -> int:
    """Ask for features to be computed again, of all images or some; the old ones serve until then."""
    chosen = Q() if ids is None else Q(image_id__in=list(ids))
    Extraction.objects.filter(chosen, tries__gte=MAX_TRIES).delete()
    return sum(way.fresh().filter(chosen).update(stale=True) for way in ways(names))


def unmark_stale(names: Iterable[str]) -> int:
    """Take back what ``mark_stale`` asked for of all images: the features that are stored count as they are."""
    return Feature.objects.filter(space__in=list(names), stale=True).update(stale=False)


def images_lacking(ways: Iterable[Way], *, thumbnails: bool = False) -> QuerySet[Image]:
    lacks = Q(thumbnailed=False) if thumbnails else Q(pk__in=())
    for way in ways:
        lacks |= ~Q(Exists(way.fresh().filter(image_id=OuterRef("pk"))))
    given_up = Extraction.objects.filter(image_id=OuterRef("pk"), tries__gte=MAX_TRIES)
    return images().filter(lacks).exclude(Exists(given_up)).order_by("pk")


def count_try(ids: Sequence[int]) -> None:
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
