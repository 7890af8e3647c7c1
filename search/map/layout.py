"""Where pictures lie on the map: feature rows in, centres in the plane out; mathematics only.

Principal components, then t-SNE (van der Maaten & Hinton 2008, as openTSNE computes it: Policar et al. 2019),
then a similarity transform that lays a new map over the old one (orthogonal Procrustes: Schonemann 1966). A unit of
the map is the width of one picture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from search.map.overlap_removal import remove_overlaps

Rows = NDArray[np.float32]
Centres = NDArray[np.float64]  # (n, 2), of pictures on the map
OnStep = Callable[[int], None]

COMPONENTS = 50
PERPLEXITY = 30
EARLY, LATE = 250, 500  # steps of t-SNE: with exaggeration, which parts the clusters, then without
STEPS = EARLY + LATE
STEPS_PER_CALL = 10  # from one call of ``step`` to the next
FEWEST = 4  # pictures: below it there is nothing to lay out
SMALL = 3_000  # below it the Barnes-Hut sums are faster than the interpolated ones
NEIGHBOURS = 10
MIN_GAP = 0.85  # between the centres of a new picture and its nearest neighbour


def principal_axes(chunks: Iterable[Rows], components: int = COMPONENTS) -> tuple[Rows, Rows]:
    """Mean ``(d,)`` and the leading axes ``(d, at most components)`` of rows that are never held all at once."""
    count, total, products = 0, np.zeros(0), np.zeros((0, 0))
    for chunk in chunks:
        rows = chunk.astype(np.float64)
        if not count:
            total, products = np.zeros(rows.shape[1]), np.zeros((rows.shape[1],) * 2)
        count += len(rows)
        total += rows.sum(axis=0)
        products += rows.T @ rows
    mean = total / max(count, 1)
    _, axes = np.linalg.eigh(products / max(count, 1) - np.outer(mean, mean))
    return mean.astype(np.float32), axes[:, ::-1][:, :components].astype(np.float32)


def start(rows: Rows, known: Centres | None = None) -> Centres:
    """Where t-SNE begins: the first two components, or the ``known`` centres; NaN rows lie by their nearest row."""
    if known is None or np.isfinite(known[:, 0]).sum() < FEWEST:
        first = np.zeros((len(rows), 2))
        first[:, : rows.shape[1]] = rows[:, :2]
    else:
        first = _filled(rows, known)
    first = first - first.mean(axis=0)
    # Very small, as the authors of openTSNE advise, so that nothing has settled; the noise parts equal rows.
    noise = np.random.default_rng(0).normal(size=first.shape) * 1e-6
    return np.asarray(first / (first[:, 0].std() or 1.0) * 1e-4 + noise)


def _filled(rows: Rows, known: Centres) -> Centres:
    """The known centres, and for each NaN that of the nearest row that has one."""
    is_known = np.isfinite(known[:, 0])
    filled = known.copy()
    if not is_known.all():
        _, nearest = cKDTree(rows[is_known]).query(rows[~is_known], k=1)
        filled[~is_known] = known[is_known][nearest]
    return filled


def embed(rows: Rows, first: Centres, step: OnStep = lambda _: None, threads: int = 2) -> Centres:
    """t-SNE of ``(n, d)`` rows from the centres ``first``; ``step`` is called with how many of ``STEPS`` are done."""
    if len(rows) < FEWEST:
        return np.column_stack([np.arange(len(rows), dtype=np.float64), np.zeros(len(rows))])
    # Threads that wait must not use up the processors, which other work may need. Read when the library is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    tsne: Any = import_module("openTSNE")  # takes half a second, and nobody but the worker needs it
    small = len(rows) < SMALL
    options: dict[str, Any] = {"n_jobs": 1 if small else threads, "random_state": 0}
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    neighbours = "exact" if small else "hnsw"
    affinities = tsne.affinity.PerplexityBasedNN(rows, perplexity=perplexity, method=neighbours, **options)
    gradient = "bh" if small else "fft"
    embedding = tsne.TSNEEmbedding(first, affinities, negative_gradient_method=gradient, **options)
    for begin, steps, how in ((0, EARLY, {"exaggeration": 12, "momentum": 0.5}), (EARLY, LATE, {"momentum": 0.8})):
        callback = _callback(begin, step)
        embedding = embedding.optimize(steps, **how, callbacks=[callback], callbacks_every_iters=STEPS_PER_CALL)
    return np.asarray(embedding, np.float64)


def _callback(begin: int, step: OnStep) -> Callable[..., None]:
    """In openTSNE's form; an exception that ``step`` raises ends the embedding."""
    return lambda iteration, *_: step(begin + iteration)


