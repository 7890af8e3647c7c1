"""Stored features -> an index folder on disk, made from the one before and what has changed since.

A folder is written beside the old ones, checked, renamed into place and only then named by a row, so a
process killed anywhere leaves either a whole snapshot or rubbish that nobody reads and the next build removes.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from search.exceptions import SearchError, SnapshotDamaged
from search.indexes import index_class
from search.indexes.base import Index
from search.indexes.metrics import METRICS
from search.methods import get_method
from search.models import Commit, Feature, Moment, Snapshot, Space
from search.progress import Progress, silent
from search.snapshot_files import check_folder, checksum_of, write_folder

log = logging.getLogger(__name__)

CHUNK = 2_000  # rows in memory at once
WAIT = timedelta(minutes=5)  # a few changes may stay out of the snapshot for so long


def index_name(space: str) -> str:
    """Which index serves a space: the setting's, or else its method's own."""
    return settings.SPACE_INDEXES.get(space, get_method(space).index)


def new_index(space: str, kind: str | None = None) -> Index:
    """An empty index of a space's metric and dimension."""
    method = get_method(space)
    return index_class(kind or index_name(space))(method.metric, method.dimension)


def build(space: str, progress: Progress = silent) -> Snapshot | None:
    """Bring a space's snapshot up to its head; None if it is there already or somebody else is building.

    The work grows with what has changed since the last snapshot, not with the size of the collection.
    """
    Space.objects.get_or_create(pk=space)
    with _alone(space) as alone:
        return _build(space, progress) if alone else None


def rollback(space: str, by: str) -> Snapshot:
    """Let the snapshot before the one in use serve again; the next build goes on from it.

    The one in use is kept, with ``by`` as the reason why it is not used. Raises SearchError if none is left to serve.
    """
    with _alone(space) as alone:
        # A build that is under way began with the snapshot that is to go, and would bring it back.
        if not alone:
            raise SearchError(f"The index of {space} is being built now. Try again when it is done.")
        row = Space.objects.select_related("snapshot").filter(pk=space).first()
        before = _before(row.snapshot) if row and row.snapshot else None
        if row is None or row.snapshot is None or before is None:
            raise SearchError(f"There is no earlier snapshot of {space} that could serve.")
        with transaction.atomic():
            Snapshot.objects.filter(pk=row.snapshot.pk).update(problem=f"rolled back by {by}")
            Space.objects.filter(pk=space).update(snapshot=before)
        return before


def behind(space: str) -> bool:
    """Whether the snapshot in use lacks changes, or cannot be used."""
    row = Space.objects.select_related("snapshot").get(pk=space)
    if row.snapshot is None:
        return row.head > 0
    return row.snapshot.sequence < row.head or not _may_serve(row, row.snapshot)


def due(space: str) -> bool:
    """Whether a new snapshot is worth its work: many changes, or few that have waited, or none can be used."""
    row = Space.objects.select_related("snapshot").filter(pk=space).first()
    if row is None or row.head == 0:
        return False
    if row.snapshot is None or not _may_serve(row, row.snapshot):
        return True
    changed = row.head - row.snapshot.sequence
    # A snapshot from the future was made before the clock was put back.
    waited = abs(timezone.now() - row.snapshot.created_at) > WAIT
    return changed >= settings.SNAPSHOT_TAIL or (changed > 0 and waited)


def unfit(snapshot: Snapshot) -> str:
    """Why a snapshot cannot serve its space now, judged without reading its files; "" if it can."""
    if snapshot.problem:
        return snapshot.problem
    if snapshot.version != get_method(snapshot.space_id).version:
        return "made by another version of the method"
    if snapshot.index != index_name(snapshot.space_id):
        return "made by another kind of index"
    return ""


def follows(space: str, now: Moment, seen: Moment) -> bool:
    """Whether the space's history up to ``now`` contains what was ``seen``.

    It does not when the database was restored from a backup that is older than what was seen.
    """
    if seen.sequence >= now.sequence or not seen.token:
        return seen.sequence <= now.sequence and seen.token in ("", now.token)
    return Commit.objects.filter(space=space, sequence=seen.sequence, token=seen.token).exists()


def newest_index(space: str) -> tuple[Index, Snapshot | None, str]:
    """The newest snapshot that loads, else an empty index; and what was wrong with a newer one, or ""."""
    problem = ""
    row = Space.objects.select_related("snapshot").filter(pk=space).first()
    if row is None or row.snapshot is None:
        return new_index(space), None, problem
    for snapshot in Snapshot.objects.filter(space=space, pk__lte=row.snapshot.pk):
        try:
            return load(snapshot), snapshot, problem
        except SnapshotDamaged as error:
            problem = problem or str(error)
            if not unfit(snapshot):
                log.error("Snapshot %s: %s", snapshot.folder, error)
                Snapshot.objects.filter(pk=snapshot.pk).update(problem=str(error))
    return new_index(space), None, problem


