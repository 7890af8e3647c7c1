"""The backlog: which images lack a feature, and for which of them work is queued."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from search.collection import Image, images
from search.features.store import current, feature_rows
from search.features.versions import SpaceState
from search.methods.base import Method
from search.models import Extraction, Feature

log = logging.getLogger(__name__)

MAX_TRIES = 5  # of one picture; a picture that kills its worker must not do so for ever


@dataclass(frozen=True, slots=True)
class TargetVersion:
    """A version of a space that pictures should have features of."""

    space: str
    method: Method

    def fresh(self) -> QuerySet[Feature]:
        """The stored features that need not be extracted again."""
        return feature_rows(self.space, self.method.version).filter(stale=False)


def target_versions(states: Iterable[SpaceState]) -> list[TargetVersion]:
    """What is to be extracted for these spaces; a space without a model has nothing."""
    return [TargetVersion(state.name, method) for state in states for method in state.targets]


def lacking(states: Iterable[SpaceState], *, thumbnails: bool = False) -> QuerySet[Image]:
    """Images that lack a fresh feature in one of the spaces, by id; those that were given up are left out."""
    return images_lacking(target_versions(states), thumbnails=thumbnails)


def pending(state: SpaceState) -> int:
    """How many images still lack a feature of this space."""
    total = images().count()
    # Counting is far cheaper than joining, and where the counts are equal, as they usually are, none is missing.
    behind = [target for target in target_versions([state]) if target.fresh().count() != total]
    return images_lacking(behind).count() if behind else 0


def complete(state: SpaceState) -> bool:
    """Whether there is a coming version, and it has every picture that the serving one has or was given up."""
    if state.coming is None:
        return False
    # One picture that cannot be extracted must not hold the new version back for ever.
    given_up = Extraction.objects.filter(pk=OuterRef("image_id"), tries__gte=MAX_TRIES)
    own = feature_rows(state.name, state.coming.version).filter(image_id=OuterRef("image_id"))
    return not current(state).exclude(Exists(own)).exclude(Exists(given_up)).exists()


def mark_stale(states: Iterable[SpaceState], ids: Iterable[int] | None = None) -> int:
    """Let features be extracted again, of all images or some; the stored ones serve until then."""
    chosen = Q() if ids is None else Q(image_id__in=list(ids))
    Extraction.objects.filter(chosen, tries__gte=MAX_TRIES).delete()
    return sum(target.fresh().filter(chosen).update(stale=True) for target in target_versions(states))


def unmark_stale(spaces: Iterable[str]) -> int:
    """Undo ``mark_stale`` for all images that were not extracted again since: their features count as they are."""
    return Feature.objects.filter(space__in=list(spaces), stale=True).update(stale=False)


def images_lacking(targets: Iterable[TargetVersion], *, thumbnails: bool = False) -> QuerySet[Image]:
    """Images that lack a fresh feature of one of these versions, by id; those that were given up are left out."""
    # An empty list of ids matches nothing: it begins the chain of ORs.
    lacks = Q(thumbnailed=False) if thumbnails else Q(pk__in=())
    for target in targets:
        lacks |= ~Q(Exists(target.fresh().filter(image_id=OuterRef("pk"))))
    given_up = Extraction.objects.filter(image_id=OuterRef("pk"), tries__gte=MAX_TRIES)
    return images().filter(lacks).exclude(Exists(given_up)).order_by("pk")


def count_try(ids: Sequence[int]) -> None:
    """Written before the work, so that a try that kills the process counts too."""
    note_enqueued(ids)
    Extraction.objects.filter(pk__in=ids).update(tries=F("tries") + 1)


def note_enqueued(ids: Iterable[int]) -> None:
    """Note that extraction of these images was queued now."""
    Extraction.objects.bulk_create(
        [Extraction(image_id=key, enqueued_at=timezone.now()) for key in ids],
        update_conflicts=True,
        unique_fields=["image_id"],
        update_fields=["enqueued_at"],
    )
