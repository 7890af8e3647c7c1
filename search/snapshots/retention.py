"""What may be forgotten: old snapshots and what killed builds left, versions nobody goes back to, old history."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from search.exceptions import SpaceUnavailable
from search.features import versions
from search.locks import alone
from search.models import Commit, Feature, Snapshot
from search.snapshots import replication
from search.snapshots.shared import drop_unnamed, shared_kinds

AT_ONCE = 5_000  # rows deleted in one transaction: others want to write too


def prune(space: str) -> None:
    """Remove what is not needed for searching or for a way back. Call when no other works on the space's snapshots.

    Kept are the newest of the version that answers, and one of the version before it, with its features; and the
    features of a version that was rolled back. What cannot be used does not count, but stays for a look until it is
    older than all that is kept.
    """
    row, snapshots = versions.row_of(space), Snapshot.objects.filter(space=space)
    usable = snapshots.filter(problem="")
    kinds = set(snapshots.order_by().values_list("index", flat=True))
    own = list(usable.filter(version=row.version)[: settings.SNAPSHOTS_KEPT])
    if not own:
        return
    kept = own + list(usable.exclude(version=row.version)[:1])
    _drop_versions(space, {row.refused, *(one.version for one in kept)})
    snapshots.exclude(pk__in=[one.pk for one in kept]).exclude(pk__gt=own[-1].pk, problem__gt="").delete()
    history = Commit.objects.filter(space=space, sequence__lt=min(one.sequence for one in own))
    history.exclude(sequence__in=[one.sequence for one in kept]).delete()
    replication.drop(space, snapshots.values_list("folder", flat=True))
    _drop_collections(space, kinds)


def _drop_versions(space: str, kept: set[str]) -> None:
    """Delete the features of versions whose snapshots go. A kill in between leaves the snapshots: it is done again."""
    kept |= {method.version for method in versions.wanted(space)}
    features, snapshots = Feature.objects.filter(space=space), Snapshot.objects.filter(space=space)
    fresh = features.filter(data__isnull=False, stale=False).order_by("version").values_list("version", flat=True)
    going = {*fresh.distinct(), *snapshots.values_list("version", flat=True)} - kept
    ids = list(features.filter(version__in=going).values_list("pk", flat=True)) if going else []
    for start in range(0, len(ids), AT_ONCE):
        Feature.objects.filter(pk__in=ids[start : start + AT_ONCE]).delete()


def _drop_collections(space: str, kinds: set[str]) -> None:
    """Drop shared rows that no snapshot names; none while it cannot be read what one names."""
    kept: list[Path] = []
    for one in Snapshot.objects.filter(space=space, index__in=shared_kinds()):
        try:
            kept.append(replication.bring(one.folder, one.checksum))
        except (OSError, ValueError, SpaceUnavailable):
            if not one.problem:
                return
    drop_unnamed(space, kinds, kept)


def drop_here(space: str) -> None:
    """Remove what this machine has fetched, and nobody needs any more; not while somebody is building."""
    if not replication.is_shared():
        return
    with alone(space) as free:
        if free:
            replication.drop(space, Snapshot.objects.filter(space=space).values_list("folder", flat=True))
