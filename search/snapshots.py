"""Stored features -> an index folder on disk, made from the one before and what has changed since.

A folder is written beside the old ones, checked, renamed into place and only then named by a row, so a
process killed anywhere leaves either a whole snapshot or rubbish that nobody reads and the next build removes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from search.exceptions import SnapshotDamaged
from search.indexes import index_class
from search.indexes.base import Index
from search.indexes.metrics import METRICS
from search.methods import get_method
from search.models import Feature, Snapshot, Space
from search.progress import Progress, silent

log = logging.getLogger(__name__)

FORMAT = 1  # of the folder; a reader skips what it does not know
CHUNK = 2_000  # rows in memory at once
LEASE = timedelta(seconds=60)  # renewed with every chunk


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
    if not _take_lease(space):
        return None
    try:
        return _build(space, progress)
    finally:
        Space.objects.filter(pk=space).update(building_until=None)


def behind(space: str) -> bool:
    """Whether the snapshot in use lacks changes, or cannot be used."""
    row = Space.objects.select_related("snapshot").get(pk=space)
    if row.snapshot is None:
        return row.head > 0
    return row.snapshot.sequence < row.head or bool(unfit(row.snapshot))


def due(space: str) -> bool:
    """Whether a new snapshot is worth its work: many changes, or few that have waited, or none can be used."""
    row = Space.objects.select_related("snapshot").filter(pk=space).first()
    if row is None or row.head == 0:
        return False
    if row.snapshot is None or unfit(row.snapshot):
        return True
    changed = row.head - row.snapshot.sequence
    waited = timezone.now() - row.snapshot.created_at > timedelta(minutes=5)
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
    folder = settings.SNAPSHOT_ROOT / snapshot.folder
    method = get_method(snapshot.space_id)
    try:
        _verify(folder, snapshot.checksum)
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


def _take_lease(space: str) -> bool:
    free = Q(building_until__isnull=True) | Q(building_until__lt=timezone.now())
    until = timezone.now() + LEASE
    return Space.objects.filter(free, pk=space).update(building_until=until) == 1


def _build(space: str, progress: Progress) -> Snapshot | None:
    index, base, _ = newest_index(space)
    head = Space.objects.get(pk=space).head
    after = base.sequence if base else 0
    if base and after == head:
        if Space.objects.filter(pk=space, snapshot=base).exists():
            return None
    total = -(-Feature.objects.filter(space=space, sequence__gt=after, sequence__lte=head).count() // CHUNK)
    for changed in progress(changes(space, after, head), total, f"{space} index"):
        apply(index, space, changed)
        Space.objects.filter(pk=space).update(building_until=timezone.now() + LEASE)
    snapshot = _write(space, index, head)
    _use(snapshot)
    prune(space)
    return snapshot


def _write(space: str, index: Index, sequence: int) -> Snapshot:
    """Write the folder whole, under a name that is used once; the row is not saved yet."""
    root = settings.SNAPSHOT_ROOT / space
    unique = uuid4().hex[:12]
    unfinished = root / f".{unique}"
    unfinished.mkdir(parents=True)
    index.save(unfinished)
    meta = {
        "format": FORMAT,
        "space": space,
        "version": get_method(space).version,
        "index": index_name(space),
        "metric": index.metric,
        "dimension": index.dimension,
        "count": len(index),
        "sequence": sequence,
        "files": {path.name: _digest(path) for path in sorted(unfinished.iterdir())},
    }
    (unfinished / "meta.json").write_text(json.dumps(meta, indent=1))
    for path in (*unfinished.iterdir(), unfinished):
        _flush(path)
    folder = root / f"{sequence}-{unique}"
    unfinished.rename(folder)
    _flush(root)
    return Snapshot(
        space_id=space,
        version=meta["version"],
        index=meta["index"],
        sequence=sequence,
        count=len(index),
        bytes=sum(path.stat().st_size for path in folder.iterdir()),
        folder=f"{space}/{folder.name}",
        checksum=_digest(folder / "meta.json"),
    )


def _use(snapshot: Snapshot) -> None:
    """From now on this one serves, unless a later one does already."""
    with transaction.atomic():
        snapshot.save()
        later = Q(snapshot__sequence__gt=snapshot.sequence, snapshot__problem="", snapshot__index=snapshot.index)
        Space.objects.exclude(later).filter(pk=snapshot.space_id).update(snapshot=snapshot)


def prune(space: str) -> None:
    """Remove all but the newest snapshots, and what killed builds left behind. Call while holding the lease."""
    kept = list(Snapshot.objects.filter(space=space)[: settings.SNAPSHOTS_KEPT])
    current = Space.objects.get(pk=space).snapshot_id
    Snapshot.objects.filter(space=space).exclude(pk__in=[*(one.pk for one in kept), current]).delete()
    named = {Path(one).name for one in Snapshot.objects.filter(space=space).values_list("folder", flat=True)}
    for folder in (settings.SNAPSHOT_ROOT / space).iterdir():
        if folder.name not in named:
            shutil.rmtree(folder, ignore_errors=True)


def _verify(folder: Path, checksum: str) -> None:
    if _digest(folder / "meta.json") != checksum:
        raise ValueError("meta.json has changed")
    meta = json.loads((folder / "meta.json").read_text())
    if meta["format"] != FORMAT:
        raise ValueError(f"its format is {meta['format']}, this program reads {FORMAT}")
    for name, digest in meta["files"].items():
        if _digest(folder / name) != digest:
            raise ValueError(f"{name} has changed")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
