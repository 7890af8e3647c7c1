"""New and changed pictures -> stored pairs and groups; how far that got is stored in the same transactions.

The sequence numbers of a space's changes say what is new, so that nothing is compared twice and nothing is missed;
a process that is killed anywhere continues after the last batch that was stored.
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
from search.duplicates.hashes import HashJoin
from search.duplicates.models import Cursor, Pair, Recheck
from search.duplicates.pixel_cache import PixelCache, Unreadable
from search.duplicates.relations import SAME_PIXELS, TRANSFORMS, Comparison
from search.duplicates.spaces import COPIES, PARTS
from search.features.changelog import changed_rows
from search.features.store import current
from search.features.versions import SpaceState, states_of
from search.locks import exclusive
from search.models import Feature
from search.types import Progress, silent

BATCH = 128  # pictures in one transaction
PARTS_BATCH = 8  # the search for parts of one picture takes as long as comparing the hashes of hundreds


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures to compare in a space, which are all of its changes up to ``sequence``; ``recheck``: other pictures."""

    state: SpaceState
    new: tuple[int, ...]
    sequence: int
    recheck: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Clue:
    """Why two pictures may be duplicates: bits in which their hashes differ, or where one lies in the other."""

    distance: int | None = None
    placement: Matrix | None = None


def waiting() -> int:
    """How many changes of spaces and single pictures are still to be compared."""
    return sum(_changes(state).count() for state in _states()) + Recheck.objects.count()


def waiting_copies() -> int:
    """How many changes of the space of copies are still to be compared."""
    return sum(_changes(state).count() for state in _states() if state.name == COPIES)


def detect(progress: Progress = silent, seconds: float = float("inf")) -> int:
    """Compare what is new, for about so long; returns how many pictures were compared.

    0 at once if another process does. Safe to call at any time and to kill.
    """
    with exclusive("duplicates") as free:
        if not free or not (total := waiting()):
            return 0
        with transaction.atomic():
            lock_groups()
            Cursor.objects.filter(pk=COPIES).update(problem="")
        join = candidates.join_all() if total > candidates.FEW else None
        cache, compared, started = PixelCache(), 0, monotonic()
        for batch in progress(_batches(), -(-total // BATCH), "batches of pictures"):
            _store(batch, _compare_batch(batch, join, cache))
            compared += len(batch.new) + len(batch.recheck)
            if monotonic() - started > seconds:
                break
        return compared


def restart() -> None:
    """Have every picture compared once more; groups and decisions stay."""
    with transaction.atomic():
        lock_groups()
        Cursor.objects.update(sequence=0)


def compare(first: Image, second: Image, cache: PixelCache, clue: Clue) -> Comparison | None:
    """How two stored pictures relate; None also where one of them cannot be read."""
    same_size = (first.width, first.height) == (second.width, second.height)
    try:
        if same_size and not clue.distance and cache.hash(first) == cache.hash(second):
            return SAME_PIXELS
        # Pictures whose hashes are near each other are compared small; parts need more pixels.
        side = comparison.SIDE if clue.distance is not None else comparison.CLOSE_SIDE
        pixels, second_pixels = cache.small(first), cache.small(second)
        return comparison.compare(pixels, second_pixels, resized=not same_size, side=side, placement=clue.placement)
    except Unreadable:
        return None


def _states() -> list[SpaceState]:
    """The spaces whose changes are compared, one after the other."""
    return states_of(space for space in (COPIES, PARTS) if space)


def _batches() -> Iterator[Batch]:
    """Each is read from the database when it is asked for, after the one before was stored."""
    for state in _states():
        copies = state.name == COPIES
        while True:
            changes = _changes(state).order_by("sequence").values_list("sequence", "image_id")
            rows = list(changes[: BATCH if copies else PARTS_BATCH])
            recheck = tuple(Recheck.objects.values_list("pk", flat=True)[:BATCH]) if copies else ()
            if not rows and not recheck:
                break
            sequence = rows[-1][0] if rows else _compared_up_to(state)
            yield Batch(state, tuple(key for _, key in rows), sequence, recheck)


def _compare_batch(batch: Batch, join: HashJoin | None, cache: PixelCache) -> list[Pair]:
    """The new pairs of duplicates, compared by their pixels."""
    clues = _clues(batch, join)
    ids = {key for keys in clues for key in keys}
    known = set(Pair.objects.filter(first__in=ids, second__in=ids).values_list("first_id", "second_id"))
    images = Image.objects.in_bulk(ids)
    pairs = []
    for (first, second), clue in sorted(clues.items(), key=lambda item: item[0]):
        if (first, second) in known or first not in images or second not in images:
            continue
        if compared := compare(images[first], images[second], cache, clue):
            pairs.append(_row(first, second, compared))
    return pairs


def _clues(batch: Batch, join: HashJoin | None) -> dict[tuple[int, int], Clue]:
    """Which pairs to compare, and why."""
    copies = batch.state.name == COPIES
    clues: dict[tuple[int, int], Clue] = {}
    for key in batch.recheck if copies else batch.new:
        clues |= {pair: Clue(placement=matrix) for pair, matrix in candidates.sharing_parts(key).items()}
    if copies:
        rows = current(batch.state).filter(image_id__in=batch.new + batch.recheck).values_list("image_id", "data")
        hashes = {key: bytes(data) for key, data in rows if data is not None}
        clues |= dict.fromkeys(candidates.flat_lookalikes(hashes), Clue(0))
        clues |= {pair: Clue(distance) for pair, distance in candidates.near_hashes(hashes, join).items()}
    return clues


def _row(first: int, second: int, compared: Comparison) -> Pair:
    return Pair(
        first_id=first,
        second_id=second,
        relation=compared.relation,
        turn=TRANSFORMS.index(compared.transform),
        matrix=compared.matrix.round(6).tolist(),
        difference=round(compared.difference, 3),
        first_share=round(compared.shares[0], 4),
        second_share=round(compared.shares[1], 4),
    )


@transaction.atomic
def _store(batch: Batch, pairs: list[Pair]) -> None:
    """Pairs, groups and how far it got: all or nothing. Pictures that were deleted meanwhile are left out."""
    ids = {key for pair in pairs for key in (pair.first_id, pair.second_id)}
    existing = set(Image.objects.select_for_update(no_key=True).filter(pk__in=ids).values_list("pk", flat=True))
    lock_groups()
    pairs = [pair for pair in pairs if pair.first_id in existing and pair.second_id in existing]
    Pair.objects.bulk_create(pairs, ignore_conflicts=True)
    regroup({key for pair in pairs for key in (pair.first_id, pair.second_id)})
    Recheck.objects.filter(pk__in=batch.recheck).delete()
    Cursor.objects.update_or_create(
        pk=batch.state.name, defaults={"version": batch.state.serving.version, "sequence": batch.sequence}
    )
    Cursor.objects.filter(pk=COPIES).update(looked_at=timezone.now())


def _compared_up_to(state: SpaceState) -> int:
    """Sequence number; 0 if another version of the method was compared before."""
    cursor = Cursor.objects.filter(pk=state.name).first()
    return cursor.sequence if cursor and cursor.version == state.serving.version else 0


def _changes(state: SpaceState) -> QuerySet[Feature]:
    """Features that were stored after the last comparison."""
    rows = changed_rows(state.name, _compared_up_to(state), version=state.serving.version)
    return rows.filter(data__isnull=False)
