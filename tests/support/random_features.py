"""Stored features that no picture was looked at for."""

from __future__ import annotations

import numpy as np

from search.methods import get_method
from tests.support.images import scene


def feature(space: str, dice: np.random.Generator) -> bytes:
    """A random one that fits."""
    method = get_method(space)
    if method.needs_encoder:
        vector = dice.normal(size=method.dimension)
        return (vector / np.linalg.norm(vector)).astype(np.float16).tobytes()
    drawn = method.extract(scene(int(dice.integers(10**9)), (64, 48)))
    return dice.bytes(len(drawn)) if space in {"phash", "color"} else drawn
