"""Does a space find what it should? Its live view against an exact search over all that is stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from time import perf_counter

import numpy as np
from django.utils import timezone

from search.features.changelog import changed_rows
from search.features.store import current
from search.features.versions import SpaceState, state_of, states_of
from search.indexes import new_tail
from search.methods import METHODS
from search.models import SelfCheck, Space
from search.retrieval.live import View, view_of
from search.types import Features, Keys, Matches

CHUNK = 2_000  # rows in memory at once
K = 10
EVERY = timedelta(days=1)
SAME = 1e-4  # distances that differ by less are ties: sums of float32 depend on their order


def check(space: str, sample: int = 200, seed: int = 0) -> SelfCheck:
    """Search for a random sample of what is stored, compare, and keep the result as the space's last check.

    A picture counts neither as found nor as missed by itself. What changes meanwhile is left out. Features are read
    in chunks: besides the view, only the ids of all pictures are held in memory. Raises SpaceUnavailable.
    """
    state = state_of(space)
    view = view_of(state)
    stored = np.fromiter(current(state).order_by("image_id").values_list("image_id", flat=True), np.int64)
    chosen = np.random.default_rng(seed).choice(stored, min(sample, len(stored)), replace=False)
    keys, queries = sampled(state, chosen)
    answers, times = timed_answers(view, queries)
    truths = exact(state, view, queries)
    changed = changed_since(space, view)
    certain = ~np.isin(keys, changed)
    recalls = [recall(key, answer, truth, changed) for key, answer, truth in zip(keys, answers, truths, strict=True)]
    return _save(
        space,
        sampled=len(keys),
        recall=float(np.mean(np.array(recalls)[certain])) if certain.any() else 1.0,
        times=times,
        missing=len(np.setdiff1d(np.setdiff1d(stored, view.keys()), changed)),
        orphaned=len(np.setdiff1d(np.setdiff1d(view.keys(), stored), changed)),
    )


def overdue() -> list[str]:
    """Spaces that can answer and were not checked for a day."""
    recent = set(SelfCheck.objects.filter(created_at__gt=timezone.now() - EVERY).values_list("space", flat=True))
    return [state.name for state in states_of(METHODS) if state.name not in recent and not state.problem]


def faults(check: SelfCheck, floor: float) -> list[str]:
    """What is wrong, for people; nothing if recall is not under the floor and the keys are those that are stored."""
    possible = {
        f"recall@{K} is {check.recall:.3f}, the floor is {floor}": check.recall < floor,
        f"{check.missing:,} stored pictures cannot be found": check.missing > 0,
        f"{check.orphaned:,} pictures can be found but are not stored": check.orphaned > 0,
    }
    return [text for text, wrong in possible.items() if wrong]


def _save(space: str, *, times: list[float], **measured: float) -> SelfCheck:
    p50, p95, p99 = np.percentile(times or [0.0], [50, 95, 99]).tolist()
    row = Space.objects.get_or_create(pk=space)[0]
    check = SelfCheck(space=row, p50=p50, p95=p95, p99=p99, created_at=timezone.now(), **measured)
    check.save()
    return check


def chunks(state: SpaceState) -> Iterator[tuple[Keys, Features]]:
    """All stored keys and their rows, ``CHUNK`` at a time."""
    last = -1
    # Page by page, as in the changelog.
    while True:
        after = current(state).filter(image_id__gt=last).order_by("image_id")
        chunk = list(after.values_list("image_id", "data")[:CHUNK])
        if not chunk:
            return
        keys = np.array([key for key, _ in chunk], np.int64)
        yield keys, state.serving.rows([bytes(data or b"") for _, data in chunk])
        last = chunk[-1][0]


def sampled(state: SpaceState, chosen: Keys) -> tuple[Keys, Features]:
    """Those of the keys that are stored, and their rows."""
    stored = current(state).filter(image_id__in=chosen.tolist()).values_list("image_id", "data")
    features = {key: bytes(data or b"") for key, data in stored}
    return np.array(list(features), np.int64), state.serving.rows(list(features.values()))


def timed_answers(view: View, queries: Features) -> tuple[list[Matches], list[float]]:
    """What the view finds for each query, and the milliseconds that each search took."""
    answers, times = [], []
    for query in [*queries[:1], *queries]:  # the first finds the caches cold and is not counted
        started = perf_counter()
        answers.append(view.search(query, K + 1))
        times.append(1000 * (perf_counter() - started))
    return answers[1:], times[1:]


def exact(state: SpaceState, view: View, queries: Features) -> list[Matches]:
    """The true nearest of each query, by indexes like the view's tail, which are exact."""
    nearest = [Matches.none() for _ in queries]
    for keys, rows in chunks(state):
        index = new_tail(view.index)
        index.add(keys, rows)
        for i, query in enumerate(queries):
            matches = index.search(query, K + 1)
            merged_keys = np.concatenate([nearest[i].keys, matches.keys])
            merged_distances = np.concatenate([nearest[i].distances, matches.distances])
            nearest[i] = Matches.ranked(merged_keys, merged_distances, K + 1)
    return nearest


def recall(key: int, answer: Matches, truth: Matches, changed: Keys) -> float:
    """Recall@K of an answer, 0 to 1, without the query itself; what is as near as the last of the truth is as good."""
    right = truth.keys[(truth.keys != key) & ~np.isin(truth.keys, changed)][:K]
    if not len(right):
        return 1.0
    last = truth.distances[-1]
    as_good = np.isin(answer.keys, right) | (np.abs(answer.distances - last) <= SAME)
    return min(1.0, np.count_nonzero(as_good & (answer.keys != key)) / len(right))


def changed_since(space: str, view: View) -> Keys:
    """Ids of the pictures that came, changed or went after the view."""
    return np.fromiter(changed_rows(space, view.position.sequence).values_list("image_id", flat=True), np.int64)
