"""What the desk does when the gallery changes; inside the gallery's own transaction, save for the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from search.collection import Copy, Decoded, Image, copies_wanted, images_added, images_deleted
from search.duplicates import near
from search.duplicates.grouping import regroup
from search.duplicates.models import Pair, Recheck


@receiver(images_deleted)
def let_go(ids: Sequence[int], **_: object) -> None:
    """Groups close up at once; what was the same as these pictures is looked at again, for what else it is like."""
    if paired := _paired(ids):
        left = sorted(paired - set(ids))
        Recheck.objects.bulk_create([Recheck(image_id=key) for key in left], ignore_conflicts=True)
        regroup(ids, without=frozenset(ids))


@receiver(images_added)
def take_back(ids: Sequence[int], **_: object) -> None:
    """Pictures that come out of the trash are in their groups again at once."""
    if _paired(ids):
        regroup(ids)


@receiver(copies_wanted)
def name_copies(image: Image, decoded: Decoded, **_: Any) -> list[Copy]:
    return near.copies(image, decoded.pixels)


def _paired(ids: Sequence[int]) -> set[int]:
    """Those of these pictures that are the same as another, and these others."""
    found: set[int] = set()
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        pairs = Pair.objects.filter(Q(first__in=some) | Q(second__in=some)).values_list("first_id", "second_id")
        found |= {key for pair in pairs for key in pair}
    return found
