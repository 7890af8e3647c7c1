"""What is deleted: old snapshots and what killed builds left, versions that nothing goes back to, old changelogs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from search.exceptions import SpaceUnavailable
from search.features.store import feature_rows
from search.features.versions import SpaceState
from search.locks import exclusive
from search.models import Commit, Feature, Snapshot
from search.snapshots import replication
from search.snapshots.shared import drop_unnamed, shared_kinds

AT_ONCE = 5_000  # rows deleted in one transaction: others want to write too


def prune(state: SpaceState) -> None:
    """Delete what is needed neither for searching nor for a rollback. The caller holds the space's lock.

    Retained are the newest snapshots of the serving version, and one of the version before it with its features; and
    the features of a version that was rolled back. A snapshot that cannot be used does not count, but stays for
    people to inspect until it is older than all that are retained.
    """
    snapshots = list(Snapshot.objects.filter(space=state.name))  # the newest first
    usable = [snapshot for snapshot in snapshots if not snapshot.problem]
    own = [snapshot for snapshot in usable if snapshot.version == state.version][: settings.SNAPSHOTS_KEPT]
    if not own:
        return
    retained = own + [snapshot for snapshot in usable if snapshot.version != state.version][:1]
    needed = {state.refused, *(snapshot.version for snapshot in retained)}
    _drop_versions(state, {snapshot.version for snapshot in snapshots}, needed)
    left = [each for each in snapshots if each in retained or (each.problem and each.pk > own[-1].pk)]
    if dropped := [snapshot.pk for snapshot in snapshots if snapshot not in left]:
        Snapshot.objects.filter(pk__in=dropped).delete()
    changelog = Commit.objects.filter(space=state.name, sequence__lt=min(snapshot.sequence for snapshot in own))
    changelog.exclude(sequence__in=[snapshot.sequence for snapshot in retained]).delete()
    replication.drop_others(state.name, [snapshot.folder for snapshot in left])
    _drop_shared_rows(state.name, left, {snapshot.index for snapshot in snapshots})


def _drop_versions(state: SpaceState, of_snapshots: set[str], needed: set[str]) -> None:
    """Delete the features of versions whose snapshots go. A kill in between leaves the snapshots: it is done again."""
    fresh = feature_rows(state.name).filter(stale=False).order_by("version").values_list("version", flat=True)
    now = replace(state)  # its methods are of the models that are configured now: a build may have taken minutes
    dropped = {*fresh.distinct(), *of_snapshots} - needed - {method.version for method in now.targets}
    rows = Feature.objects.filter(space=state.name, version__in=dropped)
    # A version's features are most of the database: one DELETE of all would block the writers for minutes.
    ids = list(rows.values_list("pk", flat=True)) if dropped else []
    for start in range(0, len(ids), AT_ONCE):
        Feature.objects.filter(pk__in=ids[start : start + AT_ONCE]).delete()


def _drop_shared_rows(space: str, snapshots: Sequence[Snapshot], kinds: set[str]) -> None:
    """Delete rows on servers that no snapshot names; none of them while it cannot be read what one names."""
    named: list[Path] = []
    for snapshot in snapshots:
        if snapshot.index not in shared_kinds():
            continue
        try:
            named.append(replication.fetch(snapshot.folder, snapshot.checksum))
        except (OSError, ValueError, SpaceUnavailable):
            if not snapshot.problem:
                return
    drop_unnamed(space, kinds, named)


def drop_local(space: str) -> None:
    """Delete the folders that this machine has fetched and no snapshot names; not while another process builds."""
    if not replication.is_shared():
        return
    with exclusive(space) as free:
        if free:
            replication.drop_others(space, Snapshot.objects.filter(space=space).values_list("folder", flat=True))
