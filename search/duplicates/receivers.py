"""What happens to groups when the gallery changes, inside the gallery's own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from search.collection import Decoded, Image, NearDuplicate, images_added, images_deleted, near_duplicates_requested
from search.duplicates.grouping import AT_ONCE, regroup
from search.duplicates.models import Pair, Recheck
from search.duplicates.near_duplicates import near_duplicates_of


@receiver(images_deleted)
def remove_from_groups(ids: Sequence[int], **_: object) -> None:
    """At once. Their duplicates are compared again, for they may be duplicates of pictures not compared so far."""
    if paired := _paired(ids):
        remaining = sorted(paired - set(ids))
        Recheck.objects.bulk_create([Recheck(image_id=key) for key in remaining], ignore_conflicts=True)
        regroup(ids, without=frozenset(ids))


@receiver(images_added)
def return_to_groups(ids: Sequence[int], **_: object) -> None:
    """Pictures that are restored from the trash are in their groups again at once."""
    if _paired(ids):
        regroup(ids)


@receiver(near_duplicates_requested)
def tell_near_duplicates(image: Image, decoded: Decoded, **_: Any) -> list[NearDuplicate]:
    """Asked before a picture is stored, so outside of a transaction."""
    return near_duplicates_of(image, decoded.pixels)


def _paired(ids: Sequence[int]) -> set[int]:
    """Those of these pictures that have duplicates, and their duplicates."""
    keys: set[int] = set()
    for start in range(0, len(ids), AT_ONCE):
        chunk = ids[start : start + AT_ONCE]
        pairs = Pair.objects.filter(Q(first__in=chunk) | Q(second__in=chunk)).values_list("first_id", "second_id")
        keys |= {key for pair in pairs for key in pair}
    return keys
