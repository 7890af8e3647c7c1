"""New and changed pictures -> pairs and groups. What was looked at is written down with what was found there.

The sequence of the hash space's changes tells what is new, so nothing is looked at twice and nothing is missed;
a process killed anywhere goes on from the last batch that was stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from search.collection import Image
from search.duplicates import candidates, comparison
from search.duplicates.alignment import Matrix
from search.duplicates.grouping import lock_groups, regroup
from search.duplicates.hashes import Joined
from search.duplicates.models import Cursor, Pair, Recheck
from search.duplicates.pixel_cache import PixelCache, Unreadable
from search.duplicates.relations import SAME_PIXELS, TRANSFORMS, Comparison
from search.duplicates.spaces import COPIES, PARTS
from search.features.changelog import changed_rows
from search.features.store import current
from search.features.versions import state_of
from search.locks import exclusive
from search.models import Feature
from search.types import Progress, silent

BATCH = 128  # pictures in one transaction
PARTS_BATCH = 8  # to look for parts of one takes as long as to compare the hashes of hundreds


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures to look at in a space, and the sequence up to which that is all of its changes."""

    space: str
    new: tuple[int, ...]
    sequence: int
    again: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Clue:
    """Why two pictures may be the same: bits in which their hashes differ, or where a part of one is in the other."""

    distance: int | None = None
    place: Matrix | None = None


def waiting() -> int:
    """How many changes of spaces and single pictures are still to be looked at."""
    return sum(waiting_in(space) for space in _spaces()) + Recheck.objects.count()


def waiting_in(space: str) -> int:
    """How many changes of a space are still to be looked at."""
    return _changes(space, _cursor(space).sequence).count()


def find(progress: Progress = silent, seconds: float = float("inf")) -> int:
    """Look at what is new, for about so long; returns how many pictures were looked at.

    0 at once if somebody else is looking. Safe to call at any time and to kill.
    """
    with exclusive("duplicates") as free:
        if not free or not (total := waiting()):
            return 0
        with transaction.atomic():
            lock_groups()
            Cursor.objects.filter(pk=COPIES).update(problem="")
        joined = candidates.collection() if total > candidates.FEW else None
        pictures, looked, started = PixelCache(), 0, monotonic()
        for batch in progress(_batches(), -(-total // BATCH), "batches of pictures"):
            _store(batch, _found(batch, joined, pictures))
            looked += len(batch.new) + len(batch.again)
            if monotonic() - started > seconds:
                break
        return looked


def look_again() -> None:
    """Have every picture looked at once more; groups and what was decided stay."""
    with transaction.atomic():
        lock_groups()
        Cursor.objects.update(sequence=0)


def compare(one: Image, two: Image, pictures: PixelCache, clue: Clue) -> Comparison | None:
    """How two stored pictures relate.

    None also where a picture cannot be read.
    """
    same_size = (one.width, one.height) == (two.width, two.height)
    try:
        if same_size and not clue.distance and pictures.hash(one) == pictures.hash(two):
            return SAME_PIXELS
        # What few bits of a hash do not tell apart is compared small; parts need to be looked at closely.
        side = comparison.SIDE if clue.distance is not None else comparison.CLOSE_SIDE
        first, second = pictures.small(one), pictures.small(two)
        return comparison.compare(first, second, resized=not same_size, side=side, placement=clue.place)
    except Unreadable:
        return None


def _batches() -> Iterator[Batch]:
    """What is to be looked at, as of each time that it is asked for more."""
    for space in _spaces():
        while True:
            sequence, most = _cursor(space).sequence, BATCH if space == COPIES else PARTS_BATCH
            rows = list(_changes(space, sequence).order_by("sequence").values_list("sequence", "image_id")[:most])
            again = tuple(Recheck.objects.values_list("pk", flat=True)[:BATCH]) if space == COPIES else ()
            if not rows and not again:
                break
            yield Batch(space, tuple(key for _, key in rows), rows[-1][0] if rows else sequence, again)


def _found(batch: Batch, joined: Joined | None, pictures: PixelCache) -> list[Pair]:
    """The pairs that are new, compared by their pixels."""
    wanted = _wanted(batch, joined)
    ids = {key for keys in wanted for key in keys}
    known = set(Pair.objects.filter(first__in=ids, second__in=ids).values_list("first_id", "second_id"))
    images = Image.objects.in_bulk(ids)
    found = []
    for (one, two), clue in sorted(wanted.items(), key=lambda item: item[0]):
        if (one, two) in known or one not in images or two not in images:
            continue
        if related := compare(images[one], images[two], pictures, clue):
            found.append(_row(one, two, related))
    return found


def _wanted(batch: Batch, joined: Joined | None) -> dict[tuple[int, int], Clue]:
    """Which pairs to compare."""
    wanted: dict[tuple[int, int], Clue] = {}
    for key in batch.again if batch.space == COPIES else batch.new:
        wanted |= {keys: Clue(place=place) for keys, place in candidates.parts_of(key).items()}
    if batch.space == COPIES:
        keys = batch.new + batch.again
        rows = current(state_of(COPIES)).filter(image_id__in=keys).values_list("image_id", "data")
        hashes = {key: bytes(data) for key, data in rows if data is not None}
        wanted |= dict.fromkeys(candidates.blank(hashes), Clue(0))
        wanted |= {pair: Clue(distance) for pair, distance in candidates.close(hashes, joined).items()}
    return wanted


def _row(one: int, two: int, related: Comparison) -> Pair:
    return Pair(
        first_id=one,
        second_id=two,
        relation=related.relation,
        turn=TRANSFORMS.index(related.transform),
        matrix=related.matrix.round(6).tolist(),
        difference=round(related.difference, 3),
        first_share=round(related.shares[0], 4),
        second_share=round(related.shares[1], 4),
    )


@transaction.atomic
def _store(batch: Batch, found: list[Pair]) -> None:
    """Pairs, groups and how far it got: all of it or nothing. Pictures that went meanwhile are left out."""
    ids = {key for pair in found for key in (pair.first_id, pair.second_id)}
    alive = set(Image.objects.select_for_update(no_key=True).filter(pk__in=ids).values_list("pk", flat=True))
    lock_groups()
    kept = [pair for pair in found if pair.first_id in alive and pair.second_id in alive]
    Pair.objects.bulk_create(kept, ignore_conflicts=True)
    regroup({key for pair in kept for key in (pair.first_id, pair.second_id)})
    Recheck.objects.filter(pk__in=batch.again).delete()
    Cursor.objects.update_or_create(
        pk=batch.space, defaults={"version": _version(batch.space), "sequence": batch.sequence}
    )
    Cursor.objects.filter(pk=COPIES).update(looked_at=timezone.now())


def _spaces() -> list[str]:
    """The spaces whose changes are looked through, one after the other."""
    return [space for space in (COPIES, PARTS) if space]


def _cursor(space: str) -> Cursor:
    """How far it got; nowhere, if that was with another version of the method."""
    cursor = Cursor.objects.filter(pk=space).first() or Cursor(space=space)
    if cursor.version != _version(space):
        cursor.sequence = 0
    return cursor


def _version(space: str) -> str:
    return state_of(space).serving.version


def _changes(space: str, after: int) -> QuerySet[Feature]:
    return changed_rows(space, after, version=_version(space)).filter(data__isnull=False)
