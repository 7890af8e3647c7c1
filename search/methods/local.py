"""Keypoints: finds a picture from a part of it, however turned, scaled or framed; see search/keypoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from search.exceptions import SpaceUnavailable
from search.keypoints import codec, extraction, verification
from search.methods.base import Method, Verified
from search.types import Features, Pixels

DEFAULT = "sift"


def _default() -> str:
    return DEFAULT


_chosen: Callable[[], str] = _default


def configure(chosen: Callable[[], str]) -> None:
    """Let the program's settings decide between the names of KINDS; they are asked for each time."""
    global _chosen
    _chosen = chosen


class LocalFeatures(Method):
    """A record of at most 400 RootSIFT keypoints is stored (70 bytes each); the index finds candidates by votes.

    Distances are 0 to 1. Of the best candidates the keypoints are matched and checked against a geometry: the
    distance is then the chance that their agreement means nothing. Votes alone stay above 0.9.
    """

    name = "rootsift"
    version = "rootsift:1"
    metric = "votes"
    dimension = codec.ROW
    index = "inverted"
    verified = 30
    kind: ClassVar[int] = codec.SIFT

    def extract(self, pixels: Pixels) -> bytes:
        return extraction.extract(pixels, self.kind)

    def fits(self, stored: bytes) -> bool:
        return codec.fits(stored) and codec.kind(stored) == self.kind

    def rows(self, stored: Sequence[bytes]) -> Features:
        return codec.rows(stored)

    def queries(self, stored: bytes) -> Features:
        """The row itself, and that of the mirrored picture. Raises SpaceUnavailable for a picture without keypoints."""
        if not codec.count(stored):
            raise SpaceUnavailable("no_keypoints")
        return codec.rows([stored, codec.mirrored(stored)])

    def score(self, distance: float) -> float:
        return max(0.0, 1.0 - distance)

    def verify(self, query: bytes, stored: Sequence[bytes], forms: Sequence[int] | None = None) -> list[Verified]:
        return [Verified(one.distance, one.transform) for one in verification.verify(query, stored, forms)]

    def now(self) -> LocalFeatures:
        return KINDS[_chosen()]()

    def at(self, version: str) -> Method | None:
        return next((kind() for kind in KINDS.values() if kind.version == version), None)


class OrbFeatures(LocalFeatures):
    """The same with ORB keypoints: five times as quick to extract, and finds less."""

    name = "orb"
    version = "orb:1"
    metric = "votes-orb"
    kind = codec.ORB


KINDS: dict[str, type[LocalFeatures]] = {"sift": LocalFeatures, "orb": OrbFeatures}
