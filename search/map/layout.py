"""Where pictures lie on the map: feature rows in, places in the plane out; mathematics only.

Principal components, then t-SNE (van der Maaten & Hinton 2008, as openTSNE computes it: Policar et al. 2019),
then a similarity that lays a new map over the old one (orthogonal Procrustes: Schonemann 1966). A unit of the
map is the width of one picture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from search.map.overlap_removal import spread

Rows = NDArray[np.float32]
Places = NDArray[np.float64]
Step = Callable[[int], None]

COMPONENTS = 50
PERPLEXITY = 30
EARLY, LATE = 250, 500  # steps of t-SNE: far from each other first, then as they are
STEPS = EARLY + LATE
EVERY = 10  # steps from one call of ``step`` to the next
FEW = 4  # pictures: below it there is nothing to lay out
SMALL = 3_000  # below it the Barnes-Hut sums are faster than the interpolated ones
NEIGHBOURS = 10


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


def start(rows: Rows, known: Places | None = None) -> Places:
    """Where t-SNE begins: the first two components, or the ``known`` places; NaN rows there lie by their neighbours."""
    if known is None or np.isfinite(known[:, 0]).sum() < FEW:
        first = np.zeros((len(rows), 2))
        first[:, : rows.shape[1]] = rows[:, :2]
    else:
        first = _filled(rows, known)
    first = first - first.mean(axis=0)
    # Very small, so that nothing has settled; a little noise parts what is equal.
    noise = np.random.default_rng(0).normal(size=first.shape) * 1e-6
    return np.asarray(first / (first[:, 0].std() or 1.0) * 1e-4 + noise)


def _filled(rows: Rows, known: Places) -> Places:
    there = np.isfinite(known[:, 0])
    filled = known.copy()
    if not there.all():
        _, nearest = cKDTree(rows[there]).query(rows[~there], k=1)
        filled[~there] = known[there][nearest]
    return filled


def embed(rows: Rows, first: Places, step: Step = lambda _: None, threads: int = 2) -> Places:
    """t-SNE of ``(n, d)`` rows from the places ``first``; ``step`` is told how many of ``STEPS`` are done."""
    if len(rows) < FEW:
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
        told = _teller(begin, step)
        embedding = embedding.optimize(steps, **how, callbacks=[told], callbacks_every_iters=EVERY)
    return np.asarray(embedding, np.float64)


def _teller(begin: int, step: Step) -> Callable[..., None]:
    return lambda iteration, *_: step(begin + iteration)


def align(places: Places, old: Places) -> Places:
    """The places laid over ``old`` ones of the same pictures by turning, mirroring, scaling and moving.

    Rows of ``old`` that are NaN have no say; fewer than ``FEW`` others, and nothing is changed.
    """
    both = np.isfinite(old[:, 0])
    if both.sum() < FEW:
        return places
    here, there = places[both], old[both]
    centre, target = here.mean(axis=0), there.mean(axis=0)
    left, strengths, right = np.linalg.svd((here - centre).T @ (there - target))
    scale = strengths.sum() / (((here - centre) ** 2).sum() or 1.0)
    return np.asarray((places - centre) @ (left @ right) * scale + target)


def in_units(places: Places) -> Places:
    """Scaled so that most pictures have their own place: the area of ``n`` of them is about a third covered."""
    if len(places) < 2:
        return np.asarray(places - places.mean(axis=0))
    centred = places - np.median(places, axis=0)
    # Area that is really used: cells of a grid that hold anything.
    extent = np.ptp(centred, axis=0).max() or 1.0
    cells = max(4, round((len(places) / 4) ** 0.5))
    used = len(np.unique(np.floor((centred - centred.min(axis=0)) / extent * cells * 0.999), axis=0))
    scaled: Places = centred / (extent / cells * used**0.5) * (1.6 * len(places)) ** 0.5
    return scaled


def lay_out(rows: Rows, old: Places | None = None, step: Step = lambda _: None, threads: int = 2) -> Places:
    """Rows ``(n, <= 50)`` -> places ``(n, 2)`` where no two pictures cover each other much.

    ``old``: places of the same pictures on the map before, NaN where there was none.
    """
    places = in_units(embed(rows, start(rows, old), step, threads))
    if old is not None:
        places = _turned(places, old)
    return spread(places)


def _turned(places: Places, old: Places) -> Places:
    """Aligned, but at its own scale: a collection that grew needs a larger map."""
    laid = align(places, old)
    both = np.isfinite(old[:, 0])
    if both.sum() < FEW:
        return places
    size = np.linalg.norm(places - places.mean(axis=0)) / (np.linalg.norm(laid - laid.mean(axis=0)) or 1.0)
    centre = laid[both].mean(axis=0)
    turned: Places = (laid - centre) * size + centre
    return turned


def place(neighbours: Places, distances: NDArray[np.float64], taken: cKDTree | None) -> Places:
    """Where a new picture belongs: ``(2,)`` among its ``(k, 2)`` nearest pictures, on the next free spot.

    The neighbour that has most of the others around it, weighed by likeness, is the centre; those near it share
    in the mean, so that a picture between two groups lands in one of them and not in the void.
    """
    weights = np.exp(-((distances / (np.median(distances) or 1.0)) ** 2)) + 1e-9
    apart = np.linalg.norm(neighbours[:, None] - neighbours[None], axis=2)
    reach = max(3.0, float(np.median(apart)) / 2)
    centre = int(((apart < reach) * weights).sum(axis=1).argmax())
    near = apart[centre] < reach
    wanted = np.average(neighbours[near], axis=0, weights=weights[near])
    return free_spot(wanted, taken)


def free_spot(wanted: Places, taken: cKDTree | None) -> Places:
    """The first spot on a spiral (Vogel 1979) around ``wanted`` that is most of a picture's width from all others."""
    if taken is None:
        return wanted
    turns = np.arange(400)
    angles, radii = turns * np.pi * (3 - 5**0.5), 0.35 * np.sqrt(turns)
    spots = wanted + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
    gaps, _ = taken.query(spots)
    good = np.flatnonzero(gaps >= 0.85)
    chosen: Places = spots[good[0]] if len(good) else wanted
    return chosen


def morton_order(places: Places) -> NDArray[np.int64]:
    """Order along the Z curve (Morton 1966), so that neighbours in the plane are mostly neighbours in the order."""
    low, size = places.min(axis=0), np.ptp(places, axis=0).max() or 1.0
    cells = ((places - low) / size * 65_535).astype(np.uint64)
    return np.argsort(_spaced(cells[:, 0]) | _spaced(cells[:, 1]) << np.uint64(1), kind="stable")


def _spaced(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """16-bit numbers with a zero after each bit."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        values = (values | values << np.uint64(shift)) & np.uint64(mask)
    return values
