"""Stored features -> an index folder on disk, made from the one before and what has changed since.

A folder is written next to the old ones, checked, renamed and only then named by a row, so a process killed anywhere
leaves either a complete snapshot or a folder that nobody reads and the next build removes.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from search.exceptions import SnapshotDamaged, SpaceUnavailable
from search.features.backlog import TargetVersion, complete
from search.features.changelog import CHUNK, apply, changed_rows, changes, contains, sample
from search.features.versions import SpaceState, state_of
from search.indexes.base import Index, TrainedIndex
from search.locks import exclusive
from search.methods.base import Method
from search.models import Snapshot, Space
from search.snapshots import replication
from search.snapshots.files import checksum_of, write_folder
from search.snapshots.loading import LoadedIndex, index_name, load, new_index, newest_index, unfit
from search.snapshots.retention import prune
from search.snapshots.shared import note_position, shared_kinds
from search.types import Progress, silent

log = logging.getLogger(__name__)

WAIT = timedelta(minutes=5)  # a few changes may stay out of the snapshot for so long


def build(space: str, progress: Progress = silent) -> Snapshot | None:
    """Bring a space's snapshot up to its head; None if it is there already or another process is building.

    The work grows with what has changed since the last snapshot, not with the size of the collection. A coming version
    that has all that the serving one has takes its place.
    """
    with exclusive(space) as free:
        # Read under the lock: what another builder has just made must be the base of this build.
        return _build(state_of(space), progress) if free else None


def behind(state: SpaceState) -> bool:
    """Whether the snapshot in use lacks changes, or cannot be used, or a coming version is to take its place."""
    if not state.targets or state.coming:
        return bool(state.coming)
    if state.snapshot is None:
        return state.position.sequence > 0
    return state.snapshot.sequence < state.position.sequence or not _may_serve(state, state.snapshot)


def due(state: SpaceState) -> bool:
    """Whether a new snapshot is worth its work: many changes, or few that have waited, or none can be used."""
    snapshot = state.snapshot
    if not state.targets or not state.position.sequence:
        return False
    if complete(state) or snapshot is None or not _may_serve(state, snapshot) or _lost(state, snapshot):
        return True
    changed = _count_changes(state, snapshot)
    # A snapshot from the future was made before the clock was put back.
    waited = abs(timezone.now() - snapshot.created_at) > WAIT
    return changed >= settings.SNAPSHOT_TAIL or (changed > 0 and waited)


def _may_serve(state: SpaceState, snapshot: Snapshot) -> bool:
    return not unfit(snapshot, state.serving) and contains(state.name, state.position, snapshot.position)


def _lost(state: SpaceState, snapshot: Snapshot) -> bool:
    """Whether the server of a shared index has lost its rows. False while it does not answer."""
    if snapshot.index not in shared_kinds():
        return False
    try:
        load(snapshot, state, state.serving)
    except (SnapshotDamaged, SpaceUnavailable) as error:
        return isinstance(error, SnapshotDamaged)
    return False


def _count_changes(state: SpaceState, snapshot: Snapshot) -> int:
    """How many changes the snapshot lacks; while another version is being made, its features do not count."""
    if state.coming is None:
        return state.position.sequence - snapshot.sequence
    return changed_rows(state.name, snapshot.sequence, version=state.serving.version).count()


def _build(state: SpaceState, progress: Progress) -> Snapshot | None:
    """Bring the serving version up to date, or the coming one if that is complete and takes its place."""
    if not state.targets:
        return None
    method = state.coming if state.coming and complete(state) else state.serving
    loaded = newest_index(state, method)
    snapshot = loaded.snapshot
    # A snapshot at the head that does not serve was left by a build that was killed before it could activate it.
    if snapshot is None or snapshot.position != state.position:
        snapshot = _made(state, method, loaded, progress)
    elif (state.snapshot_id, state.version) == (snapshot.pk, method.version):
        prune(state)  # the last build may have been killed before it could
        return None
    prune(_activated(state, snapshot, method))
    return snapshot


def _made(state: SpaceState, method: Method, loaded: LoadedIndex, progress: Progress) -> Snapshot:
    """A snapshot of all changes up to the state's position; its folder is written, its row not saved yet."""
    index, after = loaded.index, loaded.snapshot.sequence if loaded.snapshot else 0
    if isinstance(index, TrainedIndex) and index.outgrown(TargetVersion(state.name, method).fresh().count()):
        index, after = _trained(state.name, method), 0
    # Before the first change: a worker killed in between leaves rows that are ahead, and readers must know.
    note_position(index, state.position)
    upto = state.position.sequence
    chunks = -(-changed_rows(state.name, after, upto).count() // CHUNK)
    for chunk in progress(changes(state.name, method.version, after, upto), chunks, f"{state.name} index"):
        apply(index, state.name, method, chunk)
    return _written(state, index, method)


def _trained(space: str, method: Method) -> Index:
    """An empty index that has learned from a sample of what is stored."""
    index = new_index(space, method)
    if isinstance(index, TrainedIndex):
        index.train(sample(space, method))
    return index


def _written(state: SpaceState, index: Index, method: Method) -> Snapshot:
    """The folder is where all machines find it when this returns. Raises SpaceUnavailable or OSError."""
    space, (sequence, token) = state.name, state.position
    kind = {"space": space, "version": method.version, "index": index_name(space)}
    folder = write_folder(settings.SNAPSHOT_ROOT / space, str(sequence), index, {**kind, "sequence": sequence})
    snapshot = Snapshot(
        space_id=space,
        version=kind["version"],
        index=kind["index"],
        sequence=sequence,
        token=token,
        count=len(index),
        bytes=sum(path.stat().st_size for path in folder.iterdir()),
        folder=f"{space}/{folder.name}",
        checksum=checksum_of(folder),
    )
    # Before the row is saved: a machine that reads the row must find the folder.
    replication.publish(snapshot.folder)
    return snapshot


def _activated(state: SpaceState, snapshot: Snapshot, method: Method) -> SpaceState:
    """Save the snapshot's row and in the same transaction let it serve by one UPDATE; the state after that.

    It does not serve if its version was refused or has lost its completeness while it was being built.
    """
    row = Space.objects.filter(pk=state.name)
    acceptable = Q(version=method.version) | (Q(version=state.version) & ~Q(refused=method.version))
    with transaction.atomic():
        if not state.position.sequence:
            Space.objects.get_or_create(pk=state.name)  # nothing was ever stored in it
        snapshot.save()
        if method is state.coming:
            # Writers of features lock this row, so none can be stored between this check and the commit.
            row.select_for_update().get()
            if not complete(state):
                return state
        if not row.filter(acceptable).update(snapshot=snapshot, version=method.version):
            return state
    return replace(state, version=method.version, snapshot_id=snapshot.pk, snapshot=snapshot)
