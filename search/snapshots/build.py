"""Stored features -> an index folder on disk, made from the one before and what has changed since.

A folder is written beside the old ones, checked, renamed into place and only then named by a row, so a
process killed anywhere leaves either a whole snapshot or rubbish that nobody reads and the next build removes.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from search.exceptions import SearchError, SnapshotDamaged, SpaceUnavailable
from search.features import backlog, versions
from search.features.changelog import CHUNK, apply, changes, follows, sample
from search.indexes import INDEXES, index_class
from search.indexes.base import Index, TrainedIndex
from search.locks import alone
from search.methods import get_method
from search.methods.base import Method
from search.models import Feature, Moment, Snapshot, Space
from search.snapshots import replication
from search.snapshots.files import checksum_of, write_folder
from search.snapshots.retention import prune
from search.snapshots.shared import name_owner, note_moment, noted_moment, shared_kinds
from search.types import Message, Progress, silent

log = logging.getLogger(__name__)

WAIT = timedelta(minutes=5)  # a few changes may stay out of the snapshot for so long


def index_name(space: str) -> str:
    """Which index serves a space: that of the settings, if it knows the metric, or else its method's own."""
    method, backend = get_method(space), settings.INDEX_BACKEND
    fits = backend in INDEXES and method.metric in index_class(backend).metrics
    return settings.SPACE_INDEXES.get(space, backend if fits else method.index)


def new_index(space: str, kind: str | None = None, method: Method | None = None) -> Index:
    """An empty index of a space's metric and dimension. Raises SpaceUnavailable."""
    method = method or versions.serving(space)
    index = index_class(kind or index_name(space))(method.metric, method.dimension)
    name_owner(index, space, method.version)
    return index


def build(space: str, progress: Progress = silent) -> Snapshot | None:
    """Bring a space's snapshot up to its head; None if it is there already or somebody else is building.

    The work grows with what has changed since the last snapshot, not with the size of the collection. A version that
    was made beside the one that answers, and has all that it has, takes its place.
    """
    Space.objects.get_or_create(pk=space)
    with alone(space) as free:
        return _build(space, progress) if free else None


def rollback(space: str, by: str, *, version: bool = False) -> Snapshot:
    """Let the snapshot before the one in use serve again, or (``version``) the newest of the version before.

    The one in use is kept, with ``by`` as the reason why it is not used; a version that was left does not come again
    by itself. Raises SearchError if none is left to serve.
    """
    with alone(space) as free:
        # A build that is under way began with the snapshot that is to go, and would bring it back.
        if not free:
            raise SearchError("index_busy", space=space)
        row = Space.objects.select_related("snapshot").filter(pk=space).first()
        before = _before(row.snapshot, version) if row and row.snapshot else None
        if row is None or row.snapshot is None or before is None:
            raise SearchError("no_earlier_snapshot", space=space)
        left = row.version if before.version != row.version else row.refused
        with transaction.atomic():
            Snapshot.objects.filter(pk=row.snapshot.pk).update(problem=f"rolled back by {by}")
            Space.objects.filter(pk=space).update(snapshot=before, version=before.version, refused=left)
        return before


def behind(space: str) -> bool:
    """Whether the snapshot in use lacks changes, or cannot be used, or another version is to take its place."""
    row = Space.objects.select_related("snapshot").get(pk=space)
    wanted = versions.wanted(row)
    if len(wanted) != 1 or row.snapshot is None:
        return bool(wanted) and (len(wanted) > 1 or row.head > 0)
    return row.snapshot.sequence < row.head or not _may_serve(row, row.snapshot, wanted[0])


def due(space: str) -> bool:
    """Whether a new snapshot is worth its work: many changes, or few that have waited, or none can be used."""
    row = Space.objects.select_related("snapshot").filter(pk=space).first()
    wanted = versions.wanted(row) if row and row.head else []
    if row is None or not wanted:
        return False
    if len(wanted) > 1 and backlog.complete(space, wanted[1]):
        return True
    if row.snapshot is None or not _may_serve(row, row.snapshot, wanted[0]) or _lost(row.snapshot, wanted[0]):
        return True
    changed = _changed(row, row.snapshot, wanted)
    # A snapshot from the future was made before the clock was put back.
    waited = abs(timezone.now() - row.snapshot.created_at) > WAIT
    return changed >= settings.SNAPSHOT_TAIL or (changed > 0 and waited)


def unfit(snapshot: Snapshot, method: Method | None = None) -> str:
    """Why a snapshot cannot serve its space now, judged without reading its files; "" if it can."""
    if snapshot.problem:
        return snapshot.problem
    try:
        version = (method or versions.serving(snapshot.space_id)).version
    except SpaceUnavailable as error:
        return str(error)
    if snapshot.version != version:
        return "made by another version of the method"
    if snapshot.index != index_name(snapshot.space_id):
        return "made by another kind of index"
    return ""


def newest_index(space: str, method: Method | None = None) -> tuple[Index, Snapshot | None, Message | None]:
    """The newest snapshot of a version that loads, else an empty index; and what was wrong with a newer one.

    The version is the one that answers, if no other is named. Raises SpaceUnavailable.
    """
    row, problem = versions.row_of(space), None
    method = method or versions.serving(row)
    made = Snapshot.objects.filter(space=space)
    if row.version in ("", method.version):
        made = made.filter(pk__lte=row.snapshot_id or 0)  # what is newer than the one in use was put aside
    else:
        made = made.filter(version=method.version)
    for snapshot in made:
        try:
            return load(snapshot, method), snapshot, problem
        except SnapshotDamaged as error:
            problem = problem or error.message
            if not unfit(snapshot, method):
                log.error("Snapshot %s: %s", snapshot.folder, error)
                Snapshot.objects.filter(pk=snapshot.pk).update(problem=str(error))
    return new_index(space, method=method), None, problem


