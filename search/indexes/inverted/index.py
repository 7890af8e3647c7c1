"""An inverted file of visual words: which pictures' keypoints share the most words with a query's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from search.exceptions import SnapshotDamaged
from search.indexes.base import TrainedIndex
from search.indexes.metrics import checked_query, checked_rows, last_of_each
from search.kernels.arrays import load_arrays, save_arrays
from search.keypoints import scoring
from search.keypoints.codec import ORB, SIFT, raw_points, unpack
from search.keypoints.vocabulary import SAMPLE, SHIPPED, SIGNATURE, Vocabulary, shipped, train
from search.keypoints.voting import Postings, merged, remapped
from search.types import Features, Keys, Matches

FORMAT = 1
FILES = ("starts", "slots", "signatures", "marks")  # of the postings
LARGEST = 1024  # words of a vocabulary
ENOUGH = 300  # pictures that a vocabulary is trained on, at least
GROWN = 8  # times as many pictures, and it is trained anew, up to the largest
STEP = 4  # a part of the index is merged with the next one unless it is so many times larger
KIND_OF = {"votes": SIFT, "votes-orb": ORB}


class Pictures(NamedTuple):
    """Each picture by its slot: key, number of keypoints, digest of its row, whether it was removed."""

    keys: Keys
    counts: NDArray[np.int32]
    digests: NDArray[np.uint64]
    dead: NDArray[np.bool_]


NO_PICTURES = Pictures(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.uint64), np.empty(0, np.bool_))


class InvertedIndex(TrainedIndex):
    """Metric ``votes`` or ``votes-orb``: 0.9 to 1 by votes, 0 for the very same keypoints (keypoints/scoring.py).

    Rows are stored keypoints (search/keypoints/codec.py) filled up with zeros; the index holds 14 bytes of each. New
    rows make a part of their own; parts of like size are merged. Removed pictures are marked, and swept when they are
    half. Exact for its vocabulary: one that was trained on the collection finds more than the shipped one.
    """

    metrics: ClassVar[frozenset[str]] = frozenset({"votes", "votes-orb"})
    exact: ClassVar[bool] = True

    def __init__(self, metric: str, dimension: int) -> None:
        super().__init__(metric, dimension)
        self._own: Vocabulary | None = None
        self._learned_from = 0
        self._slots: dict[int, int] = {}
        self._pictures = NO_PICTURES
        self._parts: list[Postings] = []

    def add(self, keys: Keys, features: Features) -> None:
        keys, features = last_of_each(keys, checked_rows(self.metric, self.dimension, features))
        if not len(keys):
            return
        self.remove(keys)
        first = len(self._pictures.keys)
        self._slots |= zip(keys.tolist(), range(first, first + len(keys)), strict=True)
        counts = np.array([len(raw_points(row)) for row in features], np.int32)
        digests = np.array([scoring.digest(row) for row in features], np.uint64)
        added = Pictures(keys, counts, digests, np.zeros(len(keys), np.bool_))
        self._pictures = joined(self._pictures, added)
        self._parts.append(self._posted(features, first))
        while len(self._parts) > 1 and len(self._parts[-2].slots) < STEP * len(self._parts[-1].slots):
            self._parts[-2:] = [merged(*self._parts[-2:])]

    def remove(self, keys: Keys) -> None:
        gone = [self._slots.pop(key) for key in np.unique(keys).tolist() if key in self._slots]
        if gone:
            dead = self._pictures.dead.copy()
            dead[gone] = True
            self._pictures = self._pictures._replace(dead=dead)
        if 2 * len(self._slots) < len(self._pictures.keys):
            self._sweep()

    def search(self, feature: Features, k: int, allowed: Keys | None = None) -> Matches:
        matches = self._measured(checked_query(self.metric, self.dimension, feature), allowed)
        if not 0 < k < len(matches):
            return Matches.ranked(matches.keys, matches.distances, max(k, 0))
        # All pictures as near as the k-th take part, so that ties are decided by key.
        chosen = matches.distances <= np.partition(matches.distances, k - 1)[k - 1]
        return Matches.ranked(matches.keys[chosen], matches.distances[chosen], k)

    def within(self, feature: Features, radius: float) -> Matches:
        matches = self._measured(checked_query(self.metric, self.dimension, feature), None)
        chosen = matches.distances <= radius
        return Matches.ranked(matches.keys[chosen], matches.distances[chosen])

    def outgrown(self, count: int) -> bool:
        """Whether an index of ``count`` pictures should be built anew with a vocabulary trained on them."""
        if len(self._vocabulary) >= LARGEST:
            return False
        return count >= max(ENOUGH, GROWN * self._learned_from)

    def train(self, features: Features) -> None:
        """Train a vocabulary on a sample of the rows to come. Raises ``ValueError`` if there are rows already."""
        if len(self):
            raise ValueError("A vocabulary must be learned before pictures are added.")
        pictures = [unpack(row).vectors for row in checked_rows(self.metric, self.dimension, features)]
        size = min(sum(map(len, pictures)) // SAMPLE, LARGEST)
        if size > SHIPPED:
            self._own, self._learned_from = train(pictures, size), len(pictures)

    def empty_copy(self) -> Self:
        twin = type(self)(self.metric, self.dimension)
        twin._own, twin._learned_from = self._own, self._learned_from
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = self.empty_copy()
        # Arrays are never changed in place, so both can share them.
        twin._slots, twin._pictures, twin._parts = self._slots.copy(), self._pictures, self._parts.copy()
        return twin

    def keys(self) -> Keys:
        return np.sort(np.fromiter(self._slots, np.int64, len(self._slots)))

    def save(self, folder: Path) -> None:
        self._sweep()
        words = self._vocabulary
        head = np.array([FORMAT, self.dimension, self._learned_from], np.int64)
        save_arrays(folder, {"head": head, "centres": words.centres, "weights": words.weights})
        save_arrays(folder, self._pictures._asdict())
        save_arrays(folder, dict(zip(FILES, self._merged_parts(), strict=True)))

    @classmethod
    def load(cls, folder: Path, metric: str, dimension: int) -> Self:
        names = ("head", "centres", "weights", *Pictures._fields, *FILES)
        head, centres, weights, *arrays = load_arrays(folder, names)
        pictures, postings = Pictures(*arrays[:4]), Postings(*arrays[4:])
        if head[:2].tolist() != [FORMAT, dimension] or not fit(centres, weights, pictures, postings):
            raise SnapshotDamaged("index_format")
        index = cls(metric, dimension)
        index._own, index._learned_from = Vocabulary(np.array(centres), np.array(weights)), int(head[2])
        index._slots = dict(zip(pictures.keys.tolist(), range(len(pictures.keys)), strict=True))
        index._pictures, index._parts = pictures, [postings]
        return index

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def _vocabulary(self) -> Vocabulary:
        return self._own or shipped(KIND_OF[self.metric])

    def _posted(self, features: Features, first: int) -> Postings:
        return scoring.posted(KIND_OF[self.metric], self._vocabulary, features, first)

    def _measured(self, query: Features, allowed: Keys | None) -> Matches:
        """All live pictures, or the allowed of them, and their distances."""
        pictures = self._pictures
        live = ~pictures.dead
        if allowed is not None:
            live &= np.isin(pictures.keys, allowed)
        slots = np.flatnonzero(live)
        if not len(slots):
            return Matches.none()
        votes = scoring.votes_for(self._parts, KIND_OF[self.metric], self._vocabulary, query, len(live))
        distances = scoring.distances(query, votes[slots], pictures.counts[slots], pictures.digests[slots])
        return Matches(pictures.keys[slots], distances)

    def _merged_parts(self) -> Postings:
        """All postings in one part."""
        nothing = self._posted(np.empty((0, self.dimension), np.uint8), 0)
        while len(self._parts) > 1:
            self._parts[-2:] = [merged(*self._parts[-2:])]
        return self._parts[0] if self._parts else nothing

    def _sweep(self) -> None:
        """Drop removed pictures, and give the others new slots in the order of their keys."""
        pictures, postings = self._pictures, self._merged_parts()
        alive = np.flatnonzero(~pictures.dead)
        alive = alive[np.argsort(pictures.keys[alive], kind="stable")]
        moved = np.full(len(pictures.keys), -1, np.int32)
        moved[alive] = np.arange(len(alive))
        self._pictures, self._parts = chosen(pictures, alive), [remapped(postings, moved)]
        self._slots = dict(zip(self._pictures.keys.tolist(), range(len(alive)), strict=True))


def joined(first: Pictures, second: Pictures) -> Pictures:
    """The slots of both, those of the first before those of the second."""
    pairs: list[Any] = list(zip(first, second, strict=True))
    return Pictures(*map(np.concatenate, pairs))


def chosen(pictures: Pictures, slots: NDArray[np.int64]) -> Pictures:
    """The pictures of these slots only."""
    return Pictures(pictures.keys[slots], pictures.counts[slots], pictures.digests[slots], pictures.dead[slots])


def fit(centres: NDArray[Any], weights: NDArray[Any], pictures: Pictures, postings: Postings) -> bool:
    """Whether loaded arrays belong together."""
    points = len(postings.slots)
    return bool(
        centres.ndim == 2
        and centres.dtype == weights.dtype == np.float32
        and len(weights) == len(centres) == len(postings.starts) - 1
        and len({len(column) for column in pictures}) == 1
        and len(np.unique(pictures.keys)) == len(pictures.keys)
        and pictures.counts.sum() == points == len(postings.signatures) == len(postings.poses)
        and centres.shape[1] == SIGNATURE
        and postings.starts[0] == 0
        and postings.starts[-1] == points
        and (np.diff(postings.starts) >= 0).all()
        and (points == 0 or 0 <= postings.slots.min() <= postings.slots.max() < len(pictures.keys))
    )