def load(snapshot: Snapshot) -> Index:
    """Read a snapshot after checking every byte of it. Raises SnapshotDamaged with the reason."""
    if reason := unfit(snapshot):
        raise SnapshotDamaged(f"Snapshot {snapshot.sequence} is not used: {reason}.")
    now = Space.objects.get(pk=snapshot.space_id).moment
    if not follows(snapshot.space_id, now, snapshot.moment):
        raise SnapshotDamaged(f"Snapshot {snapshot.sequence} is not used: the database was restored from a backup.")
    folder = settings.SNAPSHOT_ROOT / snapshot.folder
    method = get_method(snapshot.space_id)
    try:
        check_folder(folder, snapshot.checksum)
        index = index_class(snapshot.index).load(folder, method.metric, method.dimension)
    except (OSError, ValueError) as error:
        raise SnapshotDamaged(f"Snapshot {snapshot.sequence} is damaged: {error}.") from error
    if len(index) != snapshot.count:
        raise SnapshotDamaged(f"Snapshot {snapshot.sequence} is damaged: {len(index)} rows, not {snapshot.count}.")
    return index


def changes(space: str, after: int, upto: int | None = None) -> Iterator[list[tuple[int, bytes | None]]]:
    """What happened in a space after a sequence, in order, in chunks: (image id, stored feature or None if gone)."""
    rows = Feature.objects.filter(space=space, version=get_method(space).version)
    while True:
        found = list(
            rows.filter(Q(sequence__gt=after) & (Q() if upto is None else Q(sequence__lte=upto)))
            .order_by("sequence")
            .values_list("sequence", "image_id", "data")[:CHUNK]
        )
        if not found:
            return
        yield [(key, None if data is None else bytes(data)) for _, key, data in found]
        after = found[-1][0]


def apply(index: Index, space: str, changed: list[tuple[int, bytes | None]]) -> None:
    """Take over changes: removals, additions and replacements."""
    gone = [key for key, data in changed if data is None]
    kept = [(key, data) for key, data in changed if data is not None]
    if gone:
        index.remove(np.array(gone, np.int64))
    if kept:
        rows = get_method(space).rows([data for _, data in kept])
        if rows.shape[1] != index.dimension or rows.dtype != METRICS[index.metric].dtype:
            raise ValueError(f"features of {space} have the wrong shape or type: {rows.shape}, {rows.dtype}")
        index.add(np.array([key for key, _ in kept], np.int64), rows)


@contextmanager
def _alone(space: str) -> Iterator[bool]:
    """Whether no other process works on a space's snapshots until this ends.

    The lock is the system's, on a file: it is free as soon as its holder is dead, whatever the clock says.
    """
    settings.SNAPSHOT_ROOT.mkdir(parents=True, exist_ok=True)
    with (settings.SNAPSHOT_ROOT / f"{space}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _may_serve(space: Space, snapshot: Snapshot) -> bool:
    return not unfit(snapshot) and follows(space.name, space.moment, snapshot.moment)


def _before(current: Snapshot) -> Snapshot | None:
    """The newest snapshot before this one that loads."""
    for snapshot in Snapshot.objects.filter(space=current.space_id, pk__lt=current.pk):
        try:
            load(snapshot)
        except SnapshotDamaged as error:
            log.warning("No rollback to it: %s", error)
        else:
            return snapshot
    return None


def _build(space: str, progress: Progress) -> Snapshot | None:
    index, base, _ = newest_index(space)
    now = Space.objects.get(pk=space).moment
    if base and base.moment == now and Space.objects.filter(pk=space, snapshot=base).exists():
        prune(space)  # the last build may have been killed before it could
        return None
    after = base.sequence if base else 0
    total = -(-Feature.objects.filter(space=space, sequence__gt=after, sequence__lte=now.sequence).count() // CHUNK)
    for changed in progress(changes(space, after, now.sequence), total, f"{space} index"):
        apply(index, space, changed)
    snapshot = _written(space, index, now)
    with transaction.atomic():
        snapshot.save()
        Space.objects.filter(pk=space).update(snapshot=snapshot)
    prune(space)
    return snapshot


def _written(space: str, index: Index, moment: Moment) -> Snapshot:
    """The folder is on disk when this returns; the row is not saved yet."""
    kind = {"space": space, "version": get_method(space).version, "index": index_name(space)}
    about = {**kind, "sequence": moment.sequence}
    folder = write_folder(settings.SNAPSHOT_ROOT / space, str(moment.sequence), index, about)
    return Snapshot(
        space_id=space,
        version=kind["version"],
        index=kind["index"],
        sequence=moment.sequence,
        token=moment.token,
        count=len(index),
        bytes=sum(path.stat().st_size for path in folder.iterdir()),
        folder=f"{space}/{folder.name}",
        checksum=checksum_of(folder),
    )


def prune(space: str) -> None:
    """Remove old snapshots, what killed builds left behind, and the history that nobody asks for. Call when alone.

    What cannot be used does not count, but stays for a look until it is older than all that is kept.
    """
    snapshots = Snapshot.objects.filter(space=space)
    kept = list(snapshots.filter(problem="")[: settings.SNAPSHOTS_KEPT])
    snapshots.filter(pk__lt=kept[-1].pk).delete()
    Commit.objects.filter(space=space, sequence__lt=min(one.sequence for one in kept)).delete()
    named = {Path(one).name for one in snapshots.values_list("folder", flat=True)}
    for folder in (settings.SNAPSHOT_ROOT / space).iterdir():
        if folder.name not in named:
            shutil.rmtree(folder, ignore_errors=True)
