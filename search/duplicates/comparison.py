"""Two pictures -> how they relate, or None if they only look alike from afar; mathematics on pixels only.

Both are shrunk, the second is transformed in the eight ways of the dihedral group, and the difference that is left
is measured block by block. Where that is too large, keypoints look for the place of one in the other, and only what
overlaps is compared.
"""

from __future__ import annotations

import numpy as np

from search.duplicates.alignment import IDENTITY, Matrix, before, by_keypoints, nearest_transform, warp
from search.duplicates.measures import (
    Grey,
    difference,
    difference_within,
    grey,
    is_flat,
    resize,
    show_the_same,
    shrink,
    standardized,
)
from search.duplicates.relations import TRANSFORMS, Comparison, Relation
from search.kernels.dihedral import Dihedral
from search.types import Pixels

SIDE = 256  # longest side at which pictures are compared
CLOSE_SIDE = 512  # where a small part of one may be the other
COARSE = 24  # side at which the eight transforms are tried
MARGIN = 0.02  # of correlation, by which a transform must be better than none
SAME_SHAPE = 0.03  # relative difference of the aspect ratios
PLAIN_MEAN, PLAIN_WORST = 9.0, 20.0  # levels of 255: what scaling and compression do, on the whole and in a block
OVERLAP = 0.5  # of one of the two areas, at least
FEWEST_PIXELS = 400  # of the overlap
ENTIRE = 0.94  # of a picture's area; what shows more of it is no crop


def compare(
    first: Pixels, second: Pixels, *, resized: bool, side: int = SIDE, placement: Matrix | None = None
) -> Comparison | None:
    """How two pictures relate; ``resized`` tells whether their files have different sizes.

    Pixels may be those of thumbnails, (h, w, 3) uint8. Flat pictures relate to nothing: see ``pixel_hash``.
    ``placement``: where other features found the second in the first; it is tried last.
    """
    # Neither is scaled up: what the smaller one has lost would count as an edit.
    side = min(side, max(first.shape[:2]), max(second.shape[:2]))
    first, second = shrink(first, side), shrink(second, side)
    if is_flat(first) or is_flat(second):
        return None
    transform = best_transform(first, second)
    transformed = np.ascontiguousarray(transform.apply(second))
    fitted = resize(transformed, first.shape[1], first.shape[0])
    mean, worst = difference(first, fitted)
    if mean <= PLAIN_MEAN and worst <= PLAIN_WORST:
        unmoved = Relation.RESIZED if resized else Relation.RECOMPRESSED
        return _entire(transform, unmoved, mean)
    # Before the comparison of the entire pictures, for a narrow crop is much like the picture that it is of.
    matrix = by_keypoints(first, transformed)
    if matrix is not None and (placed := _placed(first, second, before(transform, matrix))):
        return placed
    if _same_shape(first, transformed) and show_the_same(first, fitted):
        return _entire(transform, Relation.EDITED, mean)
    return None if placement is None else _placed(first, second, placement)


def best_transform(first: Pixels, second: Pixels) -> Dihedral:
    """The transform that makes the second most like the first; none if that is as good."""
    wanted = _coarse(first)
    scores = {each: float((wanted * _coarse(each.apply(second))).mean()) for each in TRANSFORMS}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] > scores[Dihedral.IDENTITY] + MARGIN else Dihedral.IDENTITY


def _entire(transform: Dihedral, unmoved: Relation, mean: float) -> Comparison:
    """Both show the same entirely; ``unmoved`` is their relation if there is no transform."""
    relation = unmoved if transform is Dihedral.IDENTITY else Relation.MIRRORED_OR_ROTATED
    return Comparison(relation, transform, before(transform, IDENTITY), mean)


def _placed(first: Pixels, second: Pixels, matrix: Matrix) -> Comparison | None:
    """The comparison, if the second shows the same as the first where the matrix puts it."""
    height, width = first.shape[:2]
    warped, covered = warp(second, matrix, (width, height))
    of_first = float(covered.mean())
    of_second = of_first / max(1e-6, abs(float(np.linalg.det(matrix[:, :2]))))
    if max(of_first, of_second) < OVERLAP or covered.sum() < FEWEST_PIXELS:
        return None
    if not show_the_same(first, warped, covered):
        return None
    transform, rotated = nearest_transform(matrix, first, second)
    relation = _relation(transform, rotated, entire=min(of_first, of_second) >= ENTIRE)
    shares = min(1.0, of_first), min(1.0, of_second)
    return Comparison(relation, transform, matrix, difference_within(first, warped, covered), shares)


def _relation(transform: Dihedral, rotated: bool, *, entire: bool) -> Relation:
    # What is rotated by some degrees lacks its corners, and is no crop for that.
    if not entire and not rotated:
        return Relation.CROP
    moved = rotated or transform is not Dihedral.IDENTITY
    return Relation.MIRRORED_OR_ROTATED if moved else Relation.EDITED


def _same_shape(first: Pixels, second: Pixels) -> bool:
    ratios = [pixels.shape[1] / pixels.shape[0] for pixels in (first, second)]
    # A small picture's sides are rounded by half a pixel.
    slack = SAME_SHAPE + 1 / min(*first.shape[:2], *second.shape[:2])
    return bool(abs(np.log(ratios[0] / ratios[1])) <= slack)


def _coarse(pixels: Pixels) -> Grey:
    """Standardized grey, ``COARSE`` pixels square whatever the shape."""
    return standardized(grey(resize(pixels, COARSE, COARSE)))