def align(centres: Centres, old: Centres) -> Centres:
    """The centres laid over ``old`` ones of the same pictures by rotating, reflecting, scaling and shifting.

    NaN rows of ``old`` are ignored; with fewer than ``FEWEST`` others nothing is changed.
    """
    on_both = np.isfinite(old[:, 0])
    if on_both.sum() < FEWEST:
        return centres
    source, target = centres[on_both], old[on_both]
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    left, strengths, right = np.linalg.svd((source - source_mean).T @ (target - target_mean))
    scale = strengths.sum() / (((source - source_mean) ** 2).sum() or 1.0)
    return np.asarray((centres - source_mean) @ (left @ right) * scale + target_mean)


def in_units(centres: Centres) -> Centres:
    """Scaled so that most pictures have their own room: the area of ``n`` of them is about a third covered."""
    if len(centres) < 2:
        return np.asarray(centres - centres.mean(axis=0))
    centred = centres - np.median(centres, axis=0)
    # Area that is really used: cells of a grid that hold anything.
    extent = np.ptp(centred, axis=0).max() or 1.0
    cells = max(4, round((len(centres) / 4) ** 0.5))
    used = len(np.unique(np.floor((centred - centred.min(axis=0)) / extent * cells * 0.999), axis=0))
    scaled: Centres = centred / (extent / cells * used**0.5) * (1.6 * len(centres)) ** 0.5
    return scaled


def lay_out(rows: Rows, old: Centres | None = None, step: OnStep = lambda _: None, threads: int = 2) -> Centres:
    """Rows ``(n, <= 50)`` -> centres ``(n, 2)`` where no two pictures cover each other much.

    ``old``: centres of the same pictures on the map before, NaN where there was none.
    """
    centres = in_units(embed(rows, start(rows, old), step, threads))
    if old is not None:
        centres = _aligned_at_own_scale(centres, old)
    return remove_overlaps(centres)


def _aligned_at_own_scale(centres: Centres, old: Centres) -> Centres:
    """Aligned, but not scaled: a collection that grew needs a larger map."""
    on_both = np.isfinite(old[:, 0])
    if on_both.sum() < FEWEST:
        return centres
    aligned = align(centres, old)
    size = np.linalg.norm(centres - centres.mean(axis=0)) / (np.linalg.norm(aligned - aligned.mean(axis=0)) or 1.0)
    middle = aligned[on_both].mean(axis=0)
    result: Centres = (aligned - middle) * size + middle
    return result


def centre_among(neighbours: Centres, distances: NDArray[np.float64], taken: cKDTree | None) -> Centres:
    """The centre ``(2,)`` of a new picture: among its ``(k, 2)`` nearest pictures, on the next free spot.

    The neighbour that has most of the others around it, weighted by similarity, leads; those near it share
    in the mean, so that a picture between two clusters lands in one of them and not in the void.
    """
    weights = np.exp(-((distances / (np.median(distances) or 1.0)) ** 2)) + 1e-9
    gaps = np.linalg.norm(neighbours[:, None] - neighbours[None], axis=2)
    reach = max(3.0, float(np.median(gaps)) / 2)
    leader = int(((gaps < reach) * weights).sum(axis=1).argmax())
    near = gaps[leader] < reach
    return free_spot(np.average(neighbours[near], axis=0, weights=weights[near]), taken)


def free_spot(centre: Centres, taken: cKDTree | None) -> Centres:
    """The first spot on a spiral (Vogel 1979) around ``centre`` that is ``MIN_GAP`` from all others."""
    if taken is None:
        return centre
    steps = np.arange(400)
    angles, radii = steps * np.pi * (3 - 5**0.5), 0.35 * np.sqrt(steps)
    spots = centre + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
    gaps, _ = taken.query(spots)
    free = np.flatnonzero(gaps >= MIN_GAP)
    chosen: Centres = spots[free[0]] if len(free) else centre
    return chosen


def morton_order(centres: Centres) -> NDArray[np.int64]:
    """Order along the Z curve (Morton 1966), so that neighbours in the plane are mostly neighbours in the order."""
    low, size = centres.min(axis=0), np.ptp(centres, axis=0).max() or 1.0
    cells = ((centres - low) / size * 65_535).astype(np.uint64)
    return np.argsort(_spaced(cells[:, 0]) | _spaced(cells[:, 1]) << np.uint64(1), kind="stable")


def _spaced(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """16-bit numbers with a zero after each bit."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        values = (values | values << np.uint64(shift)) & np.uint64(mask)
    return values
