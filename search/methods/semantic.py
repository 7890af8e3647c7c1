"""Joint image-text space: pictures and words as vectors of one space, so that words find pictures."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from search.encoders.folder import META, folders
from search.methods.encoded import Encoded
from search.types import Confidence
from search.types import gettext_noop as _

BUNDLED = "conse"


class JointSpace(Encoded):
    """Unit vectors of an encoder that also encodes text: a CLIP model if one is there, else the bundled ConSE."""

    label = _("Similar content")
    summary = _("Finds pictures with similar content, and pictures described in words.")
    limits = _("Misses fine detail.")

    name = "image-text"
    knows_words = True
    answers_words = True
    # By default its images go through the same network as those of the neural space: what both say counts once.
    confidence = Confidence(weight=0.3)
    map_priority = 3
    setting = "SEMANTIC_ENCODER"

    def default_encoder(self, root: Path) -> str:
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
