"""An index folder on disk -> an index in memory that may serve a space."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.conf import settings

from search.exceptions import SnapshotDamaged
from search.features.changelog import contains
from search.features.versions import SpaceState
from search.indexes import INDEXES, index_class
from search.indexes.base import Index
from search.methods import get_method
from search.methods.base import Method
from search.models import Position, Snapshot, Space
from search.snapshots import replication
from search.snapshots.shared import name_owner, noted_position
from search.types import Message

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedIndex:
    """An index, the snapshot that it was read from or None if it is empty, and what is wrong with a newer one."""

    index: Index
    snapshot: Snapshot | None
    problem: Message | None = None


def index_name(space: str) -> str:
    """Which index serves a space: that of the settings, if it knows the metric, or else its method's own."""
    method, backend = get_method(space), settings.INDEX_BACKEND
    fits = backend in INDEXES and method.metric in index_class(backend).metrics
    return settings.SPACE_INDEXES.get(space, backend if fits else method.index)


def new_index(space: str, method: Method) -> Index:
    """An empty index for a version of a space. Raises SpaceUnavailable."""
    index = index_class(index_name(space))(method.metric, method.dimension)
    name_owner(index, space, method.version)
    return index


def unfit(snapshot: Snapshot, method: Method) -> str:
    """Why a snapshot cannot serve a version now, judged without reading its files; "" if it can."""
    if snapshot.problem:
        return snapshot.problem
    if snapshot.version != method.version:
        return "made by another version of the method"
    if snapshot.index != index_name(snapshot.space_id):
        return "made by another kind of index"
    return ""


def newest_index(state: SpaceState, method: Method) -> LoadedIndex:
    """The newest snapshot of a version that loads, or else an empty index. Raises SpaceUnavailable."""
    problem = None
    snapshots = Snapshot.objects.filter(space=state.name)
    if state.version in ("", method.version):
        # What is newer than the one in use was rolled back.
        snapshots = snapshots.filter(pk__lte=state.snapshot_id or 0)
    else:
        snapshots = snapshots.filter(version=method.version)
    for snapshot in snapshots:
        try:
            return LoadedIndex(load(snapshot, state, method), snapshot, problem)
        except SnapshotDamaged as error:
            problem = problem or error.message
            # A snapshot of another index is not damaged: it serves again when the setting is put back.
            if not unfit(snapshot, method):
                log.error("Snapshot %s: %s", snapshot.folder, error)
                Snapshot.objects.filter(pk=snapshot.pk).update(problem=str(error))
    return LoadedIndex(new_index(state.name, method), None, problem)


def load(snapshot: Snapshot, state: SpaceState, method: Method) -> Index:
    """Read a snapshot after checking every byte of it. Raises SnapshotDamaged with the reason, or SpaceUnavailable."""
    if reason := unfit(snapshot, method):
        raise SnapshotDamaged("snapshot_unused", sequence=snapshot.sequence, detail=reason)
    try:
        folder = replication.fetch(snapshot.folder, snapshot.checksum)
        index = index_class(snapshot.index).load(folder, method.metric, method.dimension)
    except (OSError, ValueError) as error:
        # Visitors see it: no paths of this machine.
        reason = str((isinstance(error, OSError) and error.strerror) or error)
        raise SnapshotDamaged("snapshot_damaged", sequence=snapshot.sequence, detail=reason.rstrip(".")) from error
    if not all(_happened(state, position) for position in (snapshot.position, noted_position(index))):
        detail = "the database was restored from a backup"
        raise SnapshotDamaged("snapshot_unused", sequence=snapshot.sequence, detail=detail)
    # The files are as they were written, but the rows of a shared index are not in them.
    if len(index) != snapshot.count:
        detail = f"{len(index)} rows, not {snapshot.count}"
        raise SnapshotDamaged("snapshot_damaged", sequence=snapshot.sequence, detail=detail)
    return index


def _happened(state: SpaceState, position: Position) -> bool:
    """Whether the space's changelog has this position."""
    if position.sequence <= state.position.sequence:
        return contains(state.name, state.position, position)
    # A worker has changed the rows of a shared index since the state was read, or is of a database that is no more.
    return contains(state.name, Space.objects.get(pk=state.name).position, position)
