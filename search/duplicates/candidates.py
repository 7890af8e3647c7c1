"""Which pairs may be duplicates, from the indexes of the spaces: only these are compared by their pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from search.collection import Image
from search.duplicates.alignment import Matrix, inverse
from search.duplicates.hashes import RADIUS, HashJoin, NearPairs, is_informative, nearest_of_each
from search.duplicates.spaces import COPIES, PARTS
from search.features.store import current
from search.features.versions import state_of
from search.methods import get_method
from search.retrieval import engine, queries
from search.retrieval.live import view_of
from search.retrieval.query import Query
from search.types import Features, Keys, Pixels

PART_CANDIDATES = 10  # of a picture
SINGULAR = 1e-6  # a transform with a smaller determinant maps a picture to a line
FEW = 200  # pictures: for more, all hashes are read and joined at once
FLAT_CANDIDATES = 8  # older pictures of the same size and colour that a flat one is compared with

Distances = dict[tuple[int, int], int]  # (smaller id, larger id) -> differing bits


def join_all() -> HashJoin:
    """All hashes that searches can find."""
    stored = list(current(state_of(COPIES)).values_list("image_id", "data"))
    rows = get_method(COPIES).rows([bytes(data) for _, data in stored if data is not None])
    return HashJoin(np.array([key for key, _ in stored], np.int64), rows)


def near_hashes(new: Mapping[int, bytes], join: HashJoin | None) -> Distances:
    """Pairs of a new picture (id -> stored hash) and any other whose hashes are near each other.

    Without a ``join`` the index that serves searches is asked for each new picture.
    """
    if not new:
        return {}
    keys = np.array(list(new), np.int64)
    forms = np.stack([get_method(COPIES).queries(data) for data in new.values()])
    near = join.near(keys, forms) if join else _search(keys, forms)
    pairs = zip(near.first.tolist(), near.second.tolist(), strict=True)
    return dict(zip(pairs, near.distances.tolist(), strict=True))


def flat_lookalikes(new: Mapping[int, bytes]) -> Iterator[tuple[int, int]]:
    """Pairs of pictures whose hashes say nothing, and that have one size and colour: their pixels may be equal."""
    keys = np.array(list(new), np.int64)
    if not len(keys):
        return
    informative = is_informative(get_method(COPIES).rows(list(new.values())))
    for image in Image.objects.filter(pk__in=keys[~informative].tolist()):
        same = Image.objects.filter(width=image.width, height=image.height, color=image.color, pk__lt=image.pk)
        yield from ((other, image.pk) for other in same.order_by("pk").values_list("pk", flat=True)[:FLAT_CANDIDATES])


def sharing_parts(image_id: int) -> dict[tuple[int, int], Matrix]:
    """Pairs of a stored picture and those that share a part with it, by verified local features.

    With the placement of the larger id's picture in the other.
    """
    if not PARTS:
        return {}
    placements = _placements(queries.query_by_image(image_id, PARTS))
    return {
        (min(image_id, key), max(image_id, key)): matrix if image_id > key else inverse(matrix)
        for key, matrix in placements.items()
    }


def placements_of(pixels: Pixels) -> dict[int, Matrix]:
    """Where a picture that is not stored lies in those stored ones that share a part with it."""
    return _placements(queries.query_by_pixels(pixels, PARTS)) if PARTS else {}


def _placements(query: Query) -> dict[int, Matrix]:
    result = engine.search(query, method=PARTS, limit=PART_CANDIDATES)
    transforms = {hit.key: hit.methods[PARTS].transform for hit in result.hits}
    homographies = {key: np.reshape(values, (3, 3)) for key, values in transforms.items() if values is not None}
    # The perspective part is small in copies, and left out.
    affine = {key: matrix[:2] / matrix[2, 2] for key, matrix in homographies.items() if abs(matrix[2, 2]) > SINGULAR}
    return {key: matrix for key, matrix in affine.items() if abs(np.linalg.det(matrix[:, :2])) > SINGULAR}


def near_hash(stored: bytes) -> list[int]:
    """Ids of the pictures near a hash, the nearest first."""
    forms = get_method(COPIES).queries(stored)
    if not is_informative(forms[:1])[0]:
        return []
    near = _search(np.array([-1]), forms[np.newaxis])  # -1: the smaller id of every pair
    nearest: list[int] = near.second[np.argsort(near.distances, kind="stable")].tolist()
    return nearest


def _search(keys: Keys, forms: Features) -> NearPairs:
    """As ``HashJoin.near``, by the index that serves searches; for few pictures."""
    view = view_of(state_of(COPIES))
    columns: list[list[Keys]] = [[np.empty(0, np.int64)] for _ in NearPairs._fields]
    for key, of_key in zip(keys.tolist(), forms, strict=True):
        if not is_informative(of_key[:1])[0]:
            continue
        for form in of_key:
            matches = view.within(form, RADIUS)
            found = np.full(len(matches), key, np.int64), matches.keys, matches.distances.astype(np.int64)
            for column, values in zip(columns, found, strict=True):
                column.append(values)
    return nearest_of_each(*(np.concatenate(column) for column in columns))
