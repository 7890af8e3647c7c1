"""Does a space find what it should? Its live view against an exact search over all that is stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from time import perf_counter

import numpy as np
from django.utils import timezone

from search.features.store import current
from search.features.versions import problem, serving
from search.indexes import new_tail
from search.methods import METHODS
from search.models import Feature, SelfCheck, Space
from search.retrieval.live import View, live
from search.types import Features, Keys, Matches

CHUNK = 2_000  # rows in memory at once
K = 10
EVERY = timedelta(days=1)
SAME = 1e-4  # distances that differ by less are ties: sums of float32 depend on their order


def check(space: str, sample: int = 200, seed: int = 0) -> SelfCheck:
    """Search for a random sample of what is stored, compare, and keep the result as the space's last check.

    A picture counts neither as found nor as missed by itself. What changes meanwhile is left out. Features are read
    in chunks: beside the view, only the ids of all pictures are held in memory.
    """
    view = live(space).view()
    stored = np.fromiter(current(space).order_by("image_id").values_list("image_id", flat=True), np.int64)
    chosen = np.random.default_rng(seed).choice(stored, min(sample, len(stored)), replace=False)
    keys, queries = sampled(space, chosen)
    found, times = answers(view, queries)
    truths = exact(space, queries)
    moved = changed_since(space, view)
    unsure = np.isin(keys, moved)
    shares = [share(*one, moved) for one in zip(keys, found, truths, strict=True)]
    return _keep(
        space,
        sampled=len(keys),
        recall=float(np.mean(np.array(shares)[~unsure])) if not unsure.all() else 1.0,
        times=times,
        missing=len(np.setdiff1d(np.setdiff1d(stored, view.keys()), moved)),
        orphaned=len(np.setdiff1d(np.setdiff1d(view.keys(), stored), moved)),
    )


def overdue() -> list[str]:
    """Spaces that can answer and were not checked for a day."""
    recent = SelfCheck.objects.filter(created_at__gt=timezone.now() - EVERY).values_list("space", flat=True)
    return [space for space in METHODS if space not in set(recent) and not problem(space)]


def faults(checked: SelfCheck, floor: float) -> list[str]:
    """What is wrong, for people; nothing if recall is not under the floor and the keys are those that are stored."""
    told = {
        f"recall@{K} is {checked.recall:.3f}, the floor is {floor}": checked.recall < floor,
        f"{checked.missing:,} stored pictures cannot be found": checked.missing > 0,
        f"{checked.orphaned:,} pictures can be found but are not stored": checked.orphaned > 0,
    }
    return [text for text, wrong in told.items() if wrong]


def _keep(space: str, *, times: list[float], **measured: float) -> SelfCheck:
    p50, p95, p99 = np.percentile(times or [0.0], [50, 95, 99]).tolist()
    row = Space.objects.get_or_create(pk=space)[0]
    checked = SelfCheck(space=row, p50=p50, p95=p95, p99=p99, created_at=timezone.now(), **measured)
    checked.save()
    return checked


def chunks(space: str) -> Iterator[tuple[Keys, Features]]:
    """All stored keys and their rows."""
    method, last = serving(space), -1
    while True:
        after = current(space).filter(image_id__gt=last).order_by("image_id")
        found = list(after.values_list("image_id", "data")[:CHUNK])
        if not found:
            return
        yield np.array([key for key, _ in found], np.int64), method.rows([bytes(data or b"") for _, data in found])
        last = found[-1][0]


def sampled(space: str, chosen: Keys) -> tuple[Keys, Features]:
    """The rows of these keys, as they are stored."""
    found = current(space).filter(image_id__in=chosen.tolist()).values_list("image_id", "data")
    pairs = [(key, bytes(data or b"")) for key, data in found]
    return np.array([key for key, _ in pairs], np.int64), serving(space).rows([data for _, data in pairs])


def answers(view: View, queries: Features) -> tuple[list[Matches], list[float]]:
    """What the view finds, and the milliseconds that each search took."""
    found, times = [], []
    for query in [*queries[:1], *queries]:  # the first is not counted
        started = perf_counter()
        found.append(view.search(query, K + 1))
        times.append(1000 * (perf_counter() - started))
    return found[1:], times[1:]


def exact(space: str, queries: Features) -> list[Matches]:
    """The true nearest of each query, by an index that is made for a few rows and misses none."""
    index = live(space).view().index
    nearest = [Matches.none() for _ in queries]
    for keys, rows in chunks(space):
        few = new_tail(index)
        few.add(keys, rows)
        for i, query in enumerate(queries):
            found = few.search(query, K + 1)
            both = (
                np.concatenate([nearest[i].keys, found.keys]),
                np.concatenate([nearest[i].distances, found.distances]),
            )
            nearest[i] = Matches.ranked(*both, K + 1)
    return nearest


def share(key: int, found: Matches, truth: Matches, moved: Keys) -> float:
    """How much of the truth was found; what is as near as the last of it is as good."""
    right = truth.keys[(truth.keys != key) & ~np.isin(truth.keys, moved)][:K]
    if not len(right):
        return 1.0
    last = truth.distances[-1]
    as_good = np.isin(found.keys, right) | (np.abs(found.distances - last) <= SAME)
    return min(1.0, np.count_nonzero(as_good & (found.keys != key)) / len(right))


def changed_since(space: str, view: View) -> Keys:
    later = Feature.objects.filter(space=space, sequence__gt=view.moment.sequence)
    return np.fromiter(later.values_list("image_id", flat=True), np.int64)