def load(snapshot: Snapshot, method: Method | None = None) -> Index:
    """Read a snapshot after checking every byte of it. Raises SnapshotDamaged with the reason, or SpaceUnavailable."""
    method = method or versions.serving(snapshot.space_id)
    if reason := unfit(snapshot, method):
        raise SnapshotDamaged("snapshot_unused", sequence=snapshot.sequence, detail=reason)
    try:
        folder = replication.bring(snapshot.folder, snapshot.checksum)
        index = index_class(snapshot.index).load(folder, method.metric, method.dimension)
    except (OSError, ValueError) as error:
        # Visitors see it: no paths of this machine.
        reason = str((isinstance(error, OSError) and error.strerror) or error)
        raise SnapshotDamaged("snapshot_damaged", sequence=snapshot.sequence, detail=reason.rstrip(".")) from error
    moments = [snapshot.moment, noted_moment(index)]
    now = Space.objects.get(pk=snapshot.space_id).moment
    if not all(follows(snapshot.space_id, now, seen) for seen in moments):
        detail = "the database was restored from a backup"
        raise SnapshotDamaged("snapshot_unused", sequence=snapshot.sequence, detail=detail)
    if len(index) != snapshot.count:
        detail = f"{len(index)} rows, not {snapshot.count}"
        raise SnapshotDamaged("snapshot_damaged", sequence=snapshot.sequence, detail=detail)
    return index


def _before(current: Snapshot, version: bool) -> Snapshot | None:
    """The newest snapshot before this one that loads, of another version if ``version``."""
    earlier = Snapshot.objects.filter(space=current.space_id, pk__lt=current.pk)
    configured = get_method(current.space_id)
    # Snapshots of shared rows differ in their version only.
    alike = Q(version=current.version) & (Q() if version else Q(index__in=shared_kinds()))
    for snapshot in earlier.exclude(alike):
        method = configured.at(snapshot.version)
        try:
            load(snapshot, method)
        except (SnapshotDamaged, SpaceUnavailable) as error:
            log.warning("No rollback to it: %s", error)
        else:
            return snapshot
    return None


def _may_serve(space: Space, snapshot: Snapshot, method: Method) -> bool:
    return not unfit(snapshot, method) and follows(space.name, space.moment, snapshot.moment)


def _lost(snapshot: Snapshot, method: Method) -> bool:
    """Whether the server does not have the rows of a shared index any more; that is quickly asked."""
    if snapshot.index not in shared_kinds():
        return False
    try:
        load(snapshot, method)
    except (SnapshotDamaged, SpaceUnavailable) as error:
        return isinstance(error, SnapshotDamaged)
    return False


def _changed(space: Space, snapshot: Snapshot, wanted: list[Method]) -> int:
    """How many changes the snapshot lacks; while another version is being made, its features do not count."""
    if len(wanted) == 1:
        return space.head - snapshot.sequence
    later = Feature.objects.filter(space=space, sequence__gt=snapshot.sequence, version=wanted[0].version)
    return later.count()


def _build(space: str, progress: Progress) -> Snapshot | None:
    """The version that answers is brought up to date; one that is complete takes its place instead."""
    wanted = versions.wanted(space)
    if not wanted:
        return None
    complete = len(wanted) > 1 and backlog.complete(space, wanted[1])
    method = wanted[1] if complete else wanted[0]
    index, base, _ = newest_index(space, method)
    row = Space.objects.get(pk=space)
    if base and base.moment == row.moment:
        if (row.snapshot_id, row.version) == (base.pk, method.version):
            prune(space)  # the last build may have been killed before it could
            return None
        snapshot = base
    else:
        after = base.sequence if base else 0
        if isinstance(index, TrainedIndex) and index.outgrown(backlog.Way(space, method).fresh().count()):
            index, after = _trained(space, method), 0
        note_moment(index, row.moment)
        _bring_up(index, space, method, after, row.head, progress)
        snapshot = _written(space, index, row.moment, method)
    _put_in_use(snapshot, method)
    prune(space)
    return snapshot


def _trained(space: str, method: Method) -> Index:
    """An empty index that has learned from a sample of what is stored."""
    index = new_index(space, method=method)
    if isinstance(index, TrainedIndex):
        index.train(sample(space, method))
    return index


def _bring_up(index: Index, space: str, method: Method, after: int, upto: int, progress: Progress) -> None:
    changed = Feature.objects.filter(space=space, sequence__gt=after, sequence__lte=upto).count()
    for chunk in progress(changes(space, method.version, after, upto), -(-changed // CHUNK), f"{space} index"):
        apply(index, space, method, chunk)


def _put_in_use(snapshot: Snapshot, method: Method) -> None:
    """The row of a snapshot is saved, and in the same transaction one UPDATE lets it answer."""
    space = snapshot.space_id
    with transaction.atomic():
        row = Space.objects.select_for_update().get(pk=space)
        snapshot.save()
        # Somebody may have refused this version, or stored pictures in the old one only, while it was being built.
        if row.version == method.version or (row.refused != method.version and backlog.complete(space, method)):
            Space.objects.filter(pk=space).update(snapshot=snapshot, version=method.version)


def _written(space: str, index: Index, moment: Moment, method: Method) -> Snapshot:
    """The folder is where all machines find it when this returns; the row is not saved yet."""
    kind = {"space": space, "version": method.version, "index": index_name(space)}
    about = {**kind, "sequence": moment.sequence}
    folder = write_folder(settings.SNAPSHOT_ROOT / space, str(moment.sequence), index, about)
    snapshot = Snapshot(
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
    replication.publish(snapshot.folder)
    return snapshot
