"""Joint image-text space: pictures and words as vectors of one space, so that words find pictures."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from search.encoders.folder import META, folders
from search.methods.encoded import Encoded, Models

BUNDLED = "conse"


class JointSpace(Encoded):
    """Unit vectors of an encoder that also reads: a CLIP model if one is there, else the bundled ConSE."""

    name = "image-text"
    space = "semantic"
    words = True

    def choose(self, models: Models) -> str:
        return models.chosen.get(self.space) or _best(models.root)


def _best(root: Path) -> str:
    with suppress(OSError):
        return _best_of(root, root.stat().st_mtime_ns)
    return BUNDLED


@lru_cache(maxsize=8)
def _best_of(root: Path, changed: int) -> str:
    """``changed``: when an encoder came or went, so that the folder is read again."""
    for name in folders(root):
        with suppress(OSError, ValueError):
            if json.loads((root / name / META).read_bytes()).get("kind") == "clip":
                return name
    return BUNDLED
