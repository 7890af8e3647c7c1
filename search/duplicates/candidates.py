"""Which pictures may be the same as some: asked of the spaces' indexes, never of all pictures one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from search.collection import Image
from search.duplicates.alignment import Matrix, inverse
from search.duplicates.hashes import RADIUS, Joined, Near, nearest_of_each, telling
from search.duplicates.spaces import COPIES, PARTS
from search.features.store import current
from search.features.versions import state_of
from search.methods import get_method
from search.retrieval import engine, queries
from search.retrieval.live import view_of
from search.retrieval.query import Query
from search.types import Features, Keys, Pixels

PARTS_ASKED = 10
NOTHING = 1e-6
FEW = 200  # pictures: for more, all hashes are read and joined at once
BLANKS = 8  # older pictures of the same size and colour that a flat one is compared with

Close = dict[tuple[int, int], int]  # (smaller id, larger id) -> differing bits


def collection() -> Joined:
    """All hashes that searches can find."""
    stored = list(current(state_of(COPIES)).values_list("image_id", "data"))
    rows = get_method(COPIES).rows([bytes(data) for _, data in stored if data is not None])
    return Joined(np.array([key for key, _ in stored], np.int64), rows)


def close(new: Mapping[int, bytes], joined: Joined | None) -> Close:
    """Pairs of a new picture, id -> stored hash, and any other whose hashes are near each other."""
    if not new:
        return {}
    keys = np.array(list(new), np.int64)
    forms = np.stack([get_method(COPIES).queries(data) for data in new.values()])
    near = joined.near(keys, forms) if joined else _asked(keys, forms)
    pairs = zip(near.first.tolist(), near.second.tolist(), strict=True)
    return dict(zip(pairs, near.distances.tolist(), strict=True))


def blank(new: Mapping[int, bytes]) -> Iterator[tuple[int, int]]:
    """Pairs of pictures whose hashes say nothing: those of one size and colour, of which all pixels may be equal."""
    keys = np.array(list(new), np.int64)
    if not len(keys):
        return
    says = telling(get_method(COPIES).rows(list(new.values())))
    for image in Image.objects.filter(pk__in=keys[~says].tolist()):
        same = Image.objects.filter(width=image.width, height=image.height, color=image.color, pk__lt=image.pk)
        yield from ((other, image.pk) for other in same.order_by("pk").values_list("pk", flat=True)[:BLANKS])


def parts_of(image_id: int) -> dict[tuple[int, int], Matrix]:
    """Pairs of a stored picture and those that share a part with it, as verified local features say.

    With where the larger id's picture lies in the other.
    """
    if not PARTS:
        return {}
    found = _by_parts(queries.query_by_image(image_id, PARTS))
    return {
        (min(image_id, key), max(image_id, key)): place if image_id > key else inverse(place)
        for key, place in found.items()
    }


def with_parts_of(pixels: Pixels) -> dict[int, Matrix]:
    """The same of a picture that is not stored: where it lies in those that are."""
    return _by_parts(queries.query_by_pixels(pixels, PARTS)) if PARTS else {}


def _by_parts(query: Query) -> dict[int, Matrix]:
    result = engine.search(query, method=PARTS, limit=PARTS_ASKED)
    transforms = {hit.key: hit.methods[PARTS].transform for hit in result.hits}
    places = {key: np.reshape(seen, (3, 3)) for key, seen in transforms.items() if seen is not None}
    # What a perspective adds to it is small in copies, and left out.
    affine = {key: place[:2] / place[2, 2] for key, place in places.items() if abs(place[2, 2]) > NOTHING}
    return {key: place for key, place in affine.items() if abs(np.linalg.det(place[:, :2])) > NOTHING}


def like(stored: bytes) -> list[int]:
    """Ids of the pictures near a hash, the nearest first."""
    forms = get_method(COPIES).queries(stored)
    if not telling(forms[:1])[0]:
        return []
    near = _asked(np.array([-1]), forms[np.newaxis])
    nearest: list[int] = near.second[np.argsort(near.distances, kind="stable")].tolist()
    return nearest


def _asked(keys: Keys, forms: Features) -> Near:
    """As ``Joined.near``, of the living index; for few pictures."""
    view = view_of(state_of(COPIES))
    askers, found, apart = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for key, of_key in zip(keys.tolist(), forms, strict=True):
        if not telling(of_key[:1])[0]:
            continue
        for form in of_key:
            matches = view.within(form, RADIUS)
            askers.append(np.full(len(matches), key, np.int64))
            found.append(matches.keys)
            apart.append(matches.distances.astype(np.int64))
    return nearest_of_each(np.concatenate(askers), np.concatenate(found), np.concatenate(apart))
