"""Keypoints: finds a picture from a part of it, however turned, scaled or framed; see search/keypoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from search.exceptions import SpaceUnavailable
from search.keypoints import codec, extraction, verification
from search.keypoints.localization import match_keypoints, placement
from search.methods.base import Comparison, Method, Verified
from search.methods.configuration import configuration
from search.types import Confidence, Features, Pixels
from search.types import gettext_noop as _

DEFAULT = "sift"


class LocalFeatures(Method):
    """At most 400 RootSIFT keypoints are stored (70 bytes each); the index finds candidates by votes.

    Distances are 0 to 1. The keypoints of the best candidates are matched and verified by a geometry: the distance is
    then the chance that they match by accident. Votes alone stay above 0.9.
    """

    label = _("Crops and details")
    summary = _("Finds crops, collages, screenshots and rotated or scaled parts, and shows where they are.")
    limits = _("Misses blurred pictures and those with little detail.")

    name = "rootsift"
    version = "rootsift:1"
    metric = "votes"
    dimension = codec.ROW
    index = "inverted"
    reranked = 30
    # Hardly two pictures have the same keypoints at the same positions: all others together do not outweigh this.
    confidence = Confidence(least_doubt=1e-5)
    finds_parts = True
    setting = "LOCAL_FEATURES"
    drawing = "matches"
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
        verified = verification.verify(query, stored, forms)
        return [Verified(each.distance, each.transform) for each in verified]

    def evidence(self, comparison: Comparison) -> Mapping[str, Any]:
        """Where the query lies in the stored picture, and which keypoints match; nothing if they may do so by chance.

        ``outline`` has the query's corners in shares of the stored picture, clockwise from the query's upper left;
        ``pairs`` x and y in the query and x and y in the stored picture, in shares.
        """
        if comparison.query is None:
            return {}
        matched = match_keypoints(comparison.query, comparison.image)
        if matched.transform is None:
            return {}
        lies = placement(matched.transform, comparison.query_size, comparison.image_size)
        return {
            "outline": [[round(x, 4), round(y, 4)] for x, y in lies.outline],
            "mirrored": lies.mirrored,
            "scale": round(lies.scale, 3),
            "turn": round(lies.turn, 1),
            "inside": round(lies.inside, 3),
            "covered": round(lies.covered, 3),
            "pairs": np.round(matched.pairs[matched.inliers], 4).tolist(),
        }

    def now(self) -> LocalFeatures:
        return KINDS[configuration().choice(self.setting) or DEFAULT]()

    def at(self, version: str) -> Method | None:
        return next((kind() for kind in KINDS.values() if kind.version == version), None)


class OrbFeatures(LocalFeatures):
    """The same with ORB keypoints: five times as quick to extract, and finds less."""

    name = "orb"
    version = "orb:1"
    metric = "votes-orb"
    kind = codec.ORB


KINDS: dict[str, type[LocalFeatures]] = {"sift": LocalFeatures, "orb": OrbFeatures}
